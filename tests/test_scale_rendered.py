"""The Space on Ray Serve: what is rendered, and what `make demo-scale` shows of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from gradio_client import Client
from ray.serve.schema import ServeDeploySchema
from ray_cluster import ray_processes
from space_checks import check
from space_process import free_port
from test_demo import demo
from upgrading import edited, fresh, put, run_here, succeeded, take

from spaces_gen.errors import UserError
from spaces_gen.render import render
from spaces_gen.tables import load_tiers

MODEL_TYPES = ("automatic-speech-recognition", "text-generation", "document-question-answering")
COME = {"serve_app.py", "serve_config.yaml", "Dockerfile", "kuberay.yaml"} | {
    f"serving/{name}.py" for name in ("page", "replica", "replicas", "sticky")
}
CHANGE = {"README.md", "requirements.txt", ".copier-answers.yml"}


def files(folder: Path) -> dict[str, bytes]:
    """By their paths."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("model_type", MODEL_TYPES)
@pytest.mark.parametrize("hardware", ["l4x4", "cpu-upgrade"])
def test_page_and_model_are_those_of_one_machine(
    model_type: str, hardware: str, rendered: Callable[..., Path]
) -> None:
    one = files(rendered(model_type=model_type, hardware=hardware))
    folder = rendered(model_type=model_type, hardware=hardware, scale="ray-serve")
    several = files(folder)
    assert several.keys() - one.keys() == COME
    assert {path for path in one if one[path] != several.get(path)} == CHANGE
    image = several["Dockerfile"].decode()
    assert ("packages.txt" in image) == ("packages.txt" in one)
    assert check(folder) == []


@pytest.mark.parametrize("hardware", ["l4x1", "a10g-largex4", "a100x8", "cpu-upgrade"])
def test_ray_takes_the_configurations(hardware: str, rendered: Callable[..., Path]) -> None:
    """That of a machine has a copy per card; that of a cluster as many for each of its machines."""
    space = rendered(hardware=hardware, scale="ray-serve")
    own = yaml.safe_load((space / "serve_config.yaml").read_text())
    kube = yaml.safe_load((space / "kuberay.yaml").read_text())
    group = kube["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]
    cards = load_tiers()[hardware].gpus
    for config, machines in (
        (own, 1),
        (yaml.safe_load(kube["spec"]["serveConfigV2"]), group["maxReplicas"]),
    ):
        checked = ServeDeploySchema.model_validate(config)
        model, page = checked.applications
        (deployment,) = model.deployments
        copies = machines * (cards or 1)
        assert deployment.autoscaling_config["max_replicas"] == page.args["copies"] == copies
        assert (deployment.ray_actor_options.num_gpus or 0) == (1 if cards else 0)
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits.get("nvidia.com/gpu") == (str(cards) if cards else None)


def test_zero_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ZeroGPU"):
        render({"hardware": "zero-a10g", "scale": "ray-serve"}, tmp_path / "space")
    assert not (tmp_path / "space").exists()


def test_there_and_back_the_owners_edits_stay(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    """`spaces-gen upgrade` changes the scale as it changes the hardware."""
    before = edited(fresh(), "app.py", "num_top_classes=5", "num_top_classes=3")
    before = edited(before, "model.py", "import", "# mine\nimport")
    space = put(before, tmp_path / "space")
    succeeded(run_here("upgrade", space, "--data", "scale=ray-serve"))
    after = take(space)
    assert after.keys() - before.keys() == COME
    assert {path for path in before if before[path] != after[path]} == CHANGE
    after = edited(after, "serve_config.yaml", "downscale_delay_s: 300", "downscale_delay_s: 60")
    put(after, space)
    succeeded(run_here("upgrade", space, "--hardware", "l4x4"))
    moved = take(space)
    assert b"downscale_delay_s: 60" in moved["serve_config.yaml"]
    assert b"num_gpus: 1" in moved["serve_config.yaml"]
    put(edited(moved, "serve_config.yaml", "delay_s: 60", "delay_s: 300"), space)
    succeeded(run_here("upgrade", space, "--hardware", "cpu-basic", "--data", "scale=one-machine"))
    assert take(space) == before


@pytest.mark.timeout(400)
def test_make_demo_scale_serves_two_copies_and_leaves_nothing(tmp_path: Path) -> None:
    """On a local Ray, whose processes are all its own."""
    port = free_port()
    before = ray_processes()
    command = ["make", "demo-scale", f"PORT={port}"]
    with demo(command, port, tmp_path / "log") as url:
        client = Client(url, verbose=False)
        alike = client.predict("A man is eating.", "Somebody has lunch.", api_name="/predict")
        assert alike > 0.4
        titles = [title for title in ray_processes().values() if "model:model" in title]
        assert len(titles) >= 2
    assert not ray_processes().keys() - before.keys()
