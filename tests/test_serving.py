"""Every model type starts for real and answers many visitors, each with their own answer."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from cases import case
from gradio_client import Client
from gradio_client.client import Job
from gradio_client.exceptions import AppError
from gradio_client.utils import Status
from scripted import until
from served import batches, visits
from space_process import RunningSpace

from spaces_gen.bench import ROUTES, Demand, Target, source
from spaces_gen.load.endpoint import find_endpoint
from spaces_gen.load.visitor import Visitor
from spaces_gen.tables import load_model_types

VISITORS = 10  # more than one batch
FEWER = {
    "automatic-speech-recognition": 9,  # 400 tokens each, here and in the Space
    "text-to-video": 3,
}
SHORT = {
    "text-to-video": {"steps": 1, "frames": 9, "width": 128, "height": 128},
    "text-generation": {"max_new_tokens": 16},
    "image-text-to-text": {"max_new_tokens": 16},
}


class Counts(NamedTuple):
    """What a Space has counted so far; `together` are calls for more than one request."""

    answered: float
    invalid: float
    others: float
    together: float

    @classmethod
    def of(cls, space: RunningSpace) -> Counts:
        """Those of a Space that runs."""

        def ended(outcome: str) -> float:
            return space.counted("space_requests_total", outcome=outcome)

        kept = space.counted("space_cache_hits_total") + space.counted("space_shared_total")
        calls = space.counted("space_batch_size_count")
        alone = space.counted("space_batch_size_bucket", le="1.0")
        others = kept + sum(map(ended, ("failed", "refused", "left")))
        return cls(ended("answered"), ended("invalid"), others, calls - alone)


@contextmanager
def model_held(space: RunningSpace) -> Iterator[None]:
    """The model's process does nothing meanwhile, however fast the model is."""
    assert space.process is not None
    number = space.process.pid
    children = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="utf-8").split()
    (model,) = map(int, children)
    os.kill(model, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(model, signal.SIGCONT)


def asked_as_by_bench(running: RunningSpace, model_type: str) -> int:
    """How many requests were answered that `bench` and `tune` make, on both routes."""
    endpoint = find_endpoint(running.url)
    target = Target(model_type, running.url, endpoint, None, None, 1.0)
    values = source(target, Demand(given=SHORT.get(model_type, {})))

    async def ask(visitor: Callable[..., Visitor]) -> None:
        async with httpx.AsyncClient(base_url=running.url, timeout=120) as client:
            await visitor(client, endpoint).ask(next(values))

    for visitor in ROUTES.values():
        asyncio.run(ask(visitor))
    return len(ROUTES)


@visits(*load_model_types())
def test_answers_are_the_models_own(
    model_type: str,
    served: Callable[[str], RunningSpace],
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """Different requests at once, one more is bad: right answers, a batch, one clear error."""
    running = served(model_type)
    one = case(model_type, tiny_model(model_type), tmp_path / "inputs")
    visitors = FEWER.get(model_type, VISITORS)
    inputs = one.inputs(visitors)
    expected = [one.expected(arguments) for arguments in inputs]
    before = Counts.of(running)

    # each their own: a client with many jobs loses one when its stream is just being closed
    clients = [
        Client(running.url, verbose=False, download_files=str(tmp_path))
        for _ in range(visitors + 1)
    ]

    def visit(arguments: list[Any]) -> Job:
        return clients.pop().submit(*arguments, api_name="/predict")

    with model_held(running):
        jobs = [visit(arguments) for arguments in inputs[: visitors // 2]]
        bad = visit(one.bad)
        jobs += [visit(arguments) for arguments in inputs[visitors // 2 :]]
        coming = (Status.STARTING, Status.JOINING_QUEUE)
        until(lambda: all(job.status().code not in coming for job in [*jobs, bad]), "all are in")
    answers = [job.result(timeout=120) for job in jobs]
    for arguments, answer, wanted in zip(inputs, answers, expected):
        assert one.same(answer, wanted), (arguments, answer, wanted)
    with pytest.raises(AppError, match=one.complaint):
        bad.result(timeout=120)
    # each row differs from the others, or swapped rows would go unnoticed
    assert sum(one.same(answers[0], wanted) for wanted in expected) < visitors / 2
    visitors += asked_as_by_bench(running, model_type)
    counted = Counts.of(running)
    assert counted.answered - before.answered == visitors
    # Gradio itself turns away a file that cannot be read
    assert counted.invalid - before.invalid <= 1
    assert counted.others == before.others
    assert (counted.together > before.together) == batches(model_type), running.log
    assert "Traceback" not in running.log, running.log
