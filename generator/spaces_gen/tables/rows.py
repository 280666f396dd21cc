"""Turns a YAML table into frozen dataclasses and refuses rows that don't match them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from spaces_gen.tables.reading import read_yaml

Row = TypeVar("Row")


def load_table(path: Path, row_type: type[Row]) -> dict[str, Row]:
    """Read `path`, a mapping of key to row; each row also gets its key as the field `key`.

    Raises:
        ValueError: a field is missing, unknown or of another type; names table, row and field.
    """
    table = read_yaml(path)
    return {
        key: build(row_type, {"key": key, **row}, f"{path.name}: {key}")
        for key, row in table.items()
    }


def build(row_type: type[Row], values: dict[str, Any], where: str) -> Row:
    """Make one `row_type`, a dataclass, from `values`, checking names and types of its fields."""
    hints = get_type_hints(row_type)
    optional = {name for name in hints if hasattr(row_type, name)}  # those with a default
    missing = hints.keys() - values.keys() - optional
    unknown = values.keys() - hints.keys()
    if missing or unknown:
        raise ValueError(f"{where}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    return row_type(
        **{name: _convert(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    )


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, where)
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return tuple(_convert(item, entry, where) for entry in value)
    allowed = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    if float in allowed and type(value) is int:
        return float(value)
    if type(value) not in allowed:
        raise ValueError(f"{where}: {value!r} is not {hint}")
    return value
