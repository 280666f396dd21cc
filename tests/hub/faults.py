"""What goes wrong on purpose: failing, dropped and slow answers, and others who come in between."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hub.answers import Refused, Response


@dataclass
class Fault:
    """One thing that goes wrong.

    Args:
        status: what is answered; None answers as ever (with `delay`: slowly).
        times: how often it happens; None means always.
        when: "before" the request has any effect, or "after" it was applied.
        drop: close the connection without an answer.
        skip: how many requests that match pass first.
    """

    method: str
    path: str
    status: int | None = 503
    times: int | None = 1
    when: Literal["before", "after"] = "before"
    drop: bool = False
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = "The server said no, because a test asked it to"
    skip: int = 0
    hits: int = 0

    def matches(self, method: str, path: str) -> bool:
        return _matches(self.method, self.path, method, path)

    def response(self) -> Response:
        assert self.status is not None
        return Refused(self.status, self.error, headers=self.headers).response()

    def due(self) -> bool:
        """Whether a request that matches is hit; counts it."""
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


@dataclass
class Trigger:
    """What happens once, right before a request is looked at."""

    method: str
    path: str
    action: Callable[[], object]
    skip: int = 0
    done: bool = False


class Faults:
    """All faults and triggers that wait for their request."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._triggers: list[Trigger] = []

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def before(self, trigger: Trigger) -> Trigger:
        self._triggers.append(trigger)
        return trigger

    def clear(self) -> None:
        """From now on everything works."""
        self._faults.clear()
        self._triggers.clear()

    def hit(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets: the first one that is due. All of them count it."""
        matching = [fault for fault in self._faults if fault.matches(method, path)]
        for index, fault in enumerate(matching):
            if fault.due():
                for other in matching[index + 1 :]:
                    other.skip = max(0, other.skip - 1)
                return fault
        return None

    def triggered(self, method: str, path: str) -> list[Callable[[], object]]:
        """What is to happen now, right before this request."""
        actions = []
        for trigger in self._triggers:
            if trigger.done or not _matches(trigger.method, trigger.path, method, path):
                continue
            if trigger.skip:
                trigger.skip -= 1
                continue
            trigger.done = True
            actions.append(trigger.action)
        return actions


def _matches(wanted: str, pattern: str, method: str, path: str) -> bool:
    return wanted in ("*", method) and re.search(pattern, path) is not None
