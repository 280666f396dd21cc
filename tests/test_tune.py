"""`spaces-gen tune` on Spaces that run: what it finds, what it writes, and what it leaves alone."""

# ruff: noqa: F401, F811 (the fixture `server` is imported, and then a parameter)

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from space_process import python_path
from upgrading import (
    ANSWERS,
    VERSIONS,
    Server,
    Tree,
    commit,
    edited,
    fresh,
    put,
    refusal,
    rendered_once,
    renders_once,
    run_here,
    server,
    succeeded,
    take,
)

from spaces_gen import tune as module
from spaces_gen.errors import UserError
from spaces_gen.tables import load_model_types
from spaces_gen.tune import write
from spaces_gen.tuning import measure
from spaces_gen.tuning.found import Tuned
from spaces_gen.tuning.measure import Aim, Measured, measure_model
from spaces_gen.tuning.process import Full, Point, probing
from spaces_gen.upgrading import change

TEXTS = "text-classification"
MEASURED_FILES = [ANSWERS, "tuning.py"]
# Batches gain much: 40 ms, whatever their size.
MODEL = """
import os, signal, sys, time

def load():
    pass

def predict(texts):
    time.sleep(0.04)
    return [{"good": 0.75, "bad": 0.25} for _ in texts]
"""
ROW = re.compile(rb'^    Tier\("cpu-basic".*$', re.MULTILINE)
SLOW = {"MAX_BATCH_SIZE": "1", "WORKERS": "1"}  # the worst that the values could be

pytestmark = pytest.mark.usefixtures(renders_once.__name__)


@pytest.fixture(scope="module")
def without_torch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a Space whose model is no network, which starts sooner without PyTorch."""
    folder = put(
        {"torch.py": b"raise ImportError('hidden')\n"}, tmp_path_factory.mktemp("no-torch")
    )
    return {"PYTHONPATH": python_path(folder), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module", autouse=True)
def hurried() -> Iterator[None]:
    """Each measurement takes a moment; what is measured is the same."""
    with pytest.MonkeyPatch.context() as patch:
        for place, name, value in [
            (module, "RUN_SECONDS", 0.6),
            (module, "ROUNDS", 1),
            (measure, "POINT_SECONDS", 0.1),
            (measure, "STREAM_SECONDS", 0.5),
            (measure, "COMPARED_SECONDS", 0.5),
            (measure, "ROUNDS", 1),
        ]:
            patch.setattr(place, name, value)
        yield


@pytest.fixture(autouse=True)
def nothing_left(hurried: None) -> Iterator[None]:
    """No test leaves a process, but for git's that serves the template."""
    yield
    started = [one for one in psutil.Process().children(recursive=True) if "git" not in one.name()]
    assert not started


def with_model(model: str = MODEL) -> Tree:
    """A Space whose owner wrote the model, and edited some more."""
    files = {**fresh(), "model.py": model.encode()}
    files = edited(files, "app.py", "num_top_classes=5", "num_top_classes=3")
    return {**files, "own.py": b"OWN = 1\n", "tuning.py": files["tuning.py"] + b"\n# mine\n"}


def asked(path: Path, count: int = 40) -> Path:
    """The inputs that the recorder would write down."""
    with path.open("wb") as file:
        for number in range(count):
            pickle.dump((f"{'word ' * (number % 7)}{number}",), file)
    return path


def row_in(files: Tree) -> bytes:
    """The line of the free CPU in tuning.py."""
    found = ROW.search(files["tuning.py"])
    assert found
    return found[0]


def without_bytecode(files: Tree) -> Tree:
    return {path: data for path, data in files.items() if "__pycache__" not in path}


# -- all of it, once -------------------------------------------------------------------------------


@dataclass
class Run:
    """One run of the command on a Space whose values are bad."""

    before: Tree
    after: Tree
    told: dict[str, Any]
    tuned: Tuned


@pytest.fixture(scope="module")
def run(without_torch: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    before = with_model()
    space = put(before, tmp_path_factory.mktemp("tuned") / "space")
    kept: list[Tuned] = []
    real = module.tune
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(change, "rendered", rendered_once)
        patch.setattr(module, "tune", lambda *given: kept.append(real(*given)) or kept[-1])
        options = ("--seconds", "3", "--p95", "20", "--json")
        done = run_here("tune", space, *options, env={**without_torch, **SLOW})
    told = json.loads(succeeded(done))
    return Run(before, without_bytecode(take(space)), told, kept[0])


def test_better_values_are_written_and_nothing_else(run: Run) -> None:
    assert run.told["written"] == MEASURED_FILES
    assert [path for path in run.after if run.after[path] != run.before.get(path)] == MEASURED_FILES
    assert run.after.keys() == run.before.keys()
    values = run.told["after"]
    assert values["max_batch_size"] > 4
    assert run.told["before"]["max_batch_size"] == 1
    assert run.told["compared"]["gain"] > 1
    assert not run.told["compared"]["worse"]
    row = row_in(run.after).decode()
    assert f'"measured {run.told["source"].removeprefix("measured ")}"' in row
    assert re.search(r'"measured 20\d\d-\d\d-\d\d on .+, \d+ CPUs, torch .+ visitors"', row)
    for value in (values["max_batch_size"], values["workers"], values["max_size"]):
        assert f" {value}," in row
    others = [files["tuning.py"].replace(row_in(files), b"") for files in (run.before, run.after)]
    assert others[0] == others[1], "no other row, and the owner's line is there"


def test_the_answers_say_what_was_measured(run: Run) -> None:
    answers = yaml.safe_load(run.after[ANSWERS])
    of_model = answers.pop("measured")[answers["model_id"]]
    assert answers == yaml.safe_load(run.before[ANSWERS])
    assert of_model.keys() == {"cpu-basic"}
    kept = of_model["cpu-basic"]
    assert kept.items() >= {**run.told["after"], "source": run.told["source"]}.items()
    times = kept["figures"]["seconds"]
    assert all(0.04 <= seconds < 4 for seconds in times.values()), times


def test_what_is_told_agrees_with_itself(run: Run) -> None:
    for one in run.told["sweeps"]:
        assert one["points"]
        for point in one["points"]:
            assert point["seconds"] >= 0.04, "no batch is faster than the model"
            assert point["rate"] == pytest.approx(
                one["workers"] * point["requests"] / point["seconds"]
            )
    (chosen,) = [one for one in run.told["ways"] if one["chosen"]]
    assert (chosen["engine"], chosen["dtype"]) == ("pytorch", "float32")
    refused = {one["said"] for one in run.told["ways"] if not one["good"]}
    assert refused == {"this CPU does not compute bfloat16 itself"}
    assert run.told["hardware"] == "cpu-basic"


def test_on_other_hardware_and_back_what_was_measured_stays(run: Run, tmp_path: Path) -> None:
    space = put(run.after, tmp_path / "space")
    succeeded(run_here("upgrade", space, "--hardware", "t4-small"))
    moved = take(space)
    assert row_in(moved) == row_in(run.after)
    assert b'TIER = "t4-small"' in moved["tuning.py"]
    succeeded(run_here("upgrade", space, "--hardware", "cpu-basic"))
    assert take(space) == run.after
    shown = succeeded(run_here("plan", space, "--rate", "1"))
    (line,) = [line for line in shown.splitlines() if line.startswith(" cpu-basic")]
    assert "measured" in line


def test_an_update_by_plain_copier_keeps_what_was_measured(
    run: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = put(fresh(version=VERSIONS[1]), tmp_path / "space")
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    assert write(space, run.tuned, lambda _: None) == MEASURED_FILES
    commit(space)
    before = take(space)
    server.copier(space, "update", "--defaults", "--quiet")
    after = take(space)
    assert b"And the values:" in after["tuning.py"], "the new version"
    assert row_in(after) == row_in(before) == row_in(run.after)
    measured = [yaml.safe_load(files[ANSWERS])["measured"] for files in (before, after)]
    assert measured[0] == measured[1]


def test_an_edit_of_that_very_row_is_not_overwritten(run: Run, tmp_path: Path) -> None:
    row = row_in(run.before)
    mine = {**run.before, "tuning.py": run.before["tuning.py"].replace(row, row + b"  # mine")}
    space = put(mine, tmp_path / "space")
    with pytest.raises(UserError, match=r"your own lines in tuning\.py"):
        write(space, run.tuned, lambda _: None)
    assert take(space) == mine


def test_measurements_of_other_models_and_hardware_stay(run: Run, tmp_path: Path) -> None:
    other = {"me/other": {"t4-small": {"workers": 3}}}
    known = {**yaml.safe_load(run.after[ANSWERS]), "measured": other}
    files = {**run.before, ANSWERS: yaml.safe_dump(known).encode()}
    space = put(files, tmp_path / "space")
    write(space, run.tuned, lambda _: None)
    measured = yaml.safe_load((space / ANSWERS).read_text())["measured"]
    assert measured["me/other"] == other["me/other"]
    assert len(measured) == 2


@pytest.mark.parametrize("damaged", [5, ["a"], {"google/none": 5}], ids=str)
def test_a_damaged_answer_is_told_and_nothing_is_written(
    damaged: Any, run: Run, tmp_path: Path
) -> None:
    known = {**yaml.safe_load(run.before[ANSWERS]), "measured": damaged}
    files = {**run.before, ANSWERS: yaml.safe_dump(known).encode()}
    space = put(files, tmp_path / "space")
    with pytest.raises(UserError, match="measured"):
        write(space, run.tuned, lambda _: None)
    assert take(space) == files


def shown(found: Tuned, space: Path, *options: str) -> str:
    """What the command prints that finds this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "tune", lambda *_: found)
        return succeeded(run_here("tune", space, *options))


def test_dry_it_shows_all_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    space = put(run.before, tmp_path / "space")
    plot = tmp_path / "plot.svg"
    told = shown(run.tuned, space, "--dry-run", "--plot", str(plot))
    assert take(space) == run.before
    assert plot.read_text().startswith("<?xml")
    batch, workers = run.told["after"]["max_batch_size"], run.told["after"]["workers"]
    for form in (
        rf"max_batch_size +1 +{batch} ",
        rf"workers +1 +{workers} ",
        rf"concurrency_limit +2 +{2 * batch} ",
        r"pytorch float32 +1\.00 x",
        r"limit +requests +ms a batch +requests/s",
        r"requests/s before, .+ after",
        "nothing was written: this was a dry run",
    ):
        assert re.search(form, told), told


def test_values_that_the_space_has_are_new_only_in_their_date(run: Run, tmp_path: Path) -> None:
    space = put(run.after, tmp_path / "space")
    row = {**run.tuned.row, **run.tuned.values}
    again = replace(run.tuned, row=row, compared=None, source="measured another day")
    told = shown(again, space)
    assert "these are the values that the Space has" in told
    written = without_bytecode(take(space))
    assert row_in(written) == row_in(run.after).replace(
        run.tuned.source.encode(), b"measured another day"
    )
    assert shown(again, space, "--json").count('"written": []') == 1
    assert take(space) == written


# -- what is worse ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "p95_before", "p95_after", "worse"),
    [
        ((98.0, 97.5, 110.0), 1.0, 1.0, False),
        ((96.0, 96.5, 110.0), 1.0, 1.0, True),
        ((200.0,) * 3, 1.0, 2.5, True),
        ((200.0,) * 3, 1.0, None, True),
        ((200.0,) * 3, 2.5, 2.6, False),
        ((200.0,) * 3, None, None, False),
        ((90.0,) * 3, None, 1.0, True),
    ],
)
def test_less_throughput_or_a_target_that_was_met_is_worse(
    after: tuple[float, ...], p95_before: float | None, p95_after: float | None, worse: bool
) -> None:
    compared = module.Compared(8, (100.0, 90.0, 300.0), after, 5.0, p95_before, p95_after)
    assert compared.worse(target=2.0) is worse


@pytest.mark.parametrize(
    ("after", "enough"),
    [([120.0], False), ([120.0, 130.0], True), ([300.0, 105.0], False), ([80.0, 90.0], False)],
)
def test_two_rounds_are_enough_where_both_are_far_better(after: list[float], enough: bool) -> None:
    """What is no better, or even worse, is measured once more."""
    assert module.clearly_better([100.0] * len(after), after) is enough


def test_what_is_worse_is_not_written(run: Run, tmp_path: Path) -> None:
    """The measurements are those of the run, but for the comparison."""
    slower = module.Compared(8, (100.0,), (50.0,), 5.0, 1.0, 1.0)
    space = put(run.before, tmp_path / "space")
    told = shown(replace(run.tuned, compared=slower), space)
    assert "not written: that is worse than before" in told
    assert take(space) == run.before


# -- what goes wrong -------------------------------------------------------------------------------

BROKEN = {
    "predict": (
        MODEL.replace("time.sleep(0.04)", "raise RuntimeError('a broken head')"),
        "the Space does not answer",
    ),
    "load": (MODEL.replace("    pass", "    raise OSError('no weights here')"), "no weights here"),
    "without the server": ("", "without server.launch()"),
}


PLAIN = b"""
import gradio as gr

gr.Interface(len, "text", "number", api_name="predict").launch(quiet=True)
"""


@pytest.mark.parametrize("how", BROKEN)
def test_a_space_that_is_broken_is_told_in_one_line_and_stays_as_it_is(
    how: str, without_torch: dict[str, str], tmp_path: Path
) -> None:
    model, words = BROKEN[how]
    files = with_model(model)
    if how == "without the server":
        files["app.py"] = PLAIN
    space = put(files, tmp_path / "space")
    said = refusal(run_here("tune", space, "--seconds", "1", env=without_torch))
    assert words in said
    assert "Traceback" not in said
    assert take(space) == files


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (None, "there is no folder"),
        ({}, "has no .copier-answers.yml"),
        ({ANSWERS: b"model_type: abacus\n"}, "model_type"),
        ({ANSWERS: b"hardware: cpu-basic\n"}, "model_type"),
        ({ANSWERS: b"]["}, ANSWERS),
        ({ANSWERS: fresh()[ANSWERS]}, "app.py"),
    ],
    ids=["nowhere", "empty", "unknown", "no type", "damaged", "no app"],
)
def test_what_is_no_space_is_refused(files: Tree | None, words: str, tmp_path: Path) -> None:
    space = tmp_path / "space"
    if files is not None:
        put(files, space).mkdir(exist_ok=True)
    said = refusal(run_here("tune", space))
    assert words in said
    assert "Error: KeyError" not in said
    assert files is None or take(space) == files


def found_by(
    model: str, tmp_path: Path, variables: Mapping[str, str], target: float = 60, **aim: Any
) -> Measured:
    """What is measured of a model."""
    space = put(with_model(model), tmp_path / "space")
    wanted = Aim(
        {"dtype": "float32"}, target, 0.0, aim.pop("deadline", float("inf")), False,
        variables=variables, **aim,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        return measure_model(
            space, asked(tmp_path / "inputs"), load_model_types()[TEXTS], wanted, lambda _: None
        )


@pytest.mark.parametrize(
    "end",
    ["raise MemoryError", "raise RuntimeError('CUDA out of memory')", "os.kill(os.getpid(), 9)"],
    ids=["MemoryError", "CUDA", "killed"],
)
def test_where_memory_runs_out_is_found_and_survived(
    end: str, tmp_path: Path, without_torch: dict[str, str]
) -> None:
    """Though it ends the process: with two at once, and other measurements, it goes on."""
    model = MODEL.replace(
        "    time.sleep(0.04)", f"    time.sleep(0.01)\n    if len(texts) > 4: {end}"
    )
    found = found_by(model, tmp_path, {**without_torch, "CPU_CORES": "2"})
    assert {workers: one.reason for workers, one in found.sweeps.items()} == {
        1: "memory",
        2: "memory",
    }
    assert [point.limit for point in found.sweeps[1].points] == [1, 2, 4]
    assert found.choice.max_batch_size == 4


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (MODEL.replace("time.sleep(0.04)", "raise MemoryError"), "not even one request fits"),
        (MODEL.replace("time.sleep(0.04)", "os.kill(os.getpid(), 9)"), "not even one request fits"),
        (MODEL.replace("    pass", "    raise MemoryError"), "not even one request fits"),
        (MODEL.replace("time.sleep(0.04)", "os._exit(3)"), "the model's process ended"),
        (MODEL.replace("time.sleep(0.04)", "len(texts) < 4 or 1 / 0"), "ZeroDivisionError"),
        (MODEL.replace("for _ in texts", "for _ in texts[1:]"), "must return a list"),
        (MODEL.replace("    pass", "    1 / 0"), "ZeroDivisionError"),
        (MODEL.replace("time.sleep(0.04)", "sys.exit('enough')"), "enough"),
    ],
    ids=["memory", "killed", "load", "exit", "at 4", "too few", "broken load", "sys.exit"],
)
def test_a_model_that_cannot_be_measured_is_told_in_one_sentence(
    model: str, words: str, tmp_path: Path, without_torch: dict[str, str]
) -> None:
    with pytest.raises(UserError) as raised:
        found_by(model, tmp_path, without_torch)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_a_model_prints_and_reads_is_no_answer(
    tmp_path: Path, without_torch: dict[str, str]
) -> None:
    noise = """print('{"items": 1}')
    os.write(1, b"noise\\n")
    assert not sys.stdin.read()"""
    talkative = MODEL.replace("time.sleep(0.04)", noise)
    found = found_by(talkative, tmp_path, without_torch, deadline=0.0)
    assert found.point.limit == 1


def test_inputs_that_are_refused_do_not_count(
    tmp_path: Path, without_torch: dict[str, str]
) -> None:
    model = MODEL.replace("import os,", "from serving.errors import InputError\nimport os,") + (
        "\ndef prepare(text):\n"
        "    if text.startswith('word word word'): raise InputError('too long')\n"
        "    return text\n"
    )
    space = put(with_model(model), tmp_path / "space")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in without_torch.items():
            patch.setenv(name, value)
        with probing(space, asked(tmp_path / "inputs", 14), {}) as probe:
            assert probe.about["requests"] == 6
            assert len(probe.answers(14)) == 6


STOPPED = """
import signal, sys
from pathlib import Path
from spaces_gen.cli import _end
from spaces_gen.tuning.process import probing

signal.signal(signal.SIGTERM, _end)
with probing(Path(sys.argv[1]), Path(sys.argv[2]), {}):
    pass
"""


def test_what_measures_a_model_ends_with_the_command(
    tmp_path: Path, without_torch: dict[str, str]
) -> None:
    """While the model is loaded, which takes forever."""
    space = put(with_model(MODEL.replace("    pass", "    time.sleep(600)")), tmp_path / "space")
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(space), str(asked(tmp_path / "inputs"))],
        env={**os.environ, **without_torch},
    )
    started: list[psutil.Process] = []
    try:
        while not started and process.poll() is None:
            started = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) != 0
    finally:
        process.kill()
    assert started
    assert not started[0].is_running()


# -- a model that streams --------------------------------------------------------------------------


def test_conversations_are_measured_side_by_side(
    tiny_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = put(fresh(model_type="text-generation"), tmp_path / "space")
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "a cat"}]
    with (tmp_path / "inputs").open("wb") as file:
        for _ in range(4):
            pickle.dump((turns, 12, 0.0), file)
    monkeypatch.setenv("MODEL_ID", str(tiny_model("text-generation")))
    aim = Aim({"dtype": "float32"}, 120, 0.0, float("inf"), variables={"MAX_BATCH_SIZE": "4"})
    kind = load_model_types()["text-generation"]
    found = measure_model(space, tmp_path / "inputs", kind, aim, lambda _: None)
    assert found.about["streams"]
    assert list(found.sweeps) == [1], "all share each pass"
    assert [point.limit for point in found.sweeps[1].points][:2] == [1, 2]
    assert found.sweeps[1].points[-1].limit <= 4
    assert all(point.items == point.limit for point in found.sweeps[1].points)
    assert [one.way.name for one in found.tried] == ["pytorch float32"], "nothing else is tried"
    assert found.choice.max_batch_size <= 4
