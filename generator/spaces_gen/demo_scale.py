"""`spaces-gen demo --copies`: the demo on a local Ray, with several copies and a local Redis."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from spaces_gen.errors import UserError
from spaces_gen.load.served import free_port, signals_deferred, stop

CONFIG = "serve_config.yaml"


def on_ray(space: Path, copies: int, port: int) -> tuple[list[str], dict[str, str]]:
    """The command that serves a Space with so many copies of its model, and its variables.

    Ray gives each copy its share of the CPUs. Everything listens on loopback but Ray's own
    processes, which talk to each other by the machine's address.

    Raises:
        UserError: Ray is not installed.
    """
    try:
        import ray.serve  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    except ImportError:
        raise UserError("several copies need Ray: pip install 'spaces-gen[scale]'") from None
    path = space / CONFIG
    config = with_copies(yaml.safe_load(path.read_text(encoding="utf-8")), copies)
    config["http_options"] |= {"host": "127.0.0.1", "port": port}
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    each = max(1, (os.cpu_count() or 1) // copies)
    command = [sys.executable, "-m", "ray.serve.scripts", "run", CONFIG]
    variables = {
        "PYTHONPATH": os.pathsep.join([str(space), *filter(None, [os.getenv("PYTHONPATH")])]),
        "RAY_USAGE_STATS_ENABLED": "0",
        "CPU_CORES": str(each),
        "TIER": "cpu-basic",  # for whose values there may be too few CPUs
    }
    return command, variables


def with_copies(config: dict[str, Any], copies: int) -> dict[str, Any]:
    """A configuration of Ray Serve with so many copies of the model from the start."""
    model, page = config["applications"]
    model["deployments"][0]["autoscaling_config"] |= {
        "min_replicas": copies,
        "max_replicas": copies,
    }
    model["deployments"][0]["ray_actor_options"]["num_cpus"] = 0  # they share what there is
    page["args"]["copies"] = copies
    return config


@contextmanager
def redis(folder: Path) -> Iterator[dict[str, str]]:
    """A Redis on loopback for the kept answers; the variables that tell of it.

    Raises:
        UserError: there is no redis-server.
    """
    path = shutil.which("redis-server")
    if path is None:
        raise UserError("the copies share their answers in a Redis: install redis-server")
    port = free_port()
    where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    process: subprocess.Popen[bytes] | None = None
    try:
        with signals_deferred():
            process = subprocess.Popen(
                [path, *where, "--save", "", "--appendonly", "no", "--loglevel", "warning"],
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        yield {"CACHE_URL": f"redis://127.0.0.1:{port}"}
    finally:
        if process is not None:
            stop(process)
