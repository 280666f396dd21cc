"""The cards that a copy of the model is spread over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from serving.runtime import runtime

WEIGHTS_SHARE = 0.9  # of what is free on a card; the rest is for what it computes


def room_of_cards() -> dict[Any, int] | None:
    """Bytes for weights on each card of this copy; None without cards: all that there is."""
    if runtime.device == "cpu":
        return None
    free = [
        torch.cuda.mem_get_info(card)[0] for card in range(torch.cuda.device_count())
    ]
    room = {card: int(WEIGHTS_SHARE * bytes_) for card, bytes_ in enumerate(free)}
    return dict(list(room.items())[: runtime.tier.shards])


def check_all_on_cards(places: Mapping[str, Any]) -> None:
    """Refuse a model of which a part has found no room; it would take minutes to answer.

    Args:
        places: the device of each part.

    Raises:
        RuntimeError: with the cards.
    """
    elsewhere = [part for part, place in places.items() if place in ("cpu", "disk")]
    if elsewhere and runtime.device != "cpu":
        raise RuntimeError(
            f"{runtime.model_id} does not fit {runtime.tier.shards} cards: no room for "
            f"{', '.join(elsewhere)}"
        )
