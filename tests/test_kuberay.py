"""kuberay.yaml is what KubeRay takes; see kuberay.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kuberay import problems

TIERS = ("cpu-basic", "cpu-upgrade", "t4-small", "l4x4", "a10g-largex4", "a100x8")
MISSING = object()


def service(rendered: Callable[..., Path], hardware: str) -> Any:
    """The RayService of a Space on this tier."""
    space = rendered(hardware=hardware, scale="ray-serve")
    return yaml.safe_load((space / "kuberay.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("hardware", TIERS)
def test_a_cluster_takes_it_on_every_tier(hardware: str, rendered: Callable[..., Path]) -> None:
    assert problems(service(rendered, hardware)) == []


CLUSTER = "spec.rayClusterConfig"
HEAD, WORKERS = f"{CLUSTER}.headGroupSpec", f"{CLUSTER}.workerGroupSpecs.0"
CONTAINER = f"{WORKERS}.template.spec.containers.0"


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("kind", "RayServices"),
        ("metadata.nam", "space"),
        ("spec.serveConfigV3", "{}"),
        ("spec.serveConfigV2", {"applications": []}),
        (HEAD, MISSING),
        (f"{CLUSTER}.enableInTreeAutoscaling", "true"),
        (f"{CLUSTER}.autoscalerOptions", {"upscalingMode": "Fast"}),
        (f"{CLUSTER}.gcsFaultToleranceOptions", {"redisPassword": {"value": "x"}}),
        (f"{HEAD}.rayStartParams.num-cpus", 0),
        (f"{HEAD}.template.specs", {}),
        (f"{WORKERS}.groupName", MISSING),
        (f"{WORKERS}.maxReplica", 4),
        (f"{WORKERS}.minReplicas", "1"),
        (f"{WORKERS}.template.spec.toleration", []),
        (f"{CONTAINER}.ports.0.containerport", 7860),
        (f"{CONTAINER}.env.0.value", 4),
        (f"{CONTAINER}.resources.limits.memory", "15GB"),
    ],
)
def test_what_it_would_refuse_is_refused(
    where: str, value: Any, rendered: Callable[..., Path]
) -> None:
    asked = service(rendered, "t4-small")
    *parents, last = where.split(".")
    part = asked
    for name in parents:
        part = part[int(name) if isinstance(part, list) else name]
    if value is MISSING:
        del part[last]
    else:
        part[last] = value
    told = problems(asked)
    assert len(told) == 1, told
