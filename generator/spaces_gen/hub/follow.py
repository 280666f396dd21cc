"""Follows a Space from a commit until it runs, or does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from spaces_gen.errors import UserError
from spaces_gen.hub.causes import LAST_LINES, likely_cause
from spaces_gen.hub.client import Hub
from spaces_gen.hub.remote import runtime_of

FIRST_POLL_SECONDS, POLL_SECONDS = 0.25, 3.0  # each twice as long as the one before
SETTLE_SECONDS = 20.0  # until a Space that still runs is believed to need no build
UNDER_WAY = {"BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING"}
SERVING = {"RUNNING", "SLEEPING"}
STOPPED = {"PAUSED", "STOPPED"}


@dataclass
class Fate:
    """What became of a Space.

    Attributes:
        lines: the end of the log that tells about it.
    """

    stage: str
    runtime: Any
    lines: list[str] = field(default_factory=list)
    cause: str = ""

    @property
    def well(self) -> bool:
        """Whether it serves."""
        return self.stage in SERVING


def follow(
    hub: Hub,
    repo_id: str,
    commit: str | None,
    before: str | None,
    stage_is: Callable[[str], None],
    line: Callable[[str], None],
) -> Fate:
    """Wait until the Space at `commit` runs or has failed.

    Args:
        commit: that it shall run; None for whichever it is.
        before: the stage until now, if it is known to be built or started anew.
        stage_is: called with each new stage.
        line: called with each line of the build log, from another thread.

    Raises:
        UserError: the deadline has passed.
    """
    log = BuildLog(hub, repo_id, line)
    began, seen, moved, poll = time.monotonic(), "", before is None, FIRST_POLL_SECONDS
    while True:
        runtime = runtime_of(hub, repo_id)
        stage = str(runtime.stage)
        if stage != seen:
            stage_is(stage)
            seen = stage
        moved = moved or stage != before
        if stage in UNDER_WAY:
            log.start()
        # right after a commit, the Hub may still tell of the build before
        running = runtime.raw.get("sha")
        current = running == commit if commit and running else moved
        if stage not in UNDER_WAY and (current or time.monotonic() - began > SETTLE_SECONDS):
            break
        if hub.left < poll:
            raise UserError(
                f"{repo_id} is still {stage} and the time is over; see how it goes on with "
                f"`spaces-gen status {repo_id}` and `spaces-gen logs {repo_id} --build`"
            )
        time.sleep(poll)
        poll = min(2 * poll, POLL_SECONDS)
    fate = Fate(stage, runtime)
    if stage in STOPPED:
        fate.cause = "somebody stopped it: restart it on its page, under Settings"
    elif not fate.well:
        fate.lines = last_lines(hub, repo_id, build="BUILD" in stage)
        message = str(runtime.raw.get("errorMessage") or "")
        fate.cause = likely_cause(fate.lines, message)
        if message:
            fate.lines += message.splitlines()
    return fate


class BuildLog:
    """Passes on the build log while there is one; that it breaks off does no harm."""

    def __init__(self, hub: Hub, repo_id: str, line: Callable[[str], None]) -> None:
        self._hub, self._repo_id, self._line = hub, repo_id, line
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            for text in self._hub.api.fetch_space_logs(self._repo_id, build=True, follow=True):
                self._line(text.rstrip("\n"))
        except (httpx.HTTPError, OSError):
            return


def last_lines(hub: Hub, repo_id: str, build: bool) -> list[str]:
    """The end of the log; nothing where it cannot be had."""
    try:
        lines = [
            part
            for text in hub.api.fetch_space_logs(repo_id, build=build)
            for part in text.rstrip("\n").splitlines()
        ]
    except (httpx.HTTPError, OSError):
        return []
    return [line for line in lines if line.strip()][-LAST_LINES:]
