"""From the first question to the last, with ways back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from spaces_gen.inspect_model import Inspected
from spaces_gen.wizard import steps
from spaces_gen.wizard.screen import GoBack
from spaces_gen.wizard.steps import MAKE, Talk


class Step(Protocol):
    """Asks one question, where it is open; returns whether it asked."""

    def __call__(self, talk: Talk, *, back: bool) -> bool: ...


def ask(given: dict[str, Any]) -> tuple[dict[str, Any], Inspected | None]:
    """Ask for all that is open; returns the answers, and what was found out about the model.

    Raises:
        UserError: an answer that was given is not allowed, or no hardware holds the model.
        KeyboardInterrupt: it was broken off.
    """
    talk = Talk(dict(given))
    steps.check_given(talk)
    order: list[Step] = [
        steps.model,
        steps.model_type,
        steps.size,
        steps.hardware,
        steps.title,
        confirm,
    ]
    try:
        walk(order, talk, back=False)
    except (KeyboardInterrupt, EOFError) as end:
        print("Broken off; nothing was written.", file=sys.stderr)
        raise KeyboardInterrupt from end
    return talk.answers, talk.found


def walk(order: Sequence[Step], talk: Talk, *, back: bool) -> None:
    """Take steps in order.

    A changed answer takes those of later steps with it, as they may follow from it.

    Args:
        back: whether there is a way back from the first of them.

    Raises:
        GoBack: it was taken.
    """
    asked: list[int] = []
    origin: dict[str, int] = {}  # of each answer: the step that it is from
    number = 0
    while number < len(order):
        before = dict(talk.chosen)
        try:
            if order[number](talk, back=back or bool(asked)):
                asked.append(number)
            following = number + 1
        except GoBack:
            if not asked:
                raise
            following = asked.pop()
        changed = {
            key for key in {**before, **talk.chosen} if before.get(key) != talk.chosen.get(key)
        }
        if changed:
            for key in [key for key, step in origin.items() if step > number]:
                talk.chosen.pop(key, None)
        origin |= dict.fromkeys(changed, number)
        number = following


def confirm(talk: Talk, *, back: bool) -> bool:
    """Show what will be made until it is agreed to; the other questions can be asked before."""
    while steps.summary(talk, back=back) != MAKE:
        order: list[Callable[..., bool]] = [
            partial(steps.question, key) for key in steps.others(talk)
        ]
        try:
            walk(order, talk, back=True)
        except GoBack:
            continue
    return True
