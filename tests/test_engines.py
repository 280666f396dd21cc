"""What computes the network on a CPU: the engines, what happens where they fail, and the row."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from space_process import python_path
from upgrading import fresh, made, put

from spaces_gen.tables import load_model_types
from spaces_gen.tuning import measure
from spaces_gen.tuning.measure import Aim, engines, measure_model

ROOT = Path(__file__).parent.parent
KIND = load_model_types()["text-classification"]
OF_A_PLATFORM = ("SPACE", "CPU_", "MEMORY", "ACCEL", "TIER", "MAX_", "DTYPE", "ENGINE", "WORKERS")


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules that come first on PYTHONPATH, by folder."""
    able = """
        from types import SimpleNamespace as has
        cuda = has(is_available=lambda: False)
        ops = has(mkldnn=has(_is_mkldnn_bf16_supported=lambda: True))
        cpu = has(_is_avx512_bf16_supported=lambda: False, _is_amx_tile_supported=lambda: AMX)
    """.replace("\n        ", "\n")
    files = {
        "no torch/torch.py": "raise ImportError('hidden')\n",
        "with bfloat16/torch.py": able.replace("AMX", "True"),
        "without bfloat16/torch.py": able.replace("AMX", "False"),
    }
    folder = tmp_path_factory.mktemp("stubs")
    return put({name: text.encode() for name, text in files.items()}, folder)


def in_space(space: Path, code: str, *first: Path, **variables: str) -> Any:
    """What code prints as JSON that runs in a Space; or how it failed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(OF_A_PLATFORM)}
    environment["PYTHONPATH"] = python_path(*first)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=space,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return done
    return json.loads(done.stdout.splitlines()[-1])


# -- the row, variables and the table --------------------------------------------------------------

LOOK = """
import json
from serving.runtime import runtime
print(json.dumps({"threads": runtime.threads, **runtime.tier._asdict()}))
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Space whose row of the free CPU was measured, with bfloat16 in OpenVINO."""
    files = fresh()
    row = re.search(rb'    Tier\("cpu-basic".*\n', files["tuning.py"])
    assert row
    measured = row[0].replace(b'"float32"', b'"bfloat16"').replace(b'"pytorch"', b'"openvino"')
    files = {**files, "tuning.py": files["tuning.py"].replace(row[0], measured)}
    return put(files, tmp_path_factory.mktemp("measured") / "space")


@pytest.mark.parametrize(
    ("stub", "variables", "expected"),
    [
        ("with bfloat16", {}, {"dtype": "bfloat16", "engine": "openvino"}),
        ("without bfloat16", {}, {"dtype": "float32", "engine": "openvino"}),
        ("no torch", {}, {"dtype": "float32"}),
        ("without bfloat16", {"DTYPE": "bfloat16"}, {"dtype": "bfloat16"}),
        ("with bfloat16", {"DTYPE": "float32"}, {"dtype": "float32"}),
        ("no torch", {"ENGINE": "onnxruntime"}, {"engine": "onnxruntime"}),
        ("no torch", {"ENGINE": "pytorch", "WORKERS": "3"}, {"engine": "pytorch", "threads": 3}),
        ("no torch", {"ENGINE": ""}, {"engine": "openvino"}),
        ("no torch", {"CPU_CORES": "1", "MEMORY": "1Gi"}, {"max_batch_size": 1, "threads": 1}),
    ],
)
def test_the_row_applies_as_far_as_the_machine_can(
    stub: str, variables: dict[str, str], expected: dict[str, Any], space: Path, stubs: Path
) -> None:
    machine = {"CPU_CORES": "2", "MEMORY": "16Gi", **variables}
    found = in_space(space, LOOK, stubs / stub, **machine)
    assert found.items() >= {"flavor": "cpu-basic", **expected}.items()


@pytest.mark.parametrize("value", ["abacus", "PyTorch", "pytorch,openvino", "1"])
def test_an_engine_that_there_is_not_is_refused_in_one_sentence(
    value: str, space: Path, stubs: Path
) -> None:
    done = in_space(space, LOOK, stubs / "no torch", ENGINE=value)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == (
        f"The variable ENGINE must be pytorch or onnxruntime or openvino, not {value!r}."
    )
    assert "Traceback" not in done.stderr


def test_the_table_the_template_and_the_extra_name_the_same(space: Path, stubs: Path) -> None:
    code = "import json\nfrom serving.machine import WORDS\nprint(json.dumps(WORDS))"
    words = in_space(space, code, stubs / "no torch")
    assert list(engines()) == words["engine"]
    assert {one for row in engines().values() for one in row["dtypes"]} <= set(words["dtype"])
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (line,) = re.findall(r"^engines = (\[.*\])$", project, re.MULTILINE)
    extra = json.loads(line)
    assert sorted(extra) == sorted(one for row in engines().values() for one in row["requirements"])
    source = (space / "serving" / "engine.py").read_text(encoding="utf-8")
    for engine in words["engine"]:
        assert engine == "pytorch" or f'"{engine}": {engine}' in source


def test_a_row_with_an_engine_brings_what_it_needs_and_no_other_does(tmp_path: Path) -> None:
    measured = {KIND.model_id: {"cpu-basic": {"engine": "openvino", "source": "measured"}}}
    assert b"openvino" not in fresh()["requirements.txt"]
    for hardware, there in (("cpu-basic", True), ("t4-small", False)):
        files = made({"measured": measured, "hardware": hardware}, tmp_path / hardware)
        assert (b"\nopenvino>=" in files["requirements.txt"]) is there
        assert b"onnxruntime>=" not in files["requirements.txt"]


# -- the engines -----------------------------------------------------------------------------------

COMPUTE = """
import json, os, sys
import torch
import model, serving.engine as engine
from serving.runtime import runtime

def choose(name):
    object.__setattr__(runtime, "tier", runtime.tier._replace(engine=name))
    engine.problem = ""

def use(name):
    choose(name)
    model.load()
    batch = [model.prepare("word " * (7 * number % 40) + str(number)) for number in range(9)]
    alone = [model.predict([one])[0] for one in batch]
    told = {"alone": alone, "together": model.predict(batch), "problem": engine.problem}
    return told | {"by": type(model.network).__name__, "kept": sorted(os.listdir(engine.KEPT))}

class Untraceable(torch.nn.Module):
    def forward(self, x):
        if type(x) is not torch.Tensor:
            raise RuntimeError("this is no\\ntensor")
        return {"sum": x.sum(-1)}

def fallback(name):
    choose(name)
    network = Untraceable().eval()
    computed = engine.compiled(network, {"x": torch.ones(2, 3)})
    return [computed is network, engine.problem, float(computed(torch.ones(2, 3))["sum"][0])]

engine.KEPT.mkdir(parents=True)
first = {name: use(name) for name in ("pytorch", "onnxruntime", "openvino")}
failed = {name: fallback(name) for name in ("onnxruntime", "openvino")}
sys.modules["onnxruntime"] = None  # as where it is not installed
again = {name: use(name) for name in ("onnxruntime", "openvino")}
print(json.dumps({"first": first, "failed": failed, "again": again}))
"""


def close(some: list[Any], others: list[Any]) -> bool:
    """Whether scores of labels are the same but for rounding."""
    return len(some) == len(others) and all(
        one == pytest.approx(other, abs=1e-4) for one, other in zip(some, others)
    )


@pytest.fixture(scope="module")
def of_a_model(tiny_model: Callable[[str], Path], tmp_path_factory: Any) -> Mapping[str, str]:
    """Variables: the model, and where exports are kept."""
    return {
        "MODEL_ID": str(tiny_model("text-classification")),
        "HF_HOME": str(tmp_path_factory.mktemp("hub")),
        "CPU_CORES": "2",
        "MEMORY": "16Gi",
        "WORKERS": "2",
        "DTYPE": "float32",
    }


@pytest.fixture(scope="module")
def computed(of_a_model: Mapping[str, str], space: Path) -> dict[str, Any]:
    """What every engine makes of the same texts."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    told = in_space(space, COMPUTE, **of_a_model)
    assert isinstance(told, dict), told.stderr
    return told


def test_every_engine_gives_the_same_answers_alone_and_together(computed: dict[str, Any]) -> None:
    first, exact = computed["first"], computed["first"]["pytorch"]["alone"]
    assert first["onnxruntime"]["by"] == "ExportedModel"
    assert first["openvino"]["by"] == "OneForEachThread"
    for name, one in first.items():
        assert one["problem"] == "", name
        assert close(one["alone"], exact), name
        assert close(one["together"], exact), name
    for scores, other in pairwise(exact):
        assert not close([scores], [other]), "so mixed up ones would show"


def test_an_export_is_made_once_and_nothing_half_made_is_left(computed: dict[str, Any]) -> None:
    assert [len(one["kept"]) for one in computed["first"].values()] == [0, 1, 2]
    for one in computed["again"].values():
        assert one["kept"] == computed["first"]["openvino"]["kept"]
    assert computed["again"]["openvino"]["by"] == "OneForEachThread"


def test_what_cannot_be_exported_or_is_not_installed_pytorch_computes(
    computed: dict[str, Any],
) -> None:
    for name, (is_the_network, problem, answer) in computed["failed"].items():
        assert is_the_network, name
        assert "RuntimeError: this is no tensor" in problem
        assert answer == 3
    missing = computed["again"]["onnxruntime"]
    assert "onnxruntime" in missing["problem"]
    assert missing["by"] == "DistilBertForSequenceClassification"
    assert close(missing["together"], computed["first"]["pytorch"]["alone"])


def test_tune_tries_an_engine_in_earnest(
    computed: dict[str, Any],
    of_a_model: Mapping[str, str],
    space: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of them: the export is there already."""
    tried = ("pytorch", "openvino")
    table = {name: row for name, row in engines().items() if name in tried}
    monkeypatch.setattr(measure, "engines", lambda: table)
    for name, value in (("POINT_SECONDS", 0.1), ("COMPARED_SECONDS", 0.3), ("ROUNDS", 1)):
        monkeypatch.setattr(measure, name, value)
    inputs = tmp_path / "inputs"
    with inputs.open("wb") as file:
        for number in range(40):
            pickle.dump((f"{'word ' * (number % 11)}{number}",), file)
    aim = Aim({"dtype": "float32"}, 1e-6, 0.0, float("inf"), variables=of_a_model)
    found = measure_model(space, inputs, KIND, aim, lambda _: None)
    said = {one.way.name: one for one in found.tried}
    engine = said["openvino float32"]
    assert engine.good, engine.said
    assert "100.0% same top label" in engine.said
    assert engine.gain is not None
    assert engine.gain > 0
    best = max((one for one in found.tried if one.good), key=lambda one: one.gain or 0)
    worth_it = best is engine and engine.gain >= 1 + measure.LEAST_GAIN
    assert (found.way.name == "openvino float32") is worth_it
    assert found.about["versions"].keys() >= {"torch", "openvino"}
    if not found.about["bfloat16"]:
        for name in ("pytorch bfloat16", "openvino bfloat16"):
            assert said[name].said == "this CPU does not compute bfloat16 itself"
