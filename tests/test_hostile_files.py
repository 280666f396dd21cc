"""A Space and a model of a stranger: what their files say is refused in one line, or harmless."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from publishing import Here
from upgrading import (
    ANSWERS,
    commit,
    fresh,
    git,
    put,
    refusal,
    renders_once,
    run_here,
    take,
)

from spaces_gen.adopt import from_card, from_tuning
from spaces_gen.answers import MOST_BYTES, read_answers
from spaces_gen.carried import measurements
from spaces_gen.tables import load_model_types
from spaces_gen.upgrading.values import rows_by_flavor

pytestmark = pytest.mark.usefixtures(renders_once.__name__)
TEXT = "text-classification"
MODEL = load_model_types()[TEXT].model_id
GOOD = fresh()[ANSWERS]
RUN = "touch hostile"
MOST_MEMORY = 60_000_000

BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name + 1, name + 1, b", ".join([b"*%c" % name] * 9))
    for name in range(ord("a"), ord("k"))
)


def instead(**answers: Any) -> bytes:
    """The answers file with other answers; the values are YAML where they are bytes."""
    kept = {key: value for key, value in yaml.safe_load(GOOD).items() if key not in answers}
    plain = {key: value for key, value in answers.items() if not isinstance(value, bytes)}
    raw = [
        key.encode() + b": " + value for key, value in answers.items() if isinstance(value, bytes)
    ]
    return b"\n".join([yaml.safe_dump({**kept, **plain}).encode(), *raw, b""])


def measured(**row: Any) -> bytes:
    return instead(measured={MODEL: {"cpu-basic": row}})


# No command does anything with them.
REFUSED: dict[str, bytes] = {
    "python tag": instead(title=b"!!python/object/apply:os.system ['touch hostile']"),
    "python name": instead(title=b"!!python/name:os.system"),
    "a bomb": BOMB + instead(title=b"*k"),
    "a bomb in measured": BOMB + instead(measured=b"*k"),
    "a bomb of no question": BOMB + GOOD,
    "an alias to itself": instead(title=b"&a [*a]"),
    "deep lists": GOOD + b"x: " + b"[" * 50_000,
    "deep mappings": GOOD + b"x: " + b"{a: " * 50_000,
    "a text": b"hello",
    "two documents": GOOD + b"---\n" + GOOD,
    "huge": GOOD + b"#" * MOST_BYTES,
    "huge lines": GOOD + b"x: y\n" * MOST_BYTES,
    "not UTF-8": GOOD + b"x: \xff\xfe\n",
    "NUL": GOOD + b"x: \0\n",
    "UTF-16": GOOD.decode().encode("utf-16"),
    "a long number": instead(model_parameters=b"9" * 5000),
    "a long hexadecimal number": instead(model_parameters=b"0x" + b"f" * 5000),
    "a bad date": GOOD + b"x: 2020-99-99\n",
    "a tag that does not fit": GOOD + b"x: !!int ''\n",
    "a key that is a list": GOOD + b"? [a]\n: b\n",
    "an unknown model type": instead(model_type="../../../etc/passwd"),
    "escapes in a model type": instead(model_type="\x1b[31m\x07\u202e"),
    "source: another program": instead(_src_path="ext::sh -c touch% hostile"),
    "source: an option of ssh": instead(_src_path="ssh://-oProxyCommand=touch"),
    "source: git@-": instead(_src_path="git@-oProxyCommand=x:y"),
    "source: a list": instead(_src_path=["ext::sh"]),
    "version: an option": instead(_commit="--upload-pack=touch hostile"),
    "version: a path": instead(_commit="../../x y"),
    "version: long": instead(_commit="v" + "9" * 5000),
    "size: a text": instead(model_parameters="many"),
    "size: a list": instead(model_parameters=[1]),
    "size: not a number": instead(model_parameters=b".nan"),
    "size: infinite": instead(model_parameters=b".inf"),
    "size: negative": instead(model_parameters=-1),
    "size: digits": instead(model_parameters="9" * 5000),
    "title: a mapping": instead(title={"a": "\x1b[31m"}),
    "title: bytes": instead(title=b"!!binary aGk="),
    "hardware: a list": instead(hardware=["cpu-basic"]),
    "measured: a list": instead(measured=[1]),
}  # fmt: skip
# Only what renders looks at them.
NOT_RENDERED: dict[str, bytes] = {
    "title: lines": instead(title="a\nb: c"),
    "title: escapes": instead(title="\x1b]0;x\x07\x9b31m\u202e\n"),
    "title: long": instead(title="a" * 100_000),
    "emoji: code": instead(emoji='"\nsdk: docker #'),
    "hardware: none": instead(hardware="\x1b[31mgpu"),
    "model: lines": instead(model_id="./a\n\x1b[31m"),
    "license: code": instead(license="mit\nsdk: docker"),
    "computed: model": instead(model={"packages": [f"x; {RUN}"]}),
    "computed: rows": instead(tuning_rows=[{"flavor": f'cpu-basic"); {RUN}'}]),
    "computed: machines": instead(machines="1\nevil: 1"),
    "computed: source": instead(source="ext::sh"),
    "computed: tiers": instead(tiers={}),
    "measured: code": measured(max_batch_size=f"1); {RUN} #"),
    "measured: true": measured(workers=True),
    "measured: an engine": measured(engine=f'x"); {RUN}'),
}
FIGURES = {"dtype": "float32", "workers": 1, "source": "measured"}
SOUND = {"seconds": {"1": 0.1}, "front_end": 0.1, "fixed_gb": 1, "request_gb": 1, "requests": 1}
DAMAGED_FIGURES = (
    7, [1], {"seconds": [1]}, {"seconds": {"x": 1}}, {"seconds": {}}, {"seconds": {"1": "x"}},
    {**SOUND, "seconds": {"1": float("nan")}}, {**SOUND, "seconds": {"0": 1.0}},
    {**SOUND, "front_end": 0.0}, {**SOUND, "front_end": float("inf")},
    {**SOUND, "fixed_gb": -1}, {**SOUND, "request_gb": float("nan")},
    {**SOUND, "requests": float("inf")},
)  # fmt: skip


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return put(fresh(), tmp_path / "space")


def one_line(said: str) -> str:
    """A refusal that commands no terminal, tells of no error inside, and can be read."""
    assert all(one.isprintable() for one in said.removesuffix("\n")), ascii(said[:2000])
    assert "--debug shows where" not in said
    assert len(said) < 5000
    return said


def refused(space: Path, *arguments: str) -> str:
    """The line with which a command refuses a Space, which it leaves as it is."""
    before = take(space)
    said = one_line(refusal(run_here(arguments[0], space, *arguments[1:])))
    assert take(space) == before
    assert os.listdir() == [space.name]
    return said


@pytest.mark.parametrize("name", REFUSED)
def test_no_command_takes_hostile_answers(name: str, space: Path) -> None:
    (space / ANSWERS).write_bytes(REFUSED[name])
    for verb in (["upgrade", "--hardware", "t4-small"], ["plan"]):
        refused(space, *verb)
    read_answers(space)


@pytest.mark.parametrize("name", ["a bomb", "a bomb in measured", "huge lines"])
def test_a_bomb_takes_no_memory(name: str, space: Path) -> None:
    (space / ANSWERS).write_bytes(REFUSED[name])
    tracemalloc.start()
    try:
        refused(space, "plan")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("name", NOT_RENDERED)
def test_no_upgrade_takes_hostile_answers(name: str, space: Path) -> None:
    (space / ANSWERS).write_bytes(NOT_RENDERED[name])
    refused(space, "upgrade", "--data", "python_version=3.11")
    if name.startswith("model"):  # a plan shows it
        done = run_here("plan", space)
        assert all(one.isprintable() or one == "\n" for one in done.stdout)


@pytest.mark.parametrize("figures", DAMAGED_FIGURES)
def test_a_plan_leaves_damaged_figures_out(figures: object) -> None:
    for answer in (
        {MODEL: {"cpu-basic": {**FIGURES, "figures": figures}}},
        {MODEL: {"cpu-basic": figures}},
        {MODEL: figures},
        figures,
    ):
        assert measurements({"measured": answer}, MODEL) == {}


@pytest.mark.parametrize("verb", [["upgrade", "--hardware", "t4-small"], ["plan"], ["adopt", "-y"]])
@pytest.mark.parametrize("kind", ["link", "endless", "pipe", "folder"])
def test_answers_that_are_no_file_of_the_space(
    kind: str, verb: list[str], space: Path, tmp_path: Path
) -> None:
    target = tmp_path.parent / f"{tmp_path.name}-outside"
    target.write_bytes(GOOD)
    path = space / ANSWERS
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(target if kind == "link" else "/dev/zero")
    refused(space, *verb)
    assert read_answers(space) == {}
    assert target.read_bytes() == GOOD
    if path.is_fifo():
        path.unlink()


# -- what is sent, and where a template comes from -------------------------------------------------


@pytest.mark.parametrize("name", ["hardware: a list", "hardware: none", "a bomb", "huge lines"])
def test_hostile_answers_when_it_is_published(name: str, space: Path, command: Here) -> None:
    (space / ANSWERS).write_bytes({**REFUSED, **NOT_RENDERED}[name])
    done = command("publish", str(space), "--repo-id", "me/demo", "--dry-run")
    assert done.returncode == (1 if name == "hardware: none" else 0), done.stderr
    if done.returncode:
        one_line(refusal(done))
    assert all(one.isprintable() or one == "\n" for one in done.stdout)


ELSEWHERE = "{{ '..' }}/{{ '..' }}/hostile"
TEMPLATES: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {
    "tasks": ({"_tasks": [RUN]}, {}),
    "migrations": ({"_migrations": [{"version": "v0", "before": [RUN]}]}, {}),
    "extensions": ({"_jinja_extensions": ["os.system"]}, {}),
    "data from elsewhere": (
        {"_external_data": {"a": "../../../../etc/passwd"}},
        {"in/a.jinja": b"{{ _external_data.a }}"},
    ),
    "a folder elsewhere": ({"_subdirectory": "../.."}, {}),
    "a link": ({}, {"in/key": b"-> /etc/passwd"}),
    "names that lead elsewhere": ({}, {f"in/{ELSEWHERE}": b"x"}),
    "what includes from elsewhere": ({}, {"in/a.jinja": b"{% include '../../etc/passwd' %}"}),
    "what Python has": ({}, {"in/a.jinja": b"{{ lipsum.__globals__['os'].system('touch x') }}"}),
    "a question of Python": (
        {"x": {"type": "str", "default": "{{ ''.__class__.__mro__[1].__subclasses__() }}"}}, {}
    ),
    "no questions": ({"_exclude": 7}, {"copier.yml": b"[1]"}),
    "no YAML": ({}, {"copier.yml": b"[" * 5000}),
}  # fmt: skip


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_hostile_template_gets_nowhere(name: str, space: Path, tmp_path: Path) -> None:
    """One that a Space names as its own; whoever changes the Space never said to trust it."""
    template = tmp_path.parent / f"{tmp_path.name}-template"
    settings, files = TEMPLATES[name]
    written = {"copier.yml": yaml.safe_dump({"_subdirectory": "in", **settings}).encode(), **files}
    for path, data in written.items():
        if data.startswith(b"-> "):
            put({"in/x": b"x"}, template)
            (template / path).symlink_to(data[3:].decode())
        else:
            put({"in/x": b"x", path: data}, template)
    commit(template, "v1")
    git(template, "tag", "v1")
    address = "https://evil.example/template"
    (space / ANSWERS).write_bytes(instead(_src_path=address, _commit="v1"))
    variables = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{template}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
    }
    before = take(space)
    one_line(refusal(run_here("upgrade", space, "--hardware", "t4-small", env=variables)))
    assert take(space) == before
    assert os.listdir() == [space.name]
    assert not Path("/tmp/hostile").exists()


# -- what `adopt` finds out ------------------------------------------------------------------------

CARD = fresh()["README.md"]
TUNING = fresh()["tuning.py"]


@pytest.mark.parametrize("name", ["a bomb", "deep lists", "python tag", "huge", "a long number"])
def test_adopt_takes_the_files_in_place_of_hostile_answers(name: str, space: Path) -> None:
    (space / ANSWERS).write_bytes(REFUSED[name])
    done = run_here("adopt", space, "--yes")
    assert done.returncode == 0, done.stderr
    assert take(space) == fresh()
    assert not Path("hostile").exists()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("README.md", b"---\n" + BOMB + b"title: *k\n---\n"),
        ("README.md", b"---\ntitle: " + b"[" * 50_000 + b"\n---\n"),
        ("README.md", b"---\ntags: 7\ntitle: {a: b}\nemoji: 2020-99-99\n---\n"),
        ("README.md", CARD.replace(b"tags:\n", b"tags:\n  - [a]\n  - {b: c}\n")),
        ("README.md", CARD.replace(b"title: ", b"title: !!python/object/apply:os.system [x]\n#")),
        ("README.md", CARD.replace(b"title: ", b'title: "\\e[31m\\x07"\n#')),
        ("tuning.py", b"x = " + b"-" * 100_000 + b"1\n"),
        ("tuning.py", b"x = " + b"(" * 100_000),
        ("tuning.py", TUNING.replace(b"    Tier(", b"    Tier({[]: 1}, ", 1)),
        ("tuning.py", TUNING.replace(b'TIER = "cpu-basic"', b"TIER = 7")),
        ("tuning.py", TUNING.replace(b"MODEL_ID = ", b'MODEL_ID = "\\x1b[31m"\nX = ')),
    ],
)
def test_adopt_reads_hostile_files(file: str, content: bytes) -> None:
    found = from_card(content) if file == "README.md" else from_tuning(content)
    assert all(isinstance(value, str | int) for value in found.values())
    assert "hardware" not in found or found["hardware"] == "cpu-basic"
    assert isinstance(rows_by_flavor(content), dict)


# -- models ----------------------------------------------------------------------------------------

ESCAPES = "\x1b[31m\x07\x9b2J\u202e\n{{ 7*7 }}[bold]"
CONFIG = {"architectures": ["BertForSequenceClassification"], "model_type": "bert"}


def header(value: object, length: int | None = None) -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("<Q", len(data) if length is None else length) + data


MODELS: dict[str, Callable[[], dict[str, bytes]]] = {
    "escapes in the configuration": lambda: {
        "config.json": json.dumps(
            dict.fromkeys(("model_type", "torch_dtype", "architecture", "_name_or_path"), ESCAPES)
            | {"architectures": [ESCAPES], "quantization_config": {"quant_method": ESCAPES}}
        ).encode()
    },
    "escapes in the card": lambda: {
        "config.json": json.dumps(CONFIG).encode(),
        "README.md": "---\n{}---\n".format(
            "".join(
                f"{key}: {json.dumps(ESCAPES)}\n"
                for key in ("license", "license_name", "pipeline_tag", "library_name", "base_model")
            )
        ).encode(),
    },
    "a bomb in the card": lambda: {"README.md": b"---\n" + BOMB + b"license: *k\ntags: *k\n---\n"},
    "a tag in the card": lambda: {
        "README.md": b"---\nlicense: !!python/object/apply:os.system ['touch hostile']\n---\n"
    },
    "not a number": lambda: {
        "config.json": b'{"architectures": ["BertModel"], "hidden_size": NaN, "vocab_size": 1e999,'
        b' "id2label": {"0": NaN}, "num_labels": -Infinity}'
    },
    "10 MB": lambda: {"config.json": b'{"a": [' + b"1," * 5_000_000 + b"1]}"},
    "a header of 2^62 bytes": lambda: {"model.safetensors": header(b"{}", 2**62)},
    "a header of -1 bytes": lambda: {"model.safetensors": b"\xff" * 8 + b"{}"},
    "a deep header": lambda: {"model.safetensors": header(b"[" * 100_000)},
    "an odd header": lambda: {
        "model.safetensors": header({ESCAPES: {"dtype": ESCAPES, "shape": [2**70, -1, 0.5]}})
    },
    "names of files": lambda: {
        "a\x1b[31m\n{{ 7*7 }}.safetensors": header({"a": {"dtype": "F32", "shape": [9, 9]}}),
        "\x1b[31m.gguf": b"",
        "model_index.json": json.dumps({"_class_name": ESCAPES, ESCAPES: [ESCAPES] * 2}).encode(),
    },
    "an adapter": lambda: {
        "adapter_config.json": json.dumps({"base_model_name_or_path": ESCAPES}).encode()
    },
    "code": lambda: {"config.json": json.dumps({**CONFIG, "auto_map": {ESCAPES: 1}}).encode()},
    "modules": lambda: {"modules.json": json.dumps([{"type": ESCAPES}, ESCAPES, None]).encode()},
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("folder", ["model", "mo\x1b[31m\x07\ndel{{ 7*7 }}"])
def test_a_hostile_model(
    name: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(MODELS[name](), tmp_path / folder)
    done = run_here("new", "space", "--defaults", "--model", f"./{folder}")
    for said in (done.stdout, done.stderr):
        assert all(one.isprintable() or one == "\n" for one in said), ascii(said)
    if done.returncode:
        one_line(refusal(done))
    else:
        assert folder == "model"
    assert not Path("hostile").exists()


def test_a_plan_for_a_folder_with_a_hostile_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = "./mo\x1b[31m\x07del"
    put({"config.json": json.dumps(CONFIG).encode()}, tmp_path / folder)
    done = run_here("plan", "--model", folder)
    assert done.returncode == 0
    assert "mo\N{REPLACEMENT CHARACTER}[31m" in done.stdout
    assert all(one.isprintable() or one == "\n" for one in done.stdout)
