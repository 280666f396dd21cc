"""What is found out about a model: on the local Hub by the real client, in good and bad folders."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from hub import Hub
from publishing import Here, at_the_hub
from rich.console import Console
from upgrading import fast_renders, put

from spaces_gen import inspect_model as module
from spaces_gen.errors import UserError
from spaces_gen.estimate import ESTIMATES, bounds
from spaces_gen.fit import default_tier, why_tier
from spaces_gen.inspect_model import Inspected, inspect_model
from spaces_gen.inspecting.show import print_found
from spaces_gen.inspecting.source import MAX_TEXT_BYTES
from spaces_gen.inspecting.task import task_of_class, task_of_pipeline
from spaces_gen.new import new
from spaces_gen.tables import ModelType, load_model_types, load_tiers

ROOT = Path(__file__).parent.parent
TYPES = load_model_types()
TEXT = "text-classification"
Model = Mapping[str, Any]

# Rows as the table may have them, whichever it has today: key, tags, libraries.
ROWS = {
    "custom": ((), ()),
    "feature-extraction": (("feature-extraction",), ("transformers",)),
    "fill-mask": (("fill-mask",), ("transformers",)),
    "image-super-resolution": (("image-to-image",), ("transformers",)),
    "image-to-image": (("image-to-image",), ("diffusers",)),
    "summarization": (("summarization",), ("transformers",)),
    "tabular-classification": (("tabular-classification",), ("sklearn",)),
    "text-ranking": (("text-ranking",), ("transformers", "sentence-transformers")),
    "text2text-generation": (("text2text-generation",), ("transformers",)),
    "translation": (("translation",), ("transformers",)),
}


def row(key: str, tags: Sequence[str], libraries: Sequence[str]) -> ModelType:
    return replace(TYPES[TEXT], key=key, tags=tuple(tags), libraries=tuple(libraries))


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModelType]:
    """The table with the rows of above."""
    table = {**TYPES, **{key: row(key, *of) for key, of in ROWS.items()}}
    monkeypatch.setattr(module, "load_model_types", lambda: table)
    return table


@pytest.fixture
def online(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The local Hub in place of the Hub, for a stranger."""
    at_the_hub(monkeypatch, hub.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return hub


def safetensors(**shapes: tuple[str, Sequence[int]]) -> bytes:
    """A file that ends after its header: name to dtype and shape."""
    header = {
        name: {"dtype": dtype, "shape": list(shape), "data_offsets": [0, 0]}
        for name, (dtype, shape) in shapes.items()
    }
    data = json.dumps(header).encode()
    return struct.pack("<Q", len(data)) + data


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


CONFIG = encoded({"architectures": ["BertForSequenceClassification"], "model_type": "bert"})
WEIGHTS = safetensors(w=("F32", (1000, 1000)))
PLAIN = {"config.json": CONFIG, "model.safetensors": WEIGHTS}
BERT = {"pipeline_tag": TEXT, "library_name": "transformers", "config": json.loads(CONFIG)}


# -- on the Hub ------------------------------------------------------------------------------------


def test_all_of_a_page_is_read_by_one_request_and_each_fact_says_where_from(online: Hub) -> None:
    card = b"---\nlicense: apache-2.0\npipeline_tag: text-classification\n---\n"
    online.add_model(
        "them/sst2",
        {**PLAIN, "README.md": card},
        library_name="transformers",
        safetensors={"parameters": {"F32": 66_955_010}, "total": 66_955_010},
        tags=["transformers", "license:apache-2.0"],
    )
    found = inspect_model("them/sst2")
    asked = [request.path for request in online.requests]
    assert [path for path in asked if "agent" not in path] == ["/api/models/them/sst2"]
    assert found == Inspected(
        model_id="them/sst2",
        model_type=TEXT,
        pipeline_tag=TEXT,
        library="transformers",
        licence="apache-2.0",
        parameters=67,
        dtype="float32",
        reasons={
            "model_type": "pipeline tag of its page",
            "pipeline_tag": "pipeline tag of its page",
            "library": "library of its page",
            "licence": "its card",
            "access": "its page",
            "parameters": "the Hub's count of its safetensors",
            "dtype": "the Hub's count of its safetensors",
        },
    )


@pytest.mark.parametrize(
    ("about", "files", "expected"),
    [
        ({"pipeline_tag": "image-to-image", "library_name": "diffusers"},
         ["model_index.json"], "image-to-image"),
        ({"pipeline_tag": "image-to-image", "library_name": "transformers"},
         ["config.json"], "image-super-resolution"),
        ({"pipeline_tag": "tabular-classification", "library_name": "scikit-learn"},
         ["model.skops"], "tabular-classification"),
        ({"pipeline_tag": "feature-extraction", "library_name": "sentence-transformers"},
         ["config.json", "modules.json"], "feature-extraction"),
        ({"pipeline_tag": "sentence-similarity", "library_name": "sentence-transformers"},
         ["config.json", "modules.json"], "sentence-similarity"),
        ({"pipeline_tag": TEXT, "config": {"model_type": "bert"}}, ["config.json"], TEXT),
        ({"library_name": "transformers", "transformersInfo": {
            "auto_model": "AutoModelForSeq2SeqLM", "pipeline_tag": "text2text-generation"}},
         ["config.json"], "text2text-generation"),
        ({"pipeline_tag": "text2text-generation", "library_name": "transformers"},
         ["config.json"], "text2text-generation"),
    ],
)  # fmt: skip
def test_tag_and_library_choose_the_model_type(
    online: Hub, rows: object, about: Model, files: list[str], expected: str
) -> None:
    online.add_model("them/model", dict.fromkeys(files, b"{}"), **about)
    found = inspect_model("them/model")
    assert (found.model_type, found.obstacle) == (expected, "")


def test_without_a_tag_the_files_are_read(online: Hub, rows: object) -> None:
    config = encoded({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"})
    online.add_model("them/t5", {"config.json": config}, config={"model_type": "t5"})
    found = inspect_model("them/t5")
    assert (found.model_type, found.pipeline_tag) == (("text2text-generation",) * 2)
    assert found.alternatives == ("summarization", "translation")
    assert found.reasons["model_type"] == (
        "the class T5ForConditionalGeneration in config.json, which also does for summarization "
        "and translation"
    )


def test_a_model_under_its_old_name(online: Hub) -> None:
    online.add_model("people/bert", PLAIN, **BERT)
    online.moved["bert"] = "people/bert"
    assert inspect_model("bert").model_id == "people/bert"


HEADER_FILES: dict[str, tuple[dict[str, bytes], int, str]] = {
    "one file": ({"model.safetensors": safetensors(a=("BF16", (3_000, 1_000)))}, 3, "bfloat16"),
    "shards": (
        {
            "model-00001-of-00002.safetensors": safetensors(a=("F16", (5_000, 1_000))),
            "model-00002-of-00002.safetensors": safetensors(b=("F16", (1_000, 1_000))),
        },
        6,
        "float16",
    ),
    "a copy in another dtype, and of others": (
        {
            "model.safetensors": WEIGHTS,
            "model.fp16.safetensors": safetensors(a=("F16", (1_000, 1_000))),
            "consolidated.safetensors": WEIGHTS,
            "original/model.safetensors": WEIGHTS,
            "adapter_model.safetensors": WEIGHTS,
        },
        1,
        "float32",
    ),
    "the parts of a pipeline": (
        {
            "model_index.json": encoded(
                {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet"],
                 "vae": ["diffusers", "Vae"], "safety_checker": [None, None]}
            ),
            "unet/diffusion_pytorch_model.safetensors": safetensors(a=("F16", (4_000, 1_000))),
            "unet/diffusion_pytorch_model.non_ema.safetensors": WEIGHTS,
            "vae/diffusion_pytorch_model.fp16.safetensors": safetensors(b=("F16", (1_000, 1_000))),
            "vae_1_0/diffusion_pytorch_model.safetensors": WEIGHTS,
            "all-in-one.safetensors": WEIGHTS,
        },
        5,
        "float16",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADER_FILES)
@pytest.mark.parametrize("where", ["hub", "folder"])
def test_the_headers_of_what_is_loaded_are_counted(
    online: Hub, name: str, where: str, tmp_path: Path
) -> None:
    files, parameters, dtype = HEADER_FILES[name]
    if where == "hub":
        online.add_model("them/model", files)
        found = inspect_model("them/model")
    else:
        found = inspect_model(str(put(files, tmp_path)))
    assert (found.parameters, found.dtype, found.estimated) == (parameters, dtype, False)
    assert found.reasons["parameters"] == "the headers of its safetensors"


def test_a_long_header_takes_a_second_request(online: Hub) -> None:
    many = {f"layer.{number}.weight": ("F32", (1_000,)) for number in range(3_000)}
    online.add_model("them/model", {**PLAIN, "model.safetensors": safetensors(**many)}, **BERT)
    assert inspect_model("them/model").parameters == 3
    asked = [one for one in online.requests if one.path.endswith("model.safetensors")]
    assert [one.status for one in asked] == [206, 206]


@pytest.mark.parametrize(
    ("files", "sizes", "parameters", "why"),
    [
        (PLAIN, {}, 1, "the headers of its safetensors"),
        ({"config.json": CONFIG}, {"pytorch_model.bin": 268_000_000}, 67, "if they are float32"),
        ({"config.json": encoded({"torch_dtype": "float16", "model_type": "bert"})},
         {"pytorch_model.bin": 268_000_000, "training_args.bin": 9_000_000_000}, 134,
         "if they are float16"),
        ({"config.json": CONFIG},
         {f"model-{n:05}-of-00020.safetensors": 10**9 for n in range(1, 21)}, 10_000,
         "if they are float16"),
    ],
)  # fmt: skip
def test_else_their_sizes_give_an_estimate(
    online: Hub, files: dict[str, bytes], sizes: dict[str, int], parameters: int, why: str
) -> None:
    online.add_model("them/model", files, sizes=sizes, pipeline_tag=TEXT)
    found = inspect_model("them/model")
    assert found.parameters == parameters
    assert why in found.reasons["parameters"]
    assert found.estimated == bool(sizes)


def test_of_a_gated_model_the_page_is_read_by_everybody(hub: Hub, command: Here) -> None:
    hub.add_model(
        "them/large", {**PLAIN, "model_index.json": b"{}"}, gated="manual",
        sizes={"unet/diffusion_pytorch_model.safetensors": 8_000_000_000},
        pipeline_tag="text-to-image", library_name="diffusers",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        at_the_hub(patch, hub.url)
        found = inspect_model("them/large")
    assert (found.gated, found.private, found.needs_token) == (True, False, True)
    assert (found.parameters, found.estimated) == (4000, True)
    assert "HF_TOKEN" in found.notes[0]


def test_a_space_for_a_gated_model_is_told_of_its_secret_and_fetches_nothing_when_built(
    hub: Hub, command: Here, tmp_path: Path
) -> None:
    """The build of a Space has no token; neither has one that moves to such a model."""
    hub.add_model("them/gated", PLAIN, gated="auto", **BERT)
    hub.add_model("them/open", PLAIN, **BERT)
    space = tmp_path / "space"

    def card(needs: bool) -> str:
        text = (space / "README.md").read_text()
        assert ("`HF_TOKEN`" in text) == needs
        assert ("preload_from_hub" not in text) == needs
        answers = yaml.safe_load((space / ".copier-answers.yml").read_text())
        assert answers.get("needs_token", False) == needs
        assert command("check", str(space)).returncode == 0
        return text

    said = command.well("new", str(space), "--model", "them/gated")
    assert "the model is gated: accept its terms on its page" in said
    assert "--secret HF_TOKEN" in said
    assert "models:\n  - them/gated\n" in card(True)
    command.well("upgrade", str(space), "--hardware", "t4-small")
    card(True)
    command.well("upgrade", str(space), "--data", "model_id=them/open")
    assert "preload_from_hub:\n  - them/open\n" in card(False)


def test_a_private_model_of_ones_own(hub: Hub, command: Here, tmp_path: Path) -> None:
    hub.add_model("me/mine", PLAIN, visibility="private", **BERT)
    said = command.well("new", str(tmp_path / "space"), "--model", "me/mine")
    assert "private" in said
    assert "--secret HF_TOKEN" in said
    assert "preload_from_hub" not in (tmp_path / "space" / "README.md").read_text()


def test_a_private_model_of_others_is_not_there(hub: Hub, command: Here, tmp_path: Path) -> None:
    hub.add_model("them/secret", PLAIN, visibility="private", **BERT)
    said = command.refused("new", str(tmp_path / "space"), "--model", "them/secret")
    assert "the Hub has no model them/secret that you can see" in said


OBSTACLES: dict[str, tuple[Model, dict[str, bytes], list[str]]] = {
    "custom code": (
        {**BERT, "tags": ["custom_code"]}, PLAIN,
        ["runs code of its authors", "tag custom_code", "--model-type custom"],
    ),
    "auto_map": (
        {**BERT, "config": {"auto_map": {"AutoModel": "modeling.Own"}, "model_type": "own"}}, PLAIN,
        ["runs code of its authors", "auto_map"],
    ),
    "custom class": (
        {**BERT, "transformersInfo": {"auto_model": "AutoModel", "custom_class": "own.Own"}},
        PLAIN, ["runs code of its authors", "custom class"],
    ),
    "adapter": (
        {"library_name": "peft", "pipeline_tag": "text-generation"},
        {"adapter_config.json": encoded({"base_model_name_or_path": "big/model"}),
         "adapter_model.safetensors": WEIGHTS},
        ["an adapter of big/model", "take big/model itself", "merge"],
    ),
    "lora": (
        {"library_name": "diffusers", "pipeline_tag": "text-to-image"},
        {"README.md": b"---\nbase_model: big/flux\n---\n",
         "pytorch_lora_weights.safetensors": WEIGHTS},
        ["no whole pipeline", "model_index.json", "take big/flux itself"],
    ),
    "gguf": (
        {"library_name": "gguf", "pipeline_tag": "text-generation"},
        {"README.md": b"---\nbase_model: [big/model]\n---\n", "model.Q4.gguf": b"GGUF"},
        ["has GGUF weights", "(big/model)"],
    ),
    "onnx": (
        {**BERT, "library_name": "transformers.js"},
        {"config.json": CONFIG, "onnx/model.onnx": b""}, ["has ONNX weights", "made from"],
    ),
    "tensorflow": (
        BERT, {"config.json": CONFIG, "tf_model.h5": b""}, ["has TensorFlow or Flax weights"],
    ),
    "timm": (
        {"library_name": "timm", "pipeline_tag": "image-classification", "tags": ["transformers"]},
        {"config.json": b"{}"}, ["is for image-classification with timm", "no template"],
    ),
    "spacy": (
        {"library_name": "spacy", "pipeline_tag": TEXT}, {}, ["text-classification with spacy"],
    ),
    "another task": (
        {"library_name": "transformers", "pipeline_tag": "graph-ml"}, {"config.json": b"{}"},
        ["is for graph-ml, which has no template"],
    ),
    "another task than that of its class": (
        {**BERT, "pipeline_tag": "graph-ml"}, PLAIN,
        ["graph-ml", f"BertForSequenceClassification in config.json would do for "
         f"--model-type {TEXT}"],
    ),
    "no config": (
        {"library_name": "transformers", "pipeline_tag": TEXT}, {"model.safetensors": WEIGHTS},
        ["has no config.json", "transformers"],
    ),
    "no library": ({"pipeline_tag": TEXT}, {"weights.pt": b""}, ["says of no library"]),
    "nothing": ({}, {}, ["does not say what it is for", "there is no config.json"]),
    "no class": (
        {}, {"config.json": encoded({"model_type": "bert"})}, ["names no class in architectures"],
    ),
    "an unknown class": (
        {}, {"config.json": encoded({"architectures": ["Mystery"]})},
        ["no task is known for the class Mystery"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OBSTACLES)
def test_what_no_template_serves_is_one_clear_line(
    name: str, hub: Hub, command: Here, rows: object, tmp_path: Path
) -> None:
    about, files, words = OBSTACLES[name]
    hub.add_model("them/model", files, **about)
    space = tmp_path / "space"
    for arguments in (
        ["new", str(space), "--model", "them/model"],
        ["plan", "--model", "them/model"],
    ):
        done = command(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: model_type: them/model ")
        assert done.stderr.count("\n") == 1
        for part in [*words, "--model-type", "spaces-gen model-types"]:
            assert part in done.stderr
    assert not space.exists()


def test_who_names_a_type_gets_it_with_a_warning(hub: Hub, command: Here, tmp_path: Path) -> None:
    hub.add_model("them/own", PLAIN, **{**BERT, "tags": ["custom_code"]})
    said = command.well("new", str(tmp_path / "a"), "--model", "them/own", "--model-type", TEXT)
    assert "custom code" in said
    assert "note: the model runs code of its authors" in said
    assert "as you said" in said


def test_what_else_a_space_needs_is_noted(online: Hub, rows: object) -> None:
    config = {**json.loads(CONFIG), "quantization_config": {"quant_method": "gptq"}}
    online.add_model("them/quantized", PLAIN, **{**BERT, "config": config})
    (note,) = inspect_model("them/quantized").notes
    assert "quantized (gptq)" in note
    online.add_model(
        "them/table", {"model.pkl": b""}, pipeline_tag="tabular-classification",
        library_name="sklearn",
    )  # fmt: skip
    assert "pickle" in inspect_model("them/table").notes[0]


@pytest.mark.parametrize(
    "how",
    [{"status": 503}, {"status": 500}, {"drop": True}, {"status": 429}, {"status": 401}],
    ids=str,
)
def test_a_hub_that_does_not_answer_is_told_and_the_type_asked_for(
    how: dict[str, Any], hub: Hub, command: Here, tmp_path: Path
) -> None:
    hub.add_model("them/model", PLAIN, **BERT)
    hub.fail("GET", "/api/models/them/model", times=None, error="Something", **how)
    said = command.refused("new", str(tmp_path / "a"), "--model", "them/model")
    assert "could not be looked up: the Hub" in said
    assert "--model-type" in said
    said = command.well("new", str(tmp_path / "a"), "--model", "them/model", "--model-type", TEXT)
    assert "note: nothing was found out about the model" in said
    assert "its size is not known: taken as 67M" in said
    assert (tmp_path / "a" / "app.py").is_file()


def test_files_that_cannot_be_read_cost_only_what_they_would_tell(online: Hub) -> None:
    online.add_model("them/model", PLAIN, **BERT)
    online.fail("GET", "/resolve/", status=503, times=None)
    found = inspect_model("them/model")
    assert (found.model_type, found.parameters) == (TEXT, 1)  # by its size, which the page tells
    assert found.estimated


@pytest.mark.parametrize(
    "answer",
    [
        b"[]", b"null", b"{", b'{"id": 7}', b'{"id": "a/b", "siblings": 7}',
        b'{"id": "a/b", "siblings": [{}]}', b'{"id": "a/b", "safetensors": {"total": "x"}}',
        b'{"id": "a/b", "cardData": [1], "tags": {"a": 1}, "config": [], "pipeline_tag": ["x"]}',
        b'{"id": "a/b", "transformersInfo": 7}', b"[" * 100_000,
        b'{"id": "../../etc", "pipeline_tag": "\\u001b[31mred", "gated": [], "private": {}}',
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_tells_nothing(
    answer: bytes, online: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub.answers import Response
    from hub.routes import files

    monkeypatch.setattr(
        files, "_info", lambda *_, **__: Response(200, answer, {"Content-Type": "application/json"})
    )
    online.add_model("them/model", PLAIN)
    found = inspect_model("them/model")
    assert found.model_id == "them/model" or found.model_id == "a/b"
    assert found.model_type is None
    assert "\x1b" not in repr(found)


# -- what is shown and asked -----------------------------------------------------------------------


def test_new_needs_nothing_but_a_model(hub: Hub, command: Here, tmp_path: Path) -> None:
    card = b"---\nlicense: mit\n---\n"
    hub.add_model(
        "them/chat",
        {**PLAIN, "README.md": card},
        pipeline_tag="text-generation",
        library_name="transformers",
        safetensors={"parameters": {"BF16": 9_000_000_000}, "total": 9_000_000_000},
    )
    said = command.well("new", str(tmp_path / "space"), "--model", "them/chat")
    for words in (
        "them/chat", "text-generation", "pipeline tag of its page", "transformers", "mit",
        "its card", "public", "9,000M", "the Hub's count of its safetensors", "bfloat16",
        "hardware: zero-a10g (free), the cheapest that holds it; cpu-basic, the default of its "
        "type, holds",
        "there, by estimate: 19.",
    ):  # fmt: skip
        assert words in said
    answers = yaml.safe_load((tmp_path / "space" / ".copier-answers.yml").read_text())
    assert answers["model_type"] == "text-generation"
    assert answers["model_parameters"] == 9000
    assert answers["hardware"] == "zero-a10g"
    assert 'TIER = "zero-a10g"' in (tmp_path / "space" / "tuning.py").read_text()


def test_what_is_said_on_the_command_line_wins(hub: Hub, command: Here, tmp_path: Path) -> None:
    hub.add_model("them/model", PLAIN, **BERT)
    said = command.well(
        "new", str(tmp_path / "a"), "--model", "them/model", "--parameters", "300",
        "--hardware", "t4-small", "--model-type", "zero-shot-classification",
    )  # fmt: skip
    answers = yaml.safe_load((tmp_path / "a" / ".copier-answers.yml").read_text())
    assert (answers["model_type"], answers["model_parameters"]) == ("zero-shot-classification", 300)
    assert said.count("as you said") == 3
    assert "hardware: t4-small ($0.40 an hour), as you said" in said


def test_plan_looks_at_the_model_in_the_same_way(hub: Hub, command: Here) -> None:
    hub.add_model("them/model", PLAIN, **BERT)
    said = command.well("plan", "--model", "them/model")
    assert "pipeline tag of its page" in said
    assert "them/model (text-classification, 1M)" in said
    data = json.loads(command.well("plan", "--model", "them/model", "--json"))
    assert (data["model_type"], data["parameters_millions"]) == (TEXT, 1)
    said = command.well("plan", "--model", "them/model", "--parameters", "70")
    assert "them/model (text-classification, 70M)" in said


def test_what_is_not_known_is_not_guessed(online: Hub, tmp_path: Path) -> None:
    online.add_model("them/known", PLAIN, **BERT)
    shown = io.StringIO()
    with fast_renders():
        new(tmp_path / "a", {"model_id": "them/known"}, console=Console(file=shown, width=160))
    assert "pipeline tag of its page" in shown.getvalue()
    online.add_model("them/strange", {"config.json": b"{}"}, pipeline_tag="graph-ml")
    with pytest.raises(UserError, match="is for graph-ml"):
        new(tmp_path / "b", {"model_id": "them/strange"})
    assert not (tmp_path / "b").exists()


def test_an_open_kind_of_writing_says_which_fit(online: Hub, rows: object) -> None:
    config = encoded({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"})
    online.add_model("them/t5", {"config.json": config, "model.safetensors": WEIGHTS})
    found = inspect_model("them/t5")
    assert found.model_type == "text2text-generation"
    assert found.alternatives == ("summarization", "translation")
    without = replace(found, model_type=None, obstacle="writes text from text")
    with pytest.raises(UserError, match="say which with --model-type: summarization, translation"):
        without.served()


def test_a_terminal_is_not_commanded(online: Hub, tmp_path: Path) -> None:
    bad = "mit\x1b]0;owned\x07\x1b[31m\u202ered\nline [bold]b[/bold] " + "x" * 500
    card = f"---\nlicense: {json.dumps(bad)}\nbase_model: {json.dumps(bad)}\n---\n".encode()
    online.add_model(
        "them/bad", {**PLAIN, "README.md": card}, **{**BERT, "tags": [f"license:{bad}"]},
    )  # fmt: skip
    found = inspect_model("them/bad")
    shown = io.StringIO()
    print_found(Console(file=shown, width=200), found, {})
    assert not set(shown.getvalue()) & set("\x1b\x07\u202e")
    assert "[bold]b[/bold]" in shown.getvalue()
    assert len(found.licence) <= 100
    online.add_model("them/worse", {}, pipeline_tag=bad, library_name=bad)
    with pytest.raises(UserError) as refused:
        inspect_model("them/worse").served()
    assert str(refused.value).isprintable()


# -- the default hardware --------------------------------------------------------------------------


@pytest.mark.parametrize("key", TYPES)
def test_copier_and_the_command_choose_the_same_hardware(key: str) -> None:
    spec = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        spec["hardware"]["default"]
    )
    tiers = yaml.safe_load((ROOT / "generator/spaces_gen/tables/tiers.yml").read_text())
    rows = yaml.safe_load((ROOT / "generator/spaces_gen/tables/model_types.yml").read_text())
    estimates = json.loads((ESTIMATES / f"{key}.json").read_text())
    ends = {end for tier in load_tiers().values() for end in bounds(tier, TYPES[key])}
    largest = max(ends)
    for parameters in sorted({1, *ends, *(end + 1 for end in ends)}):
        tier = default_tier(TYPES[key], parameters)
        if parameters > largest:
            assert tier is None
            continue
        chosen = template.render(
            tiers=tiers, estimates=estimates, model=rows[key], model_parameters=parameters
        )
        assert tier is not None
        assert chosen.strip() == tier.key
        if tier.key != TYPES[key].hardware:
            assert "the cheapest that holds it" in why_tier(tier, TYPES[key])
            cheaper = [
                one for one in load_tiers().values() if one.price_per_hour < tier.price_per_hour
            ]
            assert all(max(bounds(one, TYPES[key]), default=0) < parameters for one in cheaper)


# -- what a model is for, by its class -------------------------------------------------------------

# Auto classes of transformers in the order in which a class counts, with the Hub's tag of each.
TASKS = {
    "SEQUENCE_CLASSIFICATION": "text-classification",
    "TOKEN_CLASSIFICATION": "token-classification",
    "QUESTION_ANSWERING": "question-answering",
    "DOCUMENT_QUESTION_ANSWERING": "document-question-answering",
    "VISUAL_QUESTION_ANSWERING": "visual-question-answering",
    "SPEECH_SEQ_2_SEQ": "automatic-speech-recognition",
    "CTC": "automatic-speech-recognition",
    "TDT": "automatic-speech-recognition",
    "RNNT": "automatic-speech-recognition",
    "AUDIO_CLASSIFICATION": "audio-classification",
    "TEXT_TO_WAVEFORM": "text-to-speech",
    "TEXT_TO_SPECTROGRAM": "text-to-speech",
    "IMAGE_CLASSIFICATION": "image-classification",
    "ZERO_SHOT_IMAGE_CLASSIFICATION": "zero-shot-image-classification",
    "OBJECT_DETECTION": "object-detection",
    "ZERO_SHOT_OBJECT_DETECTION": "zero-shot-object-detection",
    "UNIVERSAL_SEGMENTATION": "image-segmentation",
    "SEMANTIC_SEGMENTATION": "image-segmentation",
    "INSTANCE_SEGMENTATION": "image-segmentation",
    "MASK_GENERATION": "mask-generation",
    "DEPTH_ESTIMATION": "depth-estimation",
    "IMAGE_TO_IMAGE": "image-to-image",
    "VIDEO_CLASSIFICATION": "video-classification",
    "KEYPOINT_MATCHING": "keypoint-matching",
    "TABLE_QUESTION_ANSWERING": "table-question-answering",
    "IMAGE_TEXT_TO_TEXT": "image-text-to-text",
    "SEQ_TO_SEQ_CAUSAL_LM": "text2text-generation",
    "CAUSAL_LM": "text-generation",
    "MASKED_LM": "fill-mask",
    "TEXT_ENCODING": "feature-extraction",
    "": "feature-extraction",  # MODEL_MAPPING_NAMES: models without a head
}
# Where our table knows better than the order above: what the models of a class are really for.
OTHERWISE = {
    "LayoutLMv2ForQuestionAnswering": "document-question-answering",
    "LayoutLMv3ForQuestionAnswering": "document-question-answering",
    "Blip2ForConditionalGeneration": "image-to-text",
    "BlipForConditionalGeneration": "image-to-text",
    "GitForCausalLM": "image-to-text",
    "VisionEncoderDecoderModel": "image-to-text",
    "DiaForConditionalGeneration": "text-to-speech",
    "VibeVoiceForConditionalGeneration": "text-to-speech",
    "MusicgenForConditionalGeneration": "text-to-audio",
    "MusicgenMelodyForConditionalGeneration": "text-to-audio",
    "Qwen2_5OmniForConditionalGeneration": "any-to-any",
    "Qwen3OmniMoeForConditionalGeneration": "any-to-any",
    "Mistral4ForCausalLM": "text-generation",
    "AudioFlamingo3ForConditionalGeneration": "audio-text-to-text",
    "MusicFlamingoForConditionalGeneration": "audio-text-to-text",
    "Qwen2AudioForConditionalGeneration": "audio-text-to-text",
    "GlmAsrForConditionalGeneration": "automatic-speech-recognition",
    "MossTranscribeDiarizeForConditionalGeneration": "automatic-speech-recognition",
    "Nemotron3_5TranscribeForConditionalGeneration": "automatic-speech-recognition",
    "FSMTForConditionalGeneration": "translation",
    "M2M100ForConditionalGeneration": "translation",
    "MarianMTModel": "translation",
    "NllbMoeForConditionalGeneration": "translation",
    "ClapModel": "zero-shot-audio-classification",
    # of no task that has a template: music from sound, proteins, robots, parts of models
    "Pop2PianoForConditionalGeneration": "",
    "EvollaForProteinText2Text": "",
    "PI0ForConditionalGeneration": "",
    "ClvpModelForConditionalGeneration": "",
    "GlmImageVQVAE": "",
    "HGNetV2Backbone": "",
    "HunYuanVLVisionTransformer": "",
    "Idefics3VisionTransformer": "",
    "MgpstrForSceneTextRecognition": "",
    "SmolVLMVisionTransformer": "",
    "TimmBackbone": "",
}
# Their configurations need to be told of the part that sees.
SEES_IF_TOLD = {"Gemma4ForConditionalGeneration", "Gemma4UnifiedForConditionalGeneration"}


def classes() -> dict[str, tuple[str, str]]:
    """Every model class of transformers: the auto class it counts for, and its model_type."""
    from transformers.models.auto import modeling_auto

    found: dict[str, tuple[str, str]] = {}
    for auto in TASKS:
        name = f"MODEL_FOR_{auto}_MAPPING_NAMES" if auto else "MODEL_MAPPING_NAMES"
        for model_type, names in getattr(modeling_auto, name).items():
            for one in [names] if isinstance(names, str) else names:
                found.setdefault(one, (auto, model_type))
    return found


@pytest.fixture(scope="module")
def configuration() -> Callable[[str], Any]:
    """The default configuration of a model_type; None where there is none."""
    from transformers import CONFIG_MAPPING, logging

    logging.set_verbosity_error()
    made: dict[str, Any] = {}

    def get(model_type: str) -> Any:
        if model_type not in made:
            try:
                made[model_type] = CONFIG_MAPPING[model_type]()
            except Exception:  # one asks for more than defaults
                made[model_type] = None
        return made[model_type]

    return get


def test_the_table_of_classes_agrees_with_transformers(
    configuration: Callable[[str], Any],
) -> None:
    """Of 1,436 classes 1,357 are taken for what the auto classes say, the rest on purpose not."""
    wrong, agreeing = {}, 0
    known = classes()
    for name, (auto, model_type) in known.items():
        config = configuration(model_type)
        plain = {**(config.to_dict() if config else {})}
        if name in SEES_IF_TOLD:
            plain["vision_config"] = {"hidden_size": 8}
        expected = OTHERWISE.get(name, TASKS[auto])
        if name.endswith("VisionModel"):
            expected = "image-feature-extraction"
        found = task_of_class(name, plain)
        agreeing += found == TASKS[auto]
        if found != expected:
            wrong[name] = (found, expected)
    assert not wrong
    assert set(known) >= set(OTHERWISE)
    print(f"{agreeing} of {len(known)} classes as the auto classes of transformers say")
    assert agreeing / len(known) > 0.94


@pytest.mark.parametrize("auto", TASKS)
def test_a_real_configuration_in_a_folder(
    auto: str, configuration: Callable[[str], Any], tmp_path: Path
) -> None:
    """The first model of each kind, as transformers saves its configuration."""
    name, model_type = next((name, of[1]) for name, of in classes().items() if of[0] == auto)
    config = configuration(model_type)
    config.architectures = [name]
    config.save_pretrained(tmp_path)
    found = inspect_model(str(tmp_path))
    assert found.pipeline_tag == OTHERWISE.get(name, TASKS[auto])
    assert found.library == "transformers"
    assert found.reasons["pipeline_tag"].startswith(f"the class {name} in config.json")


def test_pipelines_are_taken_for_what_diffusers_takes_them_for() -> None:
    from diffusers.pipelines import auto_pipeline

    kinds = {
        "TEXT2IMAGE": "text-to-image",
        "TEXT2AUDIO": "text-to-audio",
        "IMAGE2IMAGE": "image-to-image",
        "INPAINT": "image-to-image",
        "TEXT2VIDEO": "text-to-video",
        "IMAGE2VIDEO": "image-to-video",
        "VIDEO2VIDEO": "video-to-video",
    }
    allowed: dict[str, set[str]] = {}  # some do several things
    for kind, tag in kinds.items():
        for pipeline in getattr(auto_pipeline, f"AUTO_{kind}_PIPELINES_MAPPING").values():
            allowed.setdefault(pipeline.__name__, set()).add(tag)
    assert len(allowed) > 80
    wrong = {name for name, tags in allowed.items() if task_of_pipeline(name) not in tags}
    assert wrong == {"ZImageControlNetInpaintPipeline"}  # it paints into a picture


# -- in a folder -----------------------------------------------------------------------------------


def in_folder(folder: Path, **files: object) -> Inspected:
    """What is found out about a folder of JSON files; __ stands for a dot."""
    written = {name.replace("__", "."): encoded(value) for name, value in files.items()}
    return inspect_model(str(put(written, folder)))


@pytest.mark.parametrize(
    ("files", "expected", "why"),
    [
        ({"model_index__json": {"_class_name": "StableDiffusionPipeline"}}, "text-to-image",
         "StableDiffusionPipeline"),
        ({"model_index__json": {"_class_name": "WanPipeline"}}, "text-to-video", "WanPipeline"),
        ({"model_index__json": {"_class_name": "LTXImageToVideoPipeline"}}, "image-to-video",
         "LTX"),
        ({"model_index__json": {"_class_name": "FluxKontextPipeline"}}, "image-to-image",
         "Kontext"),
        ({"model_index__json": {}}, "", "is empty"),
        ({"modules__json": [{"type": "sentence_transformers.models.Transformer"}],
          "config__json": {"model_type": "bert"}}, "sentence-similarity", "modules.json"),
        ({"modules__json": [], "config_sentence_transformers__json":
          {"model_type": "CrossEncoder"}}, "text-ranking", "modules.json"),
        ({"config__json": {"sklearn": {"task": "tabular-regression"}}}, "tabular-regression",
         "scikit-learn"),
        ({"config__json": {"architectures": ["BertForSequenceClassification"],
          "id2label": {"0": "ENTAILMENT", "1": "neutral", "2": "contradiction"}}},
         "zero-shot-classification", "entailment"),
        ({"config__json": {"architectures": ["BertForSequenceClassification"],
          "id2label": {"0": "LABEL_0"}}}, "text-ranking", "one label"),
        ({"config__json": {"architectures": ["Dinov2Model"]}, "preprocessor_config__json":
          {"image_processor_type": "BitImageProcessor"}}, "image-feature-extraction", "images"),
        ({"config__json": {"architectures": ["Wav2Vec2Model"]}, "preprocessor_config__json":
          {"feature_extractor_type": "Wav2Vec2FeatureExtractor"}}, "", "sound"),
        ({"config__json": {"architectures": ["BertModel"]}}, "feature-extraction", "BertModel"),
        ({"config__json": {"architecture": "resnet18", "pretrained_cfg": {}}},
         "image-classification", "timm"),
        ({"config__json": {"architectures": ["NewSeesForConditionalGeneration"],
          "vision_config": {"hidden_size": 8}}}, "image-text-to-text", "NewSees"),
        ({"config__json": {"architectures": ["NewForConditionalGeneration"]}}, "", "no task"),
    ],
)  # fmt: skip
def test_the_files_of_a_folder_tell_what_it_is_for(
    files: dict[str, object], expected: str, why: str, tmp_path: Path
) -> None:
    found = in_folder(tmp_path, **files)
    assert found.pipeline_tag == expected
    assert why in found.reasons["pipeline_tag"]


def test_a_clone_is_known_by_its_card(tmp_path: Path) -> None:
    card = "---\npipeline_tag: text-classification\nlibrary_name: transformers\nlicense: mit\n---\n"
    found = inspect_model(str(put({**PLAIN, "README.md": card.encode()}, tmp_path)))
    assert (found.model_type, found.licence, found.parameters) == (TEXT, "mit", 1)
    assert found.reasons["model_type"] == "pipeline tag of its README.md"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config__json": {"auto_map": {"AutoModel": "a.B"}, "architectures": ["B"]}}, "auto_map"),
        ({"modules__json": [{"type": "custom_st.Transformer"}]}, "custom_st.Transformer"),
        ({"model_index__json": {"_class_name": ["pipeline", "Own"]}}, "model_index.json"),
    ],
)
def test_code_of_its_own_in_a_folder(files: dict[str, object], words: str, tmp_path: Path) -> None:
    found = in_folder(tmp_path, **files)
    assert found.custom_code
    assert words in found.obstacle
    assert found.model_type is None


def test_a_local_folder_needs_nothing_else(command: Here, tmp_path: Path) -> None:
    put(PLAIN, tmp_path / "model")
    said = command.well("new", str(tmp_path / "space"), "--model", str(tmp_path / "model"))
    assert "the class BertForSequenceClassification in config.json" in said
    assert "access" not in said
    assert (tmp_path / "space" / "model.py").is_file()


def test_a_folder_that_is_called_like_a_model_of_the_hub_is_not_taken_for_it(
    online: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MODEL_ID = "them/model" means the one on the Hub to a Space, wherever it runs."""
    put({"them/model/config.json": encoded({"architectures": ["BertModel"]})}, tmp_path)
    monkeypatch.chdir(tmp_path)
    online.add_model("them/model", PLAIN, **BERT)
    assert inspect_model("them/model").pipeline_tag == TEXT
    assert inspect_model("./them/model").pipeline_tag == "feature-extraction"


def test_a_folder_that_is_not_there(command: Here, tmp_path: Path) -> None:
    assert "no folder ./nowhere" in command.refused(
        "new", str(tmp_path / "a"), "--model", "./nowhere"
    )


# -- files that mean no good -----------------------------------------------------------------------

HOSTILE: dict[str, bytes] = {
    "a list": b"[1, 2]",
    "a number": b"7",
    "cut off": b'{"architectures": ["Bert',
    "no text": b"\xff\xfe\x00\x01" * 100,
    "deep": b"[" * 1_000_000,
    "deep object": b'{"a":' * 200_000,
    "long number": b'{"id2label": ' + b"9" * 10_000 + b"}",
    "odd kinds": encoded(
        {"architectures": {"a": 1}, "id2label": [1], "model_type": 7, "sklearn": "x",
         "vision_config": "x", "quantization_config": [1], "auto_map": 0, "torch_dtype": {}}
    ),
    "odd entries": encoded({"architectures": [["BertModel"]], "model_type": None}),
    "50 MB": b'{"architectures": ["BertModel"], "x": "' + b"x" * 50_000_000 + b'"}',
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("where", ["hub", "folder"])
def test_a_bad_config_is_no_config(name: str, where: str, online: Hub, tmp_path: Path) -> None:
    online.add_model("them/bad", {"config.json": HOSTILE[name]})
    put({"config.json": HOSTILE[name]}, tmp_path)
    began = time.monotonic()
    if where == "hub":
        found = inspect_model("them/bad")
    else:
        tracemalloc.start()
        found = inspect_model(str(tmp_path))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5 * MAX_TEXT_BYTES
    assert found.model_type is None
    with pytest.raises(UserError, match=r"does not say what it is for.*config\.json"):
        found.served()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "header",
    [
        b"", b"\xff" * 8, struct.pack("<Q", 2**40), struct.pack("<Q", 10) + b"{",
        struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 5) + b"[[[[[",
        safetensors(a=("F32", (-1, 5))), safetensors(a=("F32", ("x",))),  # type: ignore[dict-item, arg-type]
        safetensors(a=("F32", (10**300, 10**300))), safetensors(a=("F32", [1] * 1000)),
        safetensors(a=("\x1b[31m" * 100, (10, 10))),
        struct.pack("<Q", 18) + b'{"a": {"shape": 1}}',
    ],
)  # fmt: skip
def test_a_bad_header_is_not_counted(header: bytes, tmp_path: Path) -> None:
    found = inspect_model(str(put({"config.json": CONFIG, "model.safetensors": header}, tmp_path)))
    assert found.parameters in (0, 1)
    assert "\x1b" not in found.dtype


def test_names_lead_nowhere_else(online: Hub, tmp_path: Path) -> None:
    """A page may list any names, and an index may point anywhere: only known names are read."""
    index = {"weight_map": {"a": "../../../etc/passwd"}, "metadata": {}}
    pipeline = {
        "_class_name": "StableDiffusionPipeline",
        "../../..": ["a", "b"],
        "/etc": ["a", "b"],
    }
    files = {
        "model.safetensors.index.json": encoded(index),
        "model_index.json": encoded(pipeline),
    }
    online.add_model("them/model", files)
    online.repos["models", "them/model"].about["siblings"] = [
        {"rfilename": name, "size": 10}
        for name in (*files, "../../../etc/passwd", "/etc/passwd", "../../../model.safetensors")
    ]
    inspect_model("them/model")
    for request in online.requests:
        known = ("/api/models/them/model", "/them/model/resolve/main/", "/api/agent-harnesses")
        assert request.path.startswith(known)
        assert "passwd" not in request.path
    inspect_model(str(put(files, tmp_path)))


def test_a_folder_that_has_no_end(tmp_path: Path) -> None:
    put(PLAIN, tmp_path)
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "zero.safetensors").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "preprocessor_config.json")
    deep = tmp_path
    for number in range(50):
        deep = deep / str(number)
    deep.mkdir(parents=True)
    found = inspect_model(str(tmp_path))
    assert (found.model_type, found.parameters) == (TEXT, 1)


def test_a_card_that_is_no_yaml_is_no_card(tmp_path: Path) -> None:
    for card in (
        "---\n{[\n---\n",
        "---\n- a\n---\n",
        "---\na: 2020-99-99\n---\n",
        "---\n",
        "--- x",
    ):
        found = inspect_model(str(put({**PLAIN, "README.md": card.encode()}, tmp_path)))
        assert (found.model_type, found.licence) == (TEXT, "")
