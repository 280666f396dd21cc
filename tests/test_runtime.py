"""Where a Space finds itself: which row of tuning.py it takes there, and how ZeroGPU is served.

Everything runs in child processes of rendered Spaces, because a Space looks around at import.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from space_process import python_path

from spaces_gen.tables import Tier, load_tiers

TIERS = load_tiers()
OF_A_PLATFORM = (
    *("SPACE", "GRADIO_", "CPU_", "MEMORY", "ACCEL", "TIER", "MAX_", "MODEL_", "DTYPE", "CUDA_"),
    *("WORKERS", "TIME_LIMIT", "GPU_SECONDS", "CACHE_"),
)

# How CUDA names the card of a tier, and the GiB that it reports: less than the nominal ones.
CARDS = {
    "T4": ("Tesla T4", 14.56),
    "L4": ("NVIDIA L4", 22.03),
    "A10G": ("NVIDIA A10G", 22.06),
    "L40S": ("NVIDIA L40S", 44.39),
    "A100": ("NVIDIA A100-SXM4-80GB", 79.15),
    "RTX PRO 6000": ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 94.97),
}
# Spaces by their answers; the last model is too large for a machine without a GPU.
SPACES: list[dict[str, Any]] = [
    {"model_type": "text-classification"},
    {"model_type": "text-generation"},
    {"model_type": "text-generation", "model_parameters": 13000},
]
Rendered = Callable[..., Path]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

TORCH_WITH_GPU = """
import json, os
from types import SimpleNamespace
name, gib, count, major = json.loads(os.environ["CARD"])
card = SimpleNamespace(name=name, total_memory=int(gib * 2**30), major=major)
cuda = SimpleNamespace(
    is_available=lambda: True,
    device_count=lambda: count,
    get_device_properties=lambda number: card,
)
"""
# Like the platform: what is decorated runs in a forked process; a generator streams from there.
ZERO_GPU = """
import inspect, multiprocessing, sys
torch_came_first = "torch" in sys.modules
asked = []

def GPU(task=None, *, duration=60):
    several = inspect.isgeneratorfunction(task)

    def values(*inputs):
        asked.append(duration(*inputs))
        fork = multiprocessing.get_context("fork")
        receiver, sender = fork.Pipe(duplex=False)

        def work():
            try:
                for value in task(*inputs) if several else [task(*inputs)]:
                    sender.send(("value", value))
                sender.send(("end", None))
            except Exception as error:
                sender.send(("error", error))

        process = fork.Process(target=work)
        process.start()
        while (message := receiver.recv())[0] == "value":
            yield message[1]
        process.join()
        if message[0] == "error":
            raise message[1]

    return values if several else lambda *inputs: list(values(*inputs))[0]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs code in a Space: `run(space, code, *stubs, **variables)`.

    Stubs are modules that come first: "no torch", "gpu" (a PyTorch that finds $CARD), "zero" (the
    platform's `spaces`). Of the environment's variables none is left that tells of a platform.
    """
    folder = tmp_path_factory.mktemp("stubs")
    for name, file, source in [
        ("no torch", "torch.py", "raise ImportError('hidden')"),
        ("gpu", "torch.py", TORCH_WITH_GPU),
        ("zero", "spaces.py", ZERO_GPU),
    ]:
        (folder / name).mkdir()
        (folder / name / file).write_text(source, encoding="utf-8")

    def get(space: Path, code: str, *stubs: str, **variables: str) -> Any:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(OF_A_PLATFORM)}
        environment["PYTHONPATH"] = python_path(*(folder / name for name in stubs))
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=space,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return get


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """What the code of a run printed as JSON, in its last line."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


LOOK = """
import json
from serving.runtime import runtime
found = {"model_id": runtime.model_id, "device": runtime.device, "cpus_found": runtime.cpus}
found |= {"processes": runtime.processes, "threads": runtime.threads}
print(json.dumps(runtime.tier._asdict() | found))
"""
CPU8 = {"CPU_CORES": "8", "MEMORY": "32Gi"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CPU_CORES": "2", "MEMORY": "16Gi"}, {"flavor": "cpu-basic", "cpus_found": 2}),
        ({"CPU_CORES": "8", "MEMORY": "31.2Gi"}, {"flavor": "cpu-upgrade", "device": "cpu"}),
        ({"CPU_CORES": "8", "MEMORY": "16384Mi"}, {"flavor": "cpu-basic"}),
        ({"CPU_CORES": "8", "MEMORY": "512Mi"}, {"max_batch_size": 1, "dtype": "float32"}),
        ({"CPU_CORES": "8", "MEMORY": "512Mi"}, {"workers": 1, "threads": 1}),
        ({"CPU_CORES": "1", "MEMORY": "16Gi"}, {"max_batch_size": 1, "dtype": "float32"}),
        ({"CPU_CORES": "2", "MEMORY": "lots"}, {"device": "cpu"}),
        ({"CPU_CORES": "plenty"}, {"cpus_found": os.cpu_count()}),
        ({**CPU8, "ACCELERATOR": "none"}, {"flavor": "cpu-upgrade"}),
        ({**CPU8, "ACCELERATOR": "cpu-basic"}, {"flavor": "cpu-basic"}),
        ({**CPU8, "ACCELERATOR": "a100x8"}, {"flavor": "cpu-upgrade"}),
        ({**CPU8, "TIER": "cpu-basic"}, {"flavor": "cpu-basic"}),
        ({**CPU8, "TIER": "bogus"}, {"flavor": "cpu-upgrade"}),
        ({"MODEL_ID": "me/mine"}, {"model_id": "me/mine"}),
        ({"MAX_BATCH_SIZE": "3", "MAX_BATCH_COST": "0"}, {"max_batch_size": 3}),
        ({"MAX_BATCH_COST": "0", "TIME_LIMIT": "7"}, {"max_batch_cost": 0, "time_limit": 7}),
        ({"WORKERS": "3", "GPU_SECONDS": "9"}, {"workers": 3, "gpu_seconds": 9}),
        ({"WORKERS": "3"}, {"threads": 3, "processes": 1}),
        ({**CPU8, "WORKERS": "1"}, {"threads": 1, "processes": 1}),
        ({"DTYPE": "bfloat16", "MAX_SIZE": "5"}, {"dtype": "bfloat16", "max_size": 5}),
        ({"MAX_BATCH_SIZE": "", "MODEL_ID": "", "TIER": ""}, {"device": "cpu"}),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()),
)
def test_variables_of_the_platform_and_the_owner_decide(
    rendered: Rendered, run: Run, variables: dict[str, str], expected: dict[str, Any]
) -> None:
    space = rendered(model_type="text-classification")
    found = told(run(space, LOOK, "no torch", **variables))
    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_BATCH_SIZE", "many"),
        ("MAX_BATCH_SIZE", "1.5"),
        ("MAX_BATCH_SIZE", "0"),
        ("MAX_BATCH_SIZE", "-4"),
        ("MAX_BATCH_COST", "-1"),
        ("MAX_SIZE", "0"),
        ("WORKERS", "0"),
        ("WORKERS", "two"),
        ("TIME_LIMIT", "0"),
        ("TIME_LIMIT", "1m"),
        ("GPU_SECONDS", "0"),
        ("DTYPE", "float8"),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_the_start_in_one_sentence(
    rendered: Rendered, run: Run, name: str, value: str
) -> None:
    done = run(rendered(model_type="text-generation"), LOOK, "no torch", **{name: value})
    assert done.returncode == 1, f"{name}={value} was taken"
    assert name in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_pytorch_takes_the_cpus_of_the_platform_and_the_log_says_which_row(
    rendered: Rendered, run: Run
) -> None:
    code = f"{LOOK}\nimport torch\nprint(torch.get_num_threads())"
    done = run(rendered(model_type="text-classification"), code, CPU_CORES="1", MEMORY="99Gi")
    assert told(done) == 1
    (line,) = [line for line in done.stderr.splitlines() if "of tuning.py" in line]
    assert "row cpu-basic" in line
    assert "one request at a time" in line
    assert "1 CPUs 99 GB" in line


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (["Tesla T4", 14.56, 1, 7], {"gpu": "T4", "gpus": 1, "dtype": "float16"}),
        (["Quadro RTX 6000", 23.6, 1, 7], {"gpu_memory_gb": 24, "dtype": "float16"}),
        (["NVIDIA L4", 22.03, 4, 8], {"flavor": "l4x4", "dtype": "bfloat16"}),
        (["NVIDIA L4", 22.03, 4, 8], {"workers": 4, "processes": 4, "threads": 1}),
        (["NVIDIA L4", 22.03, 3, 8], {"flavor": "l4x1", "processes": 1, "threads": 1}),
        (["NVIDIA H100 80GB HBM3", 79.11, 8, 9], {"flavor": "a100x8", "device": "cuda"}),
    ],
)
def test_what_cuda_reports_decides(
    rendered: Rendered, run: Run, card: list[Any], expected: dict[str, Any]
) -> None:
    space = rendered(model_type="text-generation")
    found = told(run(space, LOOK, "gpu", CARD=json.dumps(card), CPU_CORES="48", MEMORY="180Gi"))
    assert expected.items() <= found.items()


# -- every machine with every default --------------------------------------------------------------

CHOOSE = """
import json, os
import tuning
from serving.machine import Hardware, choose_tier
print(json.dumps([
    [
        row._asdict() | {"reason": reason}
        for row, reason in (choose_tier(Hardware(**found), tuning.TIERS, one) for one in DEFAULTS)
    ]
    for found in json.loads(os.environ["FOUND"])
]))
"""
Row = dict[str, Any]


def hardware(tier: Tier) -> dict[str, Any]:
    """What a Space finds on the machine of `tier`."""
    found = {"cpus": tier.cpus or 16, "memory_gb": 0.97 * (tier.memory_gb or 64)}
    if tier.zero_gpu:
        return found | {"zero_gpu": True, "bfloat16": True}
    if not tier.gpu:
        return found
    name, memory = CARDS[tier.gpu]
    return found | {"gpu": name, "gpu_memory_gb": memory, "gpus": tier.gpus, "bfloat16": True}


def chosen(run: Run, space: Path, machines: list[Any], defaults: list[str]) -> list[list[Row]]:
    """For each machine the rows that are taken there, one per default."""
    code = CHOOSE.replace("DEFAULTS", repr(defaults))
    return [list(rows) for rows in told(run(space, code, "no torch", FOUND=json.dumps(machines)))]


@pytest.mark.parametrize("answers", SPACES[:2], ids=str)
def test_each_tier_takes_its_own_row_or_an_equal_one_whatever_it_was_generated_for(
    rendered: Rendered, run: Run, answers: dict[str, Any]
) -> None:
    machines = [hardware(tier) for tier in TIERS.values()]
    for tier, rows in zip(TIERS.values(), chosen(run, rendered(**answers), machines, list(TIERS))):
        assert len(rows) == 21
        for default, row in zip(TIERS, rows):
            same = (row["gpu"], row["gpus"], row["zero_gpu"]) == (
                tier.gpu,
                tier.gpus,
                tier.zero_gpu,
            )
            assert same, (tier.key, default, row)
            if not tier.gpu or default == tier.key:
                assert row["flavor"] == tier.key, (default, row)


@pytest.mark.parametrize(("answers", "smallest_gb"), [*zip(SPACES, [16, 16, 48])], ids=str)
def test_a_row_never_asks_for_more_than_there_is_and_the_too_small_get_one_at_a_time(
    rendered: Rendered, run: Run, answers: dict[str, Any], smallest_gb: int
) -> None:
    names = [*(name for name, _ in CARDS.values()), "NVIDIA H200", "AMD Instinct MI300X"]
    machines: list[dict[str, Any]] = [
        {"cpus": 8, "memory_gb": 60, "gpu": name, "gpu_memory_gb": memory, "gpus": gpus}
        for name, memory, gpus in product(names, [4, 11.8, 16, 24, 40, 80, 141], [1, 2, 3, 8])
    ]
    machines += [
        {"cpus": cpus, "memory_gb": memory}
        for cpus, memory in product([1, 2, 7, 8, 192], [0.5, 7.7, 15.5, 31, 2000])
    ]
    for found, (row,) in zip(machines, chosen(run, rendered(**answers), machines, ["a100x8"])):
        if "gpu" in found:
            # two smaller cards hold a model of 13 billion together
            of_two = found["gpus"] > 1 and found["gpu_memory_gb"] >= 0.9 * 24
            too_small = found["gpu_memory_gb"] < 0.9 * smallest_gb and not of_two
        else:
            too_small = found["cpus"] < 2 or found["memory_gb"] < 0.9 * 16 or smallest_gb == 48
        assert too_small == ("one request at a time" in row["reason"]), (found, row)
        assert not row["zero_gpu"], (found, row)
        if too_small:
            assert (row["max_batch_size"], row["workers"]) == (1, 1)
            assert 0 < row["max_batch_cost"] <= 512
        elif "gpu" in found:
            assert 0.9 * row["gpu_memory_gb"] <= found["gpu_memory_gb"]
            assert 0 < row["workers"] * row["shards"] <= row["gpus"]
            assert row["gpus"] <= found["gpus"] or 1 < row["shards"] <= found["gpus"]
        else:
            assert (row["gpu"], row["cpus"] <= found["cpus"]) == ("", True)
            assert 0.9 * row["memory_gb"] <= found["memory_gb"]


UNKNOWN = [
    ("NVIDIA GeForce RTX 3060", 11.76, 1, {"max_batch_size": 1, "dtype": "float16"}),
    ("NVIDIA GeForce RTX 4090", 23.52, 1, {"gpu_memory_gb": 24, "gpus": 1}),
    ("NVIDIA A10", 22.06, 1, {"gpu_memory_gb": 24, "gpus": 1}),
    ("NVIDIA A100-SXM4-40GB", 39.39, 2, {"gpu_memory_gb": 24, "gpus": 2}),
    ("NVIDIA A100-SXM4-80GB MIG 3g.40gb", 39.25, 1, {"gpu_memory_gb": 24, "gpus": 1}),
    ("NVIDIA H100 80GB HBM3", 79.11, 1, {"flavor": "a100-large"}),
    ("NVIDIA H200", 139.8, 4, {"flavor": "rtx-pro-6000x4"}),
    ("NVIDIA L40S", 44.39, 3, {"flavor": "l40sx1"}),
]


def test_an_unknown_card_takes_the_largest_row_that_it_holds(rendered: Rendered, run: Run) -> None:
    machines = [
        {"cpus": 16, "memory_gb": 64, "gpu": name, "gpu_memory_gb": memory, "gpus": gpus}
        for name, memory, gpus, _ in UNKNOWN
    ]
    space, defaults = rendered(model_type="text-classification"), ["cpu-basic", "l4x1", "zero-a10g"]
    for (*machine, expected), rows in zip(UNKNOWN, chosen(run, space, machines, defaults)):
        assert all(expected.items() <= row.items() for row in rows), (machine, rows)


# -- ZeroGPU ---------------------------------------------------------------------------------------

PREDICT = """
import os, torch
from serving.errors import InputError

DETERMINISTIC = True

def load(): pass

def size(inputs):
    return 625 if inputs[0] == "c" else 3  # of 250 typical characters

def predict(texts):
    if "bad" in texts:
        raise InputError("a bad text")
    return [[text, len(texts), os.getpid()] for text in texts]
"""
STREAM = """
import os, torch
from serving.errors import InputError

def load(): pass

async def stream(conversation, *options):
    text = conversation[-1]["content"]
    for left in 3, 2, 1:
        yield [text, left, os.getpid()]
        if text == "bad":
            raise InputError("a bad text")
"""
VISIT = """
import asyncio, json, os, sys
if os.environ["FIRST"] == "runtime":
    import serving.runtime
import app, spaces
from serving.runtime import runtime

async def last_answer(text):
    try:
        if hasattr(app, "classify"):
            return await app.classify(text)
        return [value async for value in app.chat(text)][-1]
    except Exception as error:
        return str(error)

async def visit():
    return await asyncio.gather(*(last_answer(text) for text in ["a", "a", "b", "bad", "c"]))

found = {"answers": asyncio.run(visit()), "own_process": os.getpid(), "asked": spaces.asked}
found |= {"spaces_first": not spaces.torch_came_first and "torch" in sys.modules}
found |= {"device": runtime.device, "seconds": runtime.tier.gpu_seconds}
print(json.dumps(found | {"metrics": app.server.metrics.text().decode().splitlines()}))
"""


@pytest.mark.parametrize(
    ("model_type", "model", "first", "longest"),
    [("text-classification", PREDICT, "app", 2.5), ("text-generation", STREAM, "runtime", 1)],
)
def test_on_zero_gpu_spaces_comes_before_pytorch_and_each_request_is_a_call_of_its_own(
    rendered: Rendered,
    run: Run,
    tmp_path: Path,
    model_type: str,
    model: str,
    first: str,
    longest: float,
) -> None:
    """Also of two equal ones, for each visitor pays with their own quota. Who fails fails alone.

    A larger request asks for more seconds.
    """
    space = tmp_path / "space"
    shutil.copytree(rendered(model_type=model_type, hardware="zero-a10g"), space)
    (space / "model.py").write_text(model, encoding="utf-8")
    variables = {"CARD": json.dumps([*CARDS["RTX PRO 6000"], 1, 12]), "FIRST": first}
    found = told(run(space, VISIT, "zero", "gpu", **variables, SPACES_ZERO_GPU="true"))
    assert (found["spaces_first"], found["device"]) == (True, "cuda")
    typical = found["seconds"]
    assert sorted(found["asked"]) == [*[typical] * 4, math.ceil(longest * typical)]
    assert typical > 0
    *good, bad = sorted(found["answers"], key=lambda answer: isinstance(answer, str))
    assert "a bad text" in bad
    texts, sizes, processes = zip(*good)
    assert (texts, set(sizes)) == (("a", "a", "b", "c"), {1})
    assert len({found["own_process"], *processes}) == 5, "each computes in a process of its own"
    assert "space_shared_total 0.0" in found["metrics"]
    assert {
        'space_requests_total{outcome="answered",route="queue"} 4.0',
        'space_requests_total{outcome="invalid",route="queue"} 1.0',
    } <= set(found["metrics"])
