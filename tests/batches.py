"""Runs a Space's model.py on some inputs, one by one and together, in every order that matters."""

from __future__ import annotations

import asyncio
import io
import math
import os
import random
import statistics
import sys
import time
import types
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from inside import inside
from PIL import Image

ORDERS = 1  # beside the given one and its reverse


class Recorded(Exception):
    """Carries what app.py asks the model."""


class Server:
    """In place of the real one: tells what the model would be asked."""

    card = types.SimpleNamespace(title="", short_description="")
    heading = ""
    examples: list[Any] = []
    concurrency_limit = 1
    max_input = 1_000

    @property
    def model_id(self) -> str:
        return os.environ["MODEL_ID"]

    async def answer(self, *inputs: Any) -> Any:
        raise Recorded(inputs)


def asked(function: Any, components: list[Any], arguments: list[Any]) -> tuple[Any, ...]:
    """What the function of app.py asks the model; tables come to it as Gradio hands them over."""
    given = [
        one.preprocess(one.data_model(**value)) if isinstance(value, dict) else value
        for one, value in zip(components, arguments)
    ]
    try:
        asyncio.run(function(*given))
    except Recorded as record:
        (inputs,) = record.args
        return tuple(inputs)
    raise AssertionError("app.py did not ask the model")


def parts(value: Any) -> Iterator[Any]:
    """The numbers, arrays and texts of an answer, in order."""
    if isinstance(value, Image.Image):
        yield np.asarray(value, dtype=float) / 255
    elif hasattr(value, "content"):
        yield content(value)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield str(key)
            yield from parts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from parts(one)
    elif isinstance(value, bool | str) or value is None:
        yield str(value)
    else:
        yield np.asarray(value, dtype=float)


def content(media: Any) -> Any:
    """The samples of a recording from -1 to 1, or the file itself."""
    if media.suffix != ".wav":
        return np.frombuffer(media.content, np.uint8).astype(float)
    from scipy.io import wavfile

    return wavfile.read(io.BytesIO(media.content))[1] / 32768


def distance(one: Any, other: Any) -> float:
    """The largest difference of two answers; infinite where they differ in form or words."""
    left, right = list(parts(one)), list(parts(other))
    if len(left) != len(right):
        return math.inf
    largest = 0.0
    for here, there in zip(left, right):
        if isinstance(here, str) or isinstance(there, str):
            largest = max(largest, 0.0 if same_text(here, there) else math.inf)
        elif here.shape != there.shape:
            return math.inf
        elif here.size:
            largest = max(largest, float(np.abs(here - there).max()))
    return largest


def same_text(here: Any, there: Any) -> bool:
    """Whether two parts are the same text."""
    return isinstance(here, str) and isinstance(there, str) and here == there


def batches(
    space: Path, variables: dict[str, str], calls: list[list[Any]], rounds: int
) -> dict[str, Any]:
    """What comes out; see `found_out`.

    Args:
        calls: of the function in app.py; files are paths.
        variables: of the environment, such as MODEL_ID.
        rounds: in which the time is taken, of which the median counts.
    """
    return dict(inside(space, variables, partial(found_out, calls, rounds)))


def found_out(calls: list[list[Any]], rounds: int) -> dict[str, Any]:
    """How far answers are apart, and what both ways take.

    Returns: `difference`, the largest between an answer in a batch and the same alone; `spread`,
    the median between those to different inputs; `alike`, the share of pairs of these that are
    about as close as a batch and its singles; `largest_batch`; seconds `alone` and `together`.
    """
    stub = types.ModuleType("serving.server")
    stub.Server = Server  # type: ignore[attr-defined]
    sys.modules["serving.server"] = stub
    from serving.contract import Model  # it sets up PyTorch before anything else

    model = Model()
    import app

    (event,) = (event for event in app.demo.fns.values() if event.api_name == "predict")
    inputs = [asked(event.fn, event.inputs, one) for one in calls]
    model.load()
    prepared = [model.prepare(one) for one in inputs]
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, one in enumerate(prepared):
        groups[one.group].append(number)

    def alone() -> list[Any]:
        return [model.predict([one.item])[0] for one in prepared]

    def together(order: list[int]) -> list[Any]:
        found: list[Any] = [None] * len(prepared)
        for members in groups.values():
            chosen = [number for number in order if number in set(members)]
            answers = model.predict([prepared[number].item for number in chosen])
            for number, answer in zip(chosen, answers):
                found[number] = answer
        return found

    singles = alone()
    order = list(range(len(prepared)))
    orders = [order, order[::-1]]
    orders += [random.Random(seed).sample(order, len(order)) for seed in range(ORDERS)]
    apart = max(
        distance(one, other) for way in orders for one, other in zip(singles, together(way))
    )
    different = [
        distance(one, other)
        for number, one in enumerate(singles)
        for other in singles[number + 1 :]
    ]
    return {
        "difference": apart,
        "spread": statistics.median(different),
        "alike": sum(one <= 20 * apart for one in different) / len(different),
        "largest_batch": max(map(len, groups.values())),
        "alone": seconds(alone, rounds),
        "together": seconds(lambda: together(order), rounds),
    }


def seconds(work: Any, rounds: int) -> float:
    """The median of some rounds; not a number where there are none."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) if times else math.nan
