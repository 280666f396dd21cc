"""Asks one question in the terminal; what is shown goes to standard error, like other messages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import questionary
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import create_output

from spaces_gen.terminal import harmless
from spaces_gen.wizard.form import Option

LONG = 12  # options from which on typing finds one
ESCAPE_SECONDS = 0.2  # after which Esc is no part of another key, such as an arrow
STYLE = questionary.Style(
    [("disabled", "fg:ansibrightblack"), ("instruction", "fg:ansibrightblack")]
)


class GoBack(Exception):
    """Somebody wants the question before."""


def choose(
    question: str,
    options: Sequence[Option],
    default: str | None,
    *,
    back: bool,
    header: str = "",
) -> str:
    """One of some options; those with a reason against them are shown, but cannot be taken.

    Args:
        default: is pointed at first, where it can be taken.
        back: whether there is a question before.
        header: a line above the options.

    Raises:
        GoBack: the question before is wanted.
        KeyboardInterrupt: all is to end.
    """
    rows: list[Any] = [questionary.Separator(f"  {header}")] if header else []
    rows += [
        questionary.Choice(
            harmless(one.label),
            value=one.value,
            disabled=harmless(one.reason) or None,
            description=harmless(one.note) or None,
        )
        for one in options
    ]
    keys = "arrows or type, then Enter" if len(options) > LONG else "arrows, then Enter"
    asked = questionary.select(
        harmless(question),
        rows,
        default=default if default in [one.value for one in options if not one.reason] else None,
        use_jk_keys=False,
        use_search_filter=len(options) > LONG,
        instruction=f"({keys}{'; Esc goes back' if back else ''})",
        style=STYLE,
        output=create_output(sys.stderr),
    )
    return answer_of(asked, back)


def write(
    question: str,
    default: str,
    complaint: Callable[[str], str],
    *,
    back: bool,
) -> str:
    """A line of text.

    Args:
        default: stands there already.
        complaint: why a text is not allowed; "" where it is.
        back: whether there is a question before.

    Raises:
        GoBack: the question before is wanted.
        KeyboardInterrupt: all is to end.
    """
    asked = questionary.text(
        harmless(question),
        default=harmless(default),
        validate=lambda text: harmless(complaint(text)) or True,
        instruction="(Esc goes back) " if back else None,
        style=STYLE,
        output=create_output(sys.stderr),
    )
    return answer_of(asked, back)


def answer_of(asked: questionary.Question, back: bool) -> str:
    """Ask, with a key that goes back."""
    bindings = KeyBindings()

    @bindings.add(Keys.Escape, eager=True)
    def _(event: KeyPressEvent) -> None:
        if back:
            event.app.erase_when_done = True
            event.app.exit(exception=GoBack())

    app = asked.application
    app.ttimeoutlen = ESCAPE_SECONDS
    app.key_bindings = merge_key_bindings([app.key_bindings or KeyBindings(), bindings])
    return str(asked.unsafe_ask())
