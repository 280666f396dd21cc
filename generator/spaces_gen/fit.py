"""Whether a model fits a tier, in bytes, and which tier is the smallest that it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces_gen.capacity.service import throughput
from spaces_gen.errors import UserError
from spaces_gen.estimate import (
    BYTES,
    MEMORY_SHARE,
    RUNTIME_GB,
    largest_model,
    memory,
    service_time,
    weights_gb,
)
from spaces_gen.questions import is_whole
from spaces_gen.tables import ModelType, Tier, load_model_types, load_tiers


@dataclass(frozen=True)
class Fit:
    """What a model takes of a tier's memory, in GB; estimated."""

    weights: float
    items: float
    runtime: float
    available: float

    @property
    def needed(self) -> float:
        """Of everything together."""
        return self.weights + self.items + self.runtime

    @property
    def fits(self) -> bool:
        """Whether there is as much."""
        return self.needed <= MEMORY_SHARE * self.available


def fit(tier: Tier, model_type: ModelType, parameters: float, items: float = 1) -> Fit:
    """What so many typical requests at once take, beside the weights.

    Args:
        parameters: in millions.
    """
    room = memory(tier, model_type, parameters)
    return Fit(weights_gb(tier, parameters), items * room.per_item, RUNTIME_GB, room.available)


def typical_items(model_type: ModelType, values: Mapping[str, int]) -> float:
    """How many typical requests a full batch holds, by the values of a row of tuning.py."""
    batch = values["max_batch_size"]
    if model_type.batches_by != "tokens" or not values["max_batch_cost"]:
        return batch
    return min(batch, max(1, values["max_batch_cost"] / model_type.estimate.tokens))


def rate(tier: Tier, model_type: ModelType, parameters: float, values: Mapping[str, int]) -> float:
    """Requests a second with full batches; estimated."""
    batch = max(1, round(typical_items(model_type, values)))
    return throughput(service_time(tier, model_type, parameters), batch)


def check_fits(answers: Mapping[str, Any]) -> None:
    """Refuse hardware that the model does not fit; nothing where it cannot be told.

    Raises:
        UserError: with what it needs, what there is, and the smallest tier that has it.
    """
    model_type = load_model_types().get(str(answers.get("model_type")))
    tier = load_tiers().get(str(answers.get("hardware")))
    parameters = answers.get("model_parameters")
    if model_type is None or tier is None or not is_whole(parameters):
        return
    size = int(str(parameters))
    if size <= largest_model(tier, model_type):
        return
    found = fit(tier, model_type, size)
    bytes_each = BYTES[tier.dtype]
    raise UserError(
        f"the model does not fit {tier.key}: {size}M parameters of {bytes_each} bytes are "
        f"{found.weights:.1f} GB, a request {found.items:.2f} GB and the libraries "
        f"{found.runtime:.1f} GB, together {found.needed:.1f} of {found.available:.0f} GB, of "
        f"which {MEMORY_SHARE:.0%} can be used (estimated); {suggestion(tier, model_type, size)}"
    )


def default_tier(model_type: ModelType, parameters: int) -> Tier | None:
    """The tier that is taken where nobody names one, as in copier.yml.

    That of the model type where the model fits it, else the cheapest that it fits, free ones
    first; None: no tier holds it.
    """
    tiers = load_tiers()
    fitting = [one for one in tiers.values() if parameters <= largest_model(one, model_type)]
    own = tiers[model_type.hardware]
    return own if own in fitting else min(fitting, key=lambda one: one.price_per_hour, default=None)


def why_tier(tier: Tier, model_type: ModelType) -> str:
    """Why `default_tier` chose it."""
    if tier.key == model_type.hardware:
        return "the default of its type, which holds it"
    own = load_tiers()[model_type.hardware]
    most = largest_model(own, model_type)
    return f"the cheapest that holds it; {own.key}, the default of its type, holds {most}M at most"


def price(tier: Tier) -> str:
    """In words."""
    return f"${tier.price_per_hour:.2f} an hour" if tier.price_per_hour else "free"


def suggestion(tier: Tier, model_type: ModelType, parameters: int) -> str:
    """The smallest tier that holds the model, of the same kind where there is one."""
    fitting = [one for one in load_tiers().values() if parameters <= largest_model(one, model_type)]
    if not fitting:
        return "no hardware of Spaces holds it"

    def order(one: Tier) -> tuple[bool, bool, float, float]:
        other_kind = bool(one.gpu) != bool(tier.gpu)
        return one.zero_gpu != tier.zero_gpu, other_kind, room(one), one.price_per_hour

    def room(one: Tier) -> float:
        return memory(one, model_type, parameters).available

    best = min(fitting, key=order)
    return f"the smallest that it fits is {best.key} ({room(best):.0f} GB, {price(best)})"
