"""`spaces-gen adopt`: the answers of a Space whose answers file is lost, damaged or wrong."""

# ruff: noqa: F401, F811 (the fixture `server` is imported, and then a parameter)

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from upgrading import (
    ANSWERS,
    PUBLIC,
    TEAM,
    VERSIONS,
    Server,
    Tree,
    edited,
    fresh,
    made,
    outer,
    put,
    refusal,
    renders_once,
    run,
    run_here,
    server,
    succeeded,
    take,
)

from spaces_gen.estimate import largest_model
from spaces_gen.tables import load_model_types, load_tiers

pytestmark = pytest.mark.usefixtures(renders_once.__name__)
OFFLINE = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "url./nowhere/.insteadOf",
    "GIT_CONFIG_VALUE_0": "https://",
}
OTHER_ANSWERS = {
    "title": "Mine: “really”",
    "short_description": "What it does, in short",
    "emoji": "🐈",
    "color_from": "red",
    "color_to": "blue",
    "license": "mit",
    "python_version": "3.11",
    "examples_cache": "off",
}


def adopted(space: Path, env: Mapping[str, str] = OFFLINE) -> str:
    return succeeded(run_here("adopt", space, "--yes", env=env))


def answers_of(files: Tree) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(files[ANSWERS])
    return found


def without(files: Tree, path: str) -> Tree:
    return {name: data for name, data in files.items() if name != path}


@pytest.fixture
def space(tmp_path: Path) -> Path:
    return put(fresh(), tmp_path / "space")


HARDWARE = ["cpu-basic", "zero-a10g", "t4-small", "a100x8"]


@pytest.mark.parametrize(("number", "model_type"), list(enumerate(load_model_types())))
def test_lost_answers_are_found_in_the_files(number: int, model_type: str, tmp_path: Path) -> None:
    """Of every model type, with the default answers."""
    wanted = HARDWARE[number % len(HARDWARE)]
    row = load_model_types()[model_type]
    fits = row.parameters <= largest_model(load_tiers()[wanted], row)
    files = fresh(model_type, wanted if fits else row.hardware)
    space = put(without(files, ANSWERS), tmp_path / "space")
    said = adopted(space)
    assert take(space) == files
    assert f"{len(files) - 1} of {len(files) - 1} files" in said
    assert f"  model_type: {model_type}" in said


@pytest.mark.parametrize(
    ("model_type", "hardware", "size"),
    [
        ("text-generation", "a10g-large", 7000),
        ("sentence-similarity", "cpu-upgrade", 33),
        ("text-to-image", "a100-large", 12000),
    ],
)
def test_answers_that_are_no_defaults_are_found_too(
    model_type: str, hardware: str, size: int, tmp_path: Path
) -> None:
    """The size of the model may be another, but one that gives the same values."""
    chosen = {"model_type": model_type, "hardware": hardware, **OTHER_ANSWERS}
    space = tmp_path / "space"
    files = made({**chosen, "model_id": "me/my-model", "model_parameters": size}, space)
    (space / ANSWERS).unlink()
    adopted(space)
    after = take(space)
    assert without(after, ANSWERS) == without(files, ANSWERS)
    found, before = answers_of(after), answers_of(files)
    assert {**found, "model_parameters": 0} == {**before, "model_parameters": 0}
    again = made({key: found[key] for key in found if key[0] != "_"}, tmp_path / "again")
    assert without(again, ANSWERS) == without(files, ANSWERS)


def test_a_local_model_and_measured_values_are_found(tmp_path: Path) -> None:
    row = {"max_batch_size": 48, "time_limit": 77, "source": "measured 2026-11-20 on a T4"}
    space = tmp_path / "space"
    model = load_model_types()["text-classification"].model_id
    files = made({"hardware": "t4-small", "measured": {model: {"t4-small": row}}}, space)
    (space / ANSWERS).unlink()
    adopted(space)
    assert without(take(space), ANSWERS) == without(files, ANSWERS)
    found = answers_of(take(space))["measured"][model]
    assert found.keys() == {"t4-small"}
    assert found["t4-small"].items() >= row.items()


def test_edits_of_the_owner_do_not_hide_the_answers(space: Path) -> None:
    """The answers are as they were; what counts is that most files are the template's."""
    files = edited(fresh(), "README.md", "# Text classification", "# Mine")
    files = edited(files, "app.py", "lines=5", "lines=7")
    files = edited(files, "model.py", "Another, longer text.", "One more, longer text.")
    put({**files, "own.py": b"OWN = 1\n"}, space)
    (space / ANSWERS).unlink()
    adopted(space)
    assert take(space) == {**files, "own.py": b"OWN = 1\n"}


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("lost", ["README.md", "tuning.py"])
def test_one_of_the_two_files_with_answers_is_enough(
    lost: str, line_end: bytes, space: Path
) -> None:
    (space / ANSWERS).unlink()
    (space / lost).unlink()
    for path in ("README.md", "tuning.py"):
        if path != lost:
            (space / path).write_bytes(fresh()[path].replace(b"\n", line_end))
    adopted(space)
    found, made = answers_of(take(space)), answers_of(fresh())
    if lost == "README.md":  # what stands in the card alone is not to be found
        assert {key: found[key] for key in ("model_type", "model_id", "hardware")} == {
            key: made[key] for key in ("model_type", "model_id", "hardware")
        }
    else:
        assert {**found, "examples_cache": ""} == {**made, "examples_cache": ""}


def conflicted(answers: bytes) -> bytes:
    """An answers file as git leaves it after a merge that failed."""
    mine, theirs = b"hardware: cpu-basic\n", b"hardware: t4-small\n"
    return answers.replace(
        mine, b"<<<<<<< HEAD\n" + mine + b"=======\n" + theirs + b">>>>>>> other\n"
    )


GOOD = fresh()[ANSWERS]
DAMAGED = {
    "empty": b"",
    "truncated": GOOD[:60],
    "truncated in the middle": GOOD[: len(GOOD) // 2],
    "no YAML": GOOD.replace(b"emoji: ", b"emoji: ["),
    "not UTF-8": GOOD + b"\xff\xfe\n",
    "binary": b"\0" * 100,
    "conflict": conflicted(GOOD),
    "a list": b"- 1\n- 2\n",
    "no model type": GOOD.replace(b"model_type: text-classification\n", b""),
    "model type of another kind": GOOD.replace(
        b"model_type: text-classification", b"model_type: [1]"
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_answers_are_told_in_one_line_and_written_anew(kind: str, space: Path) -> None:
    (space / ANSWERS).write_bytes(DAMAGED[kind])
    before = take(space)
    for verb in ("upgrade", "diff"):
        said = refusal(run_here(verb, space, "--hardware", "t4-small"))
        assert f"{ANSWERS} is damaged" in said
        assert f"`spaces-gen adopt {space}`" in said
    assert take(space) == before
    adopted(space)
    assert take(space) == fresh()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"model_type: text-classification", b"model_type: poetry", "poetry"),
        (b"hardware: cpu-basic", b"hardware: t5", "t5"),
        (b"hardware: cpu-basic", b"hardware: [1]", "hardware"),
        (b"license: apache-2.0", b"license: none-at-all", "license"),
        (b"model_parameters: 67", b"model_parameters: many", "model_parameters"),
        (b"title: Text classification", b"title: ''", "title"),
    ],
)
def test_answers_that_are_not_allowed_are_told_in_one_line(
    old: bytes, new: bytes, words: str, space: Path
) -> None:
    """Or put right, where the files tell better; nothing is written for any other reason."""
    assert old in GOOD
    (space / ANSWERS).write_bytes(GOOD.replace(old, new))
    before = take(space)
    done = run_here("upgrade", space, "--hardware", "t4-small")
    if done.returncode == 0:
        assert b"hardware" in new
        assert take(space) == fresh(hardware="t4-small")
        return
    assert words in refusal(done)
    assert take(space) == before


def test_hardware_that_somebody_edited_in_the_answers_alone_is_put_right(space: Path) -> None:
    (space / ANSWERS).write_bytes(GOOD.replace(b"hardware: cpu-basic", b"hardware: t4-small"))
    said = succeeded(run_here("upgrade", space, "--hardware", "t4-small"))
    assert f"{ANSWERS} says t4-small, but the files are of cpu-basic" in said
    assert take(space) == fresh(hardware="t4-small")


def test_hardware_that_somebody_edited_in_two_files_brings_the_third_along(space: Path) -> None:
    """A GPU does not get the PyTorch for CPUs, unless that is refused or told."""
    files = edited(fresh(), "tuning.py", 'TIER = "cpu-basic"', 'TIER = "t4-small"')
    files = edited(
        files, "README.md", "suggested_hardware: cpu-basic", "suggested_hardware: t4-small"
    )
    put(files, space)
    done = run_here("upgrade", space, "--hardware", "a10g-small")
    if done.returncode == 0 and "requirements.txt" not in done.stdout:
        assert take(space) == fresh(hardware="a10g-small")
    assert done.returncode or b"whl/cpu" not in (space / "requirements.txt").read_bytes()


def test_a_missing_answers_file_is_told_in_one_line(space: Path) -> None:
    (space / ANSWERS).unlink()
    said = refusal(run_here("upgrade", space, "--hardware", "t4-small"))
    assert f"has no {ANSWERS}" in said
    assert f"`spaces-gen adopt {space}`" in said


def test_a_folder_that_is_no_space_is_refused(space: Path, tmp_path: Path) -> None:
    other = put({"app.py": b"print()\n", "README.md": b"---\nsdk: gradio\n---\n"}, tmp_path / "a")
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (other, empty):
        before = take(folder)
        said = refusal(run_here("adopt", folder, "--yes", env=OFFLINE))
        assert "was not made from this template" in said
        assert take(folder) == before
    assert "there is no folder" in refusal(run_here("adopt", tmp_path / "none", "--yes"))


def test_without_a_terminal_nothing_is_written_unless_told_to(space: Path) -> None:
    (space / ANSWERS).unlink()
    before = take(space)
    done = run("adopt", space, env=OFFLINE)
    assert "run it with --yes" in refusal(done)
    assert "  hardware: cpu-basic" in done.stdout
    assert take(space) == before


@pytest.mark.parametrize(("typed", "written"), [("y\n", True), ("n\n", False)])
def test_in_a_terminal_the_answers_are_shown_and_asked_for(
    typed: str, written: bool, space: Path
) -> None:
    (space / ANSWERS).unlink()
    before = take(space)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "spaces_gen", "adopt", str(space)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**outer(), **OFFLINE, "NO_COLOR": "1"},
    )
    os.write(ours, typed.encode())
    out, err = process.communicate()
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, err
    assert "  hardware: cpu-basic" in out
    assert take(space) == (fresh() if written else before)


def test_a_space_of_another_version_is_recognized(server: Server, tmp_path: Path) -> None:
    """By the version of which it has the most files."""
    files = fresh(version=VERSIONS[1])
    space = put(without(files, ANSWERS), tmp_path / "space")
    said = adopted(space, server.variables)
    assert f"files are as template {VERSIONS[1]} gives them" in said
    after = take(space)
    assert without(after, ANSWERS) == without(files, ANSWERS)
    assert answers_of(after) == {**answers_of(files), "_src_path": PUBLIC}


def test_the_address_of_the_template_is_kept_where_it_can_still_be_read(
    server: Server, space: Path
) -> None:
    """A Space of somebody's copy of the template goes on with that copy."""
    files = fresh(version=VERSIONS[1])
    put(files, space)
    (space / ANSWERS).write_bytes(conflicted(files[ANSWERS]))
    adopted(space, server.variables)
    found = answers_of(take(space))
    assert found["_src_path"].removesuffix(".git") == TEAM
    assert found["_commit"] == VERSIONS[1]
