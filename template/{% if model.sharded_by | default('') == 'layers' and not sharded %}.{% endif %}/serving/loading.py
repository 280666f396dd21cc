"""Loads the weights of a model of transformers."""

from typing import Any

from serving.runtime import runtime


def load_model(kind: Any) -> Any:
    """Load the weights onto the device, in the dtype of the hardware.

    Args:
        kind: a class of transformers, such as AutoModelForCausalLM.
    """
    model = kind.from_pretrained(runtime.model_id, dtype=runtime.dtype)
    return model.to(runtime.device).eval()
