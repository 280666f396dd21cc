"""Loads the weights of a model of transformers, over several cards where one is too small."""

from typing import Any

from serving.cards import check_all_on_cards, room_of_cards
from serving.runtime import runtime


def load_model(kind: Any) -> Any:
    """Load the weights onto the device, in the dtype of the hardware.

    Where the row asks for several cards, each gets its share of the layers.

    Args:
        kind: a class of transformers, such as AutoModelForCausalLM.

    Raises:
        RuntimeError: these cards do not hold the model.
    """
    if runtime.tier.shards == 1:
        model = kind.from_pretrained(runtime.model_id, dtype=runtime.dtype)
        return model.to(runtime.device).eval()
    model = kind.from_pretrained(
        runtime.model_id,
        dtype=runtime.dtype,
        device_map="balanced",
        max_memory=room_of_cards(),
    )
    # it has none where the first card has room for all
    check_all_on_cards(getattr(model, "hf_device_map", {}))
    return model.eval()
