"""The model types, by pipeline tag."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spaces_gen.tables.rows import load_table

TABLE = Path(__file__).with_name("model_types.yml")


@dataclass(frozen=True)
class Estimate:
    """What one typical request asks of the hardware; see `model_types.yml`."""

    tokens: int
    passes: int
    item_mb: int
    p95_s: float


@dataclass(frozen=True)
class Input:
    """What decides how much work a request is; see `model_types.yml`."""

    unit: str
    typical: int
    most: int


@dataclass(frozen=True)
class ModelType:
    """One pipeline tag. What each field means stands in `model_types.yml`."""

    key: str
    name: str
    title: str
    short_description: str
    emoji: str
    model_id: str
    parameters: int
    model_license: str
    hardware: str
    files: tuple[str, ...]
    requirements: tuple[str, ...]
    packages: tuple[str, ...]
    tags: tuple[str, ...]
    libraries: tuple[str, ...]
    api_arguments: dict  # type: ignore[type-arg]  # name to value
    batches_by: str
    parallel: bool
    input: Input
    estimate: Estimate
    torch: bool = True
    sharded_by: str = ""


@cache
def load_model_types() -> dict[str, ModelType]:
    """All model types by pipeline tag, in the order in which they are offered."""
    return load_table(TABLE, ModelType)
