"""The hardware tiers of Spaces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spaces_gen.tables.rows import load_table

TABLE = Path(__file__).with_name("tiers.yml")


@dataclass(frozen=True)
class Tier:
    """One hardware flavor. Units and sources stand in `tiers.yml`."""

    key: str
    name: str
    cpus: int | None
    memory_gb: int | None
    disk_gb: int | None
    gpu: str
    gpus: int
    gpu_memory_gb: int
    price_per_hour: float
    dtype: str
    tflops: float
    bandwidth_gb_s: float
    overhead_ms: float
    padded_tokens: int
    pip_torch: str
    zero_gpu: bool

    @property
    def model_memory_gb(self) -> float:
        """Memory that one copy of a model can use: of one card, or of the machine without one."""
        return float(self.gpu_memory_gb if self.gpu else self.memory_gb or 0)


@cache
def load_tiers() -> dict[str, Tier]:
    """All tiers by flavor, in the order in which they are offered."""
    return load_table(TABLE, Tier)
