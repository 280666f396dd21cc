"""The tuned values of a Space, read from its tuning.py without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

# columns that describe the hardware itself
OF_A_MACHINE = frozenset(
    ("flavor", "gpu", "gpus", "gpu_memory_gb", "cpus", "memory_gb", "zero_gpu")
)


def active_row(source: bytes) -> dict[str, Any] | None:
    """The row of the tier that a tuning.py was generated for; None where it cannot be told."""
    for node in statements(source):
        for name, value in assignments(node):
            if name == "TIER" and isinstance(value, ast.Constant):
                return rows_by_flavor(source).get(str(value.value))
    return None


def rows_by_flavor(source: bytes) -> dict[str, dict[str, Any]]:
    """All rows of a tuning.py; those that are no plain values are left out."""
    names: list[str] = []
    rows: list[list[Any]] = []
    for node in statements(source):
        if isinstance(node, ast.ClassDef) and node.name == "Tier":
            names = [
                one.target.id
                for one in node.body
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
            ]
        for name, value in assignments(node):
            if name == "TIERS" and isinstance(value, ast.List):
                rows = [literals(one) for one in value.elts if isinstance(one, ast.Call)]
    found = [dict(zip(names, row)) for row in rows]
    return {str(row["flavor"]): row for row in found if row.get("flavor")}


def statements(source: bytes) -> list[ast.stmt]:
    """Of a Python file; none where it is damaged."""
    try:
        return ast.parse(source).body
    except (
        SyntaxError,
        ValueError,
        MemoryError,
        RecursionError,
    ):  # the last two: nested too deeply
        return []


def assignments(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """The name and value of an assignment to one name."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        yield node.targets[0].id, node.value


def literals(call: ast.Call) -> list[Any]:
    """The arguments of a call; None for one that is no plain value."""

    def value(node: ast.expr) -> Any:
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, MemoryError, RecursionError):  # such as {[]: 1}
            return None

    return [value(one) for one in call.args]
