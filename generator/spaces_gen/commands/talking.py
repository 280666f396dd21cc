"""What the verbs say beside their results, and ask where somebody is there."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

HUB_SECONDS = 120  # for all that is asked of the Hub, retries included
START_SECONDS = 1800  # for a Space to be built and to start


def say(sentence: str) -> None:
    """One line beside the result."""
    typer.echo(sentence, err=True)


def asks_secrets() -> Callable[[str], str] | None:
    """Asks for the value of a secret; None where there is nobody to ask."""
    return ask_secret if sys.stdin.isatty() else None


def ask_secret(key: str) -> str:
    """The value of a secret, which is not shown."""
    return str(typer.prompt(f"Value of the secret {key}", hide_input=True))
