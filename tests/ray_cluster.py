"""A Space on a Ray of its own, on this machine, as tests and benchmarks use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import psutil
import yaml
from space_process import free_port, python_path

DRIVER = Path(__file__).with_name("ray_driver.py")
STOP_SECONDS = 60


class Cluster:
    """Ray Serve with the page and some copies of the model; a context manager.

    Args:
        folder: of a Space that was rendered with `scale` "ray-serve".
        copies: least and most of them.
        variables: of the environment of all its processes.
    """

    def __init__(self, folder: Path, copies: tuple[int, int] = (1, 1), **variables: str) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder.parent / f"{folder.name}-ray.log"
        config = yaml.safe_load((folder / "serve_config.yaml").read_text(encoding="utf-8"))
        self.config: dict[str, Any] = config
        config["http_options"] |= {"host": "127.0.0.1", "port": self.port}
        self.model["deployments"][0]["ray_actor_options"] = {"num_cpus": 0}
        self.scaling |= {"min_replicas": copies[0], "max_replicas": copies[1]}
        self.page["args"]["copies"] = copies[1]
        self._environment = {
            **os.environ,
            "GRADIO_TEMP_DIR": str(folder.parent / f"{folder.name}-temp"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "CPU_CORES": "1",
            "TIER": "cpu-basic",
            **variables,
            "PYTHONPATH": python_path(folder, *filter(None, [variables.get("PYTHONPATH")])),
        }

    @property
    def model(self) -> dict[str, Any]:
        """The configuration of the model's application."""
        model: dict[str, Any] = self.config["applications"][0]
        return model

    @property
    def page(self) -> dict[str, Any]:
        """The configuration of the page's application."""
        page: dict[str, Any] = self.config["applications"][1]
        return page

    @property
    def scaling(self) -> dict[str, Any]:
        """How many copies there are, and when."""
        scaling: dict[str, Any] = self.model["deployments"][0]["autoscaling_config"]
        return scaling

    @scaling.setter
    def scaling(self, values: dict[str, Any]) -> None:
        self.model["deployments"][0]["autoscaling_config"] = values

    @property
    def log(self) -> str:
        """What all its processes have printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Cluster:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(DRIVER)],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        try:
            self.deploy()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def deploy(self, wait: bool = True) -> None:
        """Give Ray Serve the configuration, perhaps a changed one."""
        states = self._tell({"do": "deploy", "config": deepcopy(self.config), "wait": wait})
        healthy = all(one["status"] == "HEALTHY" for one in states.values())
        assert not wait or healthy, (states, self.log[-4000:])

    def status(self) -> dict[str, dict[str, Any]]:
        """Of each deployment what Ray says."""
        return self._tell({"do": "status"})

    def running(self) -> int:
        """Copies of the model that serve."""
        replicas: dict[str, int] = self.status()["model/model"]["replicas"]
        return replicas.get("RUNNING", 0)

    def _tell(self, told: dict[str, Any]) -> dict[str, dict[str, Any]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(told), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, self.log[-4000:]
        states: dict[str, dict[str, Any]] = json.loads(answer)
        return states

    def processes(self, name: str) -> list[psutil.Process]:
        """The replicas of "page" or "model"."""
        title = f"ray::ServeReplica:{name}:{name}"
        found = []
        for one in psutil.Process(self._process.pid).children(recursive=True):
            try:
                if one.cmdline()[:1] and one.cmdline()[0].startswith(title):
                    found.append(one)
            except psutil.NoSuchProcess:
                continue
        return found

    def stop(self) -> None:
        """End it, and whatever it leaves."""
        assert self._process.stdin is not None
        if self._process.poll() is not None:
            return
        started = psutil.Process(self._process.pid).children(recursive=True)
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        deadline = time.monotonic() + 5
        while [one for one in started if one.is_running()] and time.monotonic() < deadline:
            time.sleep(0.1)
        for one in started:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue


def ray_processes() -> dict[int, str]:
    """The command lines of all processes of Ray on this machine, by their numbers."""
    found = {}
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            line = " ".join(one.cmdline())
            if line.startswith("ray::") or "/ray/core/" in line:
                found[one.pid] = line
    return found
