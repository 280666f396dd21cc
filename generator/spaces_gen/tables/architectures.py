"""What models are for, by the class that their files name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spaces_gen.tables.reading import read_yaml

TABLE = Path(__file__).with_name("architectures.yml")


@dataclass(frozen=True)
class Architectures:
    """Pipeline tags by class, by ending of a class and by part of a pipeline's name.

    What each means stands in `architectures.yml`.
    """

    classes: dict[str, str]
    endings: dict[str, str]
    pipelines: dict[str, str]


@cache
def load_architectures() -> Architectures:
    """The table, turned round: name to tag, in the order in which it is looked up."""
    table = read_yaml(TABLE)
    found = {
        part: {name: tag for tag, names in table[part].items() for name in names}
        for part in ("classes", "endings", "pipelines")
    }
    by_length = sorted(found["endings"].items(), key=lambda item: -len(item[0]))
    return Architectures(found["classes"], dict(by_length), found["pipelines"])
