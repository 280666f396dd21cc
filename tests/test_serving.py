"""Every model type starts for real and answers many visitors, each with their own answer."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cases import Case, case
from gradio_client import Client
from gradio_client.client import Job
from gradio_client.exceptions import AppError
from gradio_client.utils import Status
from scripted import until
from space_process import RunningSpace

from spaces_gen.tables import load_model_types

VISITORS = 10  # more than one batch
FEWER = {
    "automatic-speech-recognition": 9,  # 400 tokens each, here and in the Space
    "text-to-video": 3,
}
# The tiny model is done before the next recording is read, so its calls begin later.
SLOW_TO_PREPARE = {"audio-classification", "zero-shot-audio-classification"}
LATER = """

import time

own_predict = predict


def predict(batch):
    time.sleep(1)
    return own_predict(batch)
"""
LARGE_EXAMPLES = {"text-to-video"}  # for a CPU


@pytest.fixture(scope="module", params=load_model_types())
def served(
    request: pytest.FixtureRequest,
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningSpace, Path, str, Case]]:
    """A running Space of one model type, on CPU, with a tiny model of that type."""
    folder = tmp_path_factory.mktemp("served")
    space = folder / "space"
    shutil.copytree(rendered(model_type=request.param), space)
    if request.param in SLOW_TO_PREPARE:
        with (space / "model.py").open("a", encoding="utf-8") as code:
            code.write(LATER)
    model = tiny_model(request.param)
    settings = {"MODEL_ID": str(model), "DTYPE": "float32", "MAX_SIZE": str(2 * VISITORS)}
    if request.param in LARGE_EXAMPLES:
        settings["CACHE_EXAMPLES"] = "off"
    if batches(request.param):
        settings["MAX_BATCH_SIZE"] = "8"
    with RunningSpace(space, **settings) as running:
        yield running, folder, request.param, case(request.param, model, folder / "inputs")


def batches(model_type: str) -> bool:
    """Whether requests of the type are computed together."""
    return load_model_types()[model_type].batches_by != "nothing"


@contextmanager
def model_held(space: RunningSpace) -> Iterator[None]:
    """The model's process does nothing meanwhile, however fast the model is."""
    assert space.process is not None
    number = space.process.pid
    children = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="utf-8").split()
    (model,) = [int(child) for child in children if b"serving.worker" in command_line(int(child))]
    os.kill(model, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(model, signal.SIGCONT)


def command_line(number: int) -> bytes:
    """Of a process."""
    return Path(f"/proc/{number}/cmdline").read_bytes()


def test_answers_are_the_models_own(served: tuple[RunningSpace, Path, str, Case]) -> None:
    """Different requests at once, one more is bad: right answers, a batch, one clear error."""
    running, folder, model_type, one = served
    visitors = FEWER.get(model_type, VISITORS)
    inputs = one.inputs(visitors)
    expected = [one.expected(arguments) for arguments in inputs]

    # each their own: a client with many jobs loses one when its stream is just being closed
    clients = [
        Client(running.url, verbose=False, download_files=str(folder)) for _ in range(visitors + 1)
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
    assert running.stop() == 0, running.log
    requests, counts, _, largest = running.summary()
    # Gradio itself turns away a file that cannot be read
    invalid = counts.pop("invalid")
    assert requests - invalid == visitors
    assert invalid <= 1
    assert not any(counts.values()), counts
    assert (largest > 1) == batches(model_type), running.log
    assert "Traceback" not in running.log, running.log
