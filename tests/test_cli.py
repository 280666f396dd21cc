"""The command line: what a person types, sees and gets back."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import pytest
from upgrading import fast_renders, run_here
from upgrading import run as child

from spaces_gen import __version__
from spaces_gen.questions import questions
from spaces_gen.tables import load_model_types, load_tiers


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`spaces-gen` in this process, without a terminal; `child` in one of its own."""
    with fast_renders():
        return run_here(*arguments, env={"NO_COLOR": "1", "COLUMNS": "200"})


def refused(*arguments: str) -> str:
    """The one line with which a command is refused; nothing else is said or written."""
    done = run(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_new_without_a_terminal_takes_the_defaults(tmp_path: Path) -> None:
    done = child("new", str(tmp_path / "space"))
    assert done.returncode == 0, done.stderr
    assert "spaces-gen publish" in done.stdout
    assert (tmp_path / "space" / "app.py").is_file()
    assert child("check", str(tmp_path / "space")).returncode == 0


def test_new_takes_every_answer_as_an_option(tmp_path: Path) -> None:
    space = tmp_path / "space"
    done = run(
        "new", str(space), "--model-type", "image-classification", "--model", "me/my-model",
        "--parameters", "300", "--hardware", "a10g-small", "--title", "My “pictures”",
        "--short-description", "What is it?", "--emoji", "🐈", "--color-from", "red",
        "--color-to", "blue", "--license", "mit", "--python-version", "3.11",
        "--examples-cache", "off", "--defaults",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = (space / ".copier-answers.yml").read_text()
    for key in questions():
        assert f"{key}: " in answers
    assert 'MODEL_ID = "me/my-model"' in (space / "tuning.py").read_text()
    assert "suggested_hardware: a10g-small" in (space / "README.md").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--hardware", "t5"], ["hardware", "'t5'", "t4-small"]),
        (["--model-type", "poetry"], ["model_type", "'poetry'", "text-classification"]),
        (["--license", "none"], ["license", "none", "apache-2.0"]),
        (["--color-from", "#fff"], ["color_from", "#fff", "indigo"]),
        (["--emoji", ":)"], ["emoji", ":)", "one emoji"]),
        (["--title", ""], ["title", "1 to 100"]),
        (["--title", "a\nb"], ["title", "one line"]),
        (["--short-description", "x" * 61], ["short_description", "60"]),
        (["--parameters", "0"], ["model_parameters", "0", "1 and"]),
        (
            ["--parameters", "7000", "--hardware", "t4-small"],
            ["t4-small", "7000M", "holds at most"],
        ),
        (["--python-version", "3.13", "--hardware", "zero-a10g"], ["python_version", "3.12"]),
        (["--python-version", "2.7"], ["python_version", "2.7", "3.12"]),
        (["--examples-cache", "maybe"], ["examples_cache", "maybe", "first-use"]),
        (["--model", "no/such", "--model-type", "x"], ["model_type"]),
        (["--model", "owner/name"], ["model_type", "owner/name", "--model-type"]),
        (["--model", "a b", "--model-type", "text-generation"], ["model_id", "a b", "owner/name"]),
        (["--model", "./nowhere"], ["./nowhere"]),
        (["--data", "colour=red"], ["colour", "color_from"]),
        (["--data", "hardware"], ["KEY=VALUE"]),
        (["--data", "tuning_rows=[]"], ["tuning_rows"]),
    ],
)
def test_a_wrong_answer_is_one_line_and_writes_nothing(
    options: list[str], words: list[str], tmp_path: Path
) -> None:
    said = refused("new", str(tmp_path / "space"), "--defaults", *options)
    for word in words:
        assert word in said
    assert list(tmp_path.iterdir()) == []


def test_new_refuses_to_overwrite(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "mine.txt" in refused("new", str(tmp_path), "--defaults")
    assert "is a file" in refused("new", str(tmp_path / "mine.txt"), "--defaults")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_new_fills_the_clone_of_a_space_that_was_just_created(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "README.md").write_text("---\ntitle: Empty\n---\n")
    (tmp_path / ".gitattributes").write_text("*.bin filter=lfs\n")
    assert run("new", str(tmp_path), "--defaults").returncode == 0
    assert "Text classification" in (tmp_path / "README.md").read_text()
    assert run("check", str(tmp_path)).returncode == 0


def test_a_local_model_is_measured(tmp_path: Path) -> None:
    """The parameters come from the safetensors header, and the tiers that fit with them."""
    model = tmp_path / "model"
    model.mkdir()
    header = {"w": {"dtype": "BF16", "shape": [9_000, 1_000_000], "data_offsets": [0, 0]}}
    data = json.dumps(header).encode()
    (model / "model.safetensors").write_bytes(struct.pack("<Q", len(data)) + data)
    space = tmp_path / "space"
    options = ["--model", str(model), "--model-type", "text-generation", "--defaults"]
    done = run("new", str(space), *options)
    assert done.returncode == 0, done.stderr
    tuning = (space / "tuning.py").read_text()
    assert "cpu-basic" not in tuning
    assert 'TIER = "zero-a10g"' in tuning
    assert "9000M" in refused("new", str(tmp_path / "b"), *options, "--hardware", "t4-small")


def test_tables_for_people_and_for_programs() -> None:
    tiers = json.loads(run("tiers", "--json").stdout)
    assert list(tiers) == list(load_tiers())
    assert tiers["t4-small"]["price_per_hour"] == 0.4
    types = json.loads(run("model-types", "--json").stdout)
    assert list(types) == list(load_model_types())
    shown = run("tiers").stdout
    assert all(key in shown for key in load_tiers())
    assert "\x1b" not in shown
    assert all(key in run("model-types").stdout for key in load_model_types())


def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    space = tmp_path / "space"
    run("new", str(space), "--defaults")
    (space / "app.py").write_text("def broken(:\n")
    done = run("check", str(space))
    assert done.returncode == 1
    assert "app.py:1" in done.stdout
    findings = json.loads(run("check", str(space), "--json").stdout)
    assert [finding["path"] for finding in findings] == ["app.py"]
    assert "no folder" in refused("check", str(tmp_path / "nowhere"))


def test_version_help_and_wrong_usage() -> None:
    assert child("--version").stdout == f"spaces-gen {__version__}\n"
    assert run("nonsense").returncode == 2
    assert "new" in run().stderr
    assert run().returncode == 2
    done = child("new")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Missing argument" in done.stderr
    assert run("tiers", "--jsn").returncode == 2


def test_debug_shows_where_an_error_comes_from(tmp_path: Path) -> None:
    done = child("--debug", "new", str(tmp_path / "a"), "--hardware", "t5", "--defaults")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_demo_that_does_not_exist() -> None:
    assert "similarity, chat" in refused("demo", "poetry")
