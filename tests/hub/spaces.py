"""A Space: what it is set to, how its stages go by, and what it logs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from hub.objects import Tree
from hub.repos import Repo, now, stamp

CPU_BASIC = "cpu-basic"
CPU_BASIC_SLEEPS_AFTER = 48 * 3600
COLLISION = "Collision on variables and secrets names"
ERRORS = ("BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR")
NOT_BUILT = ("NO_APP_FILE", "PAUSED", "STOPPED", *ERRORS)


class Space(Repo):
    """A repo that is built and run.

    A test may set, at any time:
        script: the stages after a commit, one for each look at the runtime; the last one stays.
            One that begins with "RUNNING" shows the old app for a while, as the Hub may do.
        restart_script: the same, after a change of a setting.
        error_message: what the runtime says in a stage that is an error.
        build_log, run_log: the lines; what is added while somebody follows is sent to them.
        log_open: for how many seconds a log stays open after it was asked for, as on the Hub,
            where it never ends by itself.
        shows_volumes: whether the runtime has them; on the Hub it does not always.
    """

    def __init__(
        self,
        repo_id: str,
        visibility: str,
        creator: str,
        files: Tree,
        *,
        sdk: str,
        hardware: str | None = None,
        sleep_time: int | None = None,
    ) -> None:
        self.sdk = sdk
        self.requested_hardware = None if sdk == "static" else hardware or CPU_BASIC
        self.hardware: str | None = None
        on_cpu_basic = self.requested_hardware == CPU_BASIC
        self.sleep_time = CPU_BASIC_SLEEPS_AFTER if on_cpu_basic else sleep_time
        self.variables: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.descriptions: dict[str, str] = {}
        self.updated: dict[str, str] = {}
        self.volumes: list[dict[str, Any]] = []
        self.dev_mode = False
        self.stage = "NO_APP_FILE"
        self.script = ["BUILDING", "APP_STARTING", "RUNNING"]
        self.restart_script = ["APP_STARTING", "RUNNING"]
        if sdk == "static":
            self.script, self.restart_script = ["BUILDING", "RUNNING"], ["RUNNING"]
        self.error_message: str | None = None
        self.build_log: list[str] = []
        self.run_log: list[str] = []
        self.log_open = 0.0
        self.shows_volumes = True
        self.builds = 0
        self.restarts = 0
        self._coming: list[str] = []
        super().__init__("spaces", repo_id, visibility, creator, files, "initial commit")

    @property
    def host(self) -> str:
        return f"{self.id.replace('/', '-').replace('.', '-').lower()}.hf.space"

    def run(self) -> None:
        """Be built and running at once, as one that has been there for long."""
        self.builds = max(self.builds, 1)
        self._coming = []
        self._show("RUNNING")

    def pushed(self) -> None:
        self.builds += 1
        self._start(self.script)

    def changed(self) -> None:
        """A setting was changed, which restarts a Space that runs."""
        self.restarts += 1
        if self.stage not in NOT_BUILT and "BUILDING" not in self._coming:
            self._start(self.restart_script)

    def restart(self, factory: bool) -> None:
        self.restarts += 1
        built = self.builds and self.stage not in ERRORS
        if factory or not built:
            self.builds += 1
        self._start(self.restart_script if built and not factory else self.script)

    def pause(self) -> None:
        self._coming = []
        self.stage = "PAUSED"

    def set_hardware(self, flavor: str, sleep_time: int | None) -> None:
        if flavor == CPU_BASIC:
            self.sleep_time = CPU_BASIC_SLEEPS_AFTER
        elif sleep_time is not None or self.requested_hardware == CPU_BASIC:
            self.sleep_time = sleep_time
        self.requested_hardware = flavor
        self.changed()

    def set_value(self, where: dict[str, str], key: str, value: str, description: str) -> None:
        """Set a variable or a secret."""
        where[key] = value
        self.descriptions[key] = description
        self.updated[key] = stamp(now())

    def poll(self) -> dict[str, Any]:
        """Somebody looks at the runtime: the next stage comes."""
        if self._coming:
            self._show(self._coming.pop(0))
        return self.runtime()

    def runtime(self) -> dict[str, Any]:
        """What the Hub says about the runtime."""
        said: dict[str, Any] = {
            "stage": self.stage,
            "hardware": {"current": self.hardware, "requested": self.requested_hardware},
            "storage": None,
            "gcTimeout": self.sleep_time,
            "replicas": {"current": 1 if self.stage == "RUNNING" else 0, "requested": 1},
            "devMode": self.dev_mode,
            "domains": [{"domain": self.host, "stage": "READY"}],
        }
        if self.shows_volumes and self.volumes:
            said["volumes"] = self.volumes
        if self.stage in ERRORS:
            said["errorMessage"] = COLLISION if self._collides else self.error_message
        return said

    def events(self, lines: list[str], closed: Callable[[], bool]) -> Iterator[bytes]:
        """The lines of a log as server-sent events, with those that are added meanwhile."""
        until = time.monotonic() + self.log_open
        sent = 0
        while True:
            while sent < len(lines):
                event = {"data": lines[sent] + "\n", "timestamp": stamp(now())}
                yield f"data: {json.dumps(event)}\n\n".encode()
                sent += 1
            if closed() or time.monotonic() >= until:
                return
            yield b"data:\n\n"  # as the Hub keeps the connection alive
            time.sleep(0.02)

    @property
    def _collides(self) -> bool:
        return bool(self.variables.keys() & self.secrets.keys())

    def _start(self, script: list[str]) -> None:
        self._coming = ["CONFIG_ERROR"] if self._collides else list(script)
        self._show(self._coming[0])

    def _show(self, stage: str) -> None:
        self.stage = stage
        if stage == "RUNNING" and self._coming in ([], ["RUNNING"]):
            self.hardware = self.requested_hardware
