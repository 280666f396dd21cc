"""What models of diffusers share: options, and a generator for each request."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from serving.errors import InputError
from texts import checked

MAX_CHARACTERS = 2_000
MAX_SEED = 2**31 - 1


class Wish(NamedTuple):
    """What a visitor wants to see; with a guidance of 0, the model's own is taken."""

    prompt: str
    negative_prompt: str
    seed: int
    steps: int
    guidance: float

    @property
    def group(self) -> tuple[Any, ...]:
        """What must be equal within a batch: the model takes it once for all."""
        return self.steps, self.guidance, bool(self.negative_prompt)


def options(pipeline: Any) -> Mapping[str, inspect.Parameter]:
    """What a call of the pipeline takes."""
    return inspect.signature(pipeline.__call__).parameters


def checked_wish(
    pipeline: Any,
    wish: Wish,
    most_steps: int,
    empty: str = "Please describe a picture first.",
) -> Wish:
    """The wish, if the model can do it.

    Raises:
        InputError: it cannot; with what it can.
    """
    checked(wish.prompt, MAX_CHARACTERS, empty)
    avoided = wish.negative_prompt.strip()
    if len(avoided) > MAX_CHARACTERS:
        raise InputError(
            f"What to avoid is too long: {MAX_CHARACTERS:,} characters are the limit."
        )
    if wish.steps is None or not 1 <= wish.steps <= most_steps:
        raise InputError(f"Steps go from 1 to {most_steps}.")
    if wish.seed is None or not 0 <= wish.seed <= MAX_SEED:
        raise InputError(f"Seeds go from 0 to {MAX_SEED}.")
    check_guidance(options(pipeline), avoided, wish.guidance)
    return wish._replace(
        negative_prompt=avoided, seed=int(wish.seed), steps=int(wish.steps)
    )


def check_guidance(
    taken: Mapping[str, inspect.Parameter], negative_prompt: str, guidance: float
) -> None:
    """Refuse an option that this kind of model would ignore.

    Args:
        taken: what a call of its pipeline takes.

    Raises:
        InputError: it would.
    """
    if guidance and "guidance_scale" not in taken:
        raise InputError("This model takes no guidance: please leave it at 0.")
    if not negative_prompt:
        return
    # some models, such as FLUX, have a scale of its own for what to avoid
    own_scale = "true_cfg_scale" in taken
    scale = taken.get("true_cfg_scale" if own_scale else "guidance_scale")
    usual = scale.default if scale is not None else 0
    if "negative_prompt" not in taken or (own_scale and usual <= 1):
        raise InputError("This model takes no negative prompt: please leave it empty.")
    if not own_scale and (guidance or usual) <= 1:
        raise InputError("A negative prompt needs a guidance above 1.")


def arguments(wishes: list[Wish]) -> dict[str, Any]:
    """Of a call of the pipeline, for wishes of one group.

    Each has a generator of its own, so that it looks the same in any company.
    """
    first = wishes[0]
    given: dict[str, Any] = {
        "prompt": [wish.prompt for wish in wishes],
        "generator": [torch.Generator("cpu").manual_seed(wish.seed) for wish in wishes],
        "num_inference_steps": first.steps,
    }
    if first.guidance:
        given["guidance_scale"] = first.guidance
    if first.negative_prompt:
        given["negative_prompt"] = [wish.negative_prompt for wish in wishes]
    return given
