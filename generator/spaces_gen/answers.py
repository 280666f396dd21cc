"""The file in which a Space records how it was made, for those who only look at it.

Whoever made the Space wrote it, so nothing of it is trusted: it is read as far as a file of answers
goes, and without what YAML can do beyond plain values.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

ANSWERS = ".copier-answers.yml"
MOST_BYTES = 250_000  # measured values of dozens of models
MOST_BITS = 64  # of a number: Python refuses to print one of thousands of digits


class PlainLoader(yaml.SafeLoader):
    """Reads plain values; an alias stands for as much as its author likes, so there is none."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One value.

        Raises:
            yaml.YAMLError: it is an alias.
        """
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias is no answer", mark)
        return super().compose_node(parent, index)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """A whole number.

        Raises:
            yaml.YAMLError: it is larger than any that is asked for.
        """
        number: int = self.construct_yaml_int(node)
        if number.bit_length() > MOST_BITS:
            mark = node.start_mark
            raise yaml.constructor.ConstructorError(None, None, "a number is too large", mark)
        return number


PlainLoader.add_constructor("tag:yaml.org,2002:int", PlainLoader.construct_whole)


def load_plain(text: str | bytes) -> Any:
    """The value that a text in YAML holds.

    Raises:
        ValueError, yaml.YAMLError: it is too long, or no such text.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 1000} KB")
    try:
        return yaml.load(text, PlainLoader)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
        # of a tag that is given to something else, such as !!int ""
        raise ValueError("a value is not what its tag says") from error


def read_answers(folder: Path) -> dict[str, Any]:
    """The answers that a Space was rendered with; none where the file cannot be read."""
    path = folder / ANSWERS
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return {}
        with path.open("rb") as file:
            read = load_plain(file.read(MOST_BYTES + 1).decode("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return read if isinstance(read, dict) else {}
