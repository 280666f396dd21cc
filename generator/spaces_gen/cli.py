"""The command `spaces-gen`: arguments in, calls to one module per verb, errors in one line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spaces_gen.commands.front import page
from spaces_gen.commands.verbs import VERBS
from spaces_gen.errors import UsageError, UserError

if TYPE_CHECKING:
    import typer

COMPLETION = "_SPACES_GEN_COMPLETE"  # as a shell sets it, when Tab is pressed


def __getattr__(name: str) -> typer.Typer:
    """`app`, with all verbs, for programs that look at them; it takes long to import."""
    if name != "app":
        raise AttributeError(name)
    from spaces_gen.commands.application import application

    return application()


def verbs_of(arguments: Sequence[str]) -> list[str]:
    """The verb that is meant; all of them where none is, so that they can be named."""
    named = next((one for one in arguments if not one.startswith("-")), None)
    return [named] if named in VERBS and COMPLETION not in os.environ else list(VERBS)


def _end(number: int, frame: object) -> None:
    sys.exit(128 + number)  # as a shell reports it


def main() -> None:
    """Run the command; an error is one line and exit code 1, wrong usage is exit code 2."""
    arguments = sys.argv[1:]
    if arguments in ([], ["--help"]) and COMPLETION not in os.environ:
        from spaces_gen.terminal import takes_colours

        stream = sys.stdout if arguments else sys.stderr
        stream.write(page(colours=takes_colours(stream)))
        sys.exit(0 if arguments else 2)
    for name in ("SIGTERM", "SIGHUP"):  # what was begun is ended in order, as after Ctrl-C
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)
    try:
        run(arguments)
    except Exception as error:
        sys.exit(failed(error))


def run(arguments: Sequence[str]) -> None:
    """Read the command line, and call the verb.

    Raises:
        UserError: it cannot be done.
        SystemExit: it is over.
    """
    from spaces_gen.commands.application import application
    from spaces_gen.terminal import plain_without_colours

    plain_without_colours()
    application(verbs_of(arguments))(prog_name="spaces-gen")


def failed(error: Exception) -> int:
    """Say what went wrong, in one line; returns the exit code."""
    from spaces_gen.terminal import harmless

    if "--debug" in sys.argv:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, UserError):
        sentence = str(error)
    else:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        sentence = f"{reason} (spaces-gen --debug shows where)"
    sys.stderr.write(f"Error: {harmless(sentence)}\n")
    return 2 if isinstance(error, UsageError) else 1
