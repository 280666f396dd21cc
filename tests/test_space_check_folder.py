"""The checks of a whole folder: what must stay at home, sizes, git, and the command itself."""

# ruff: noqa: F401, F811 (the fixture `space` is imported, and then a parameter)

# the fixture `space` is imported, and then a parameter

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import space_check
import yaml
from hypothesis import given
from hypothesis import strategies as st
from space_checks import front_matter
from test_space_check import REPOSITORY, TOKENS, found, only, space


@pytest.mark.parametrize("name", [".env", ".env.production", "deep/.envrc", ".netrc"])
def test_private_files_are_not_published(space: Path, name: str) -> None:
    (space / "deep").mkdir()
    (space / ".env.example").write_text("HF_TOKEN=\n")
    assert found(space) == []
    (space / name).write_text("PORT=1\n")
    assert (only(space).level, only(space).path) == ("error", name)


def test_links_are_judged_and_never_followed_out(space: Path) -> None:
    outside = space.parent / "outside"
    outside.mkdir()
    (outside / "notes.txt").write_text(TOKENS["Hugging Face token"])
    targets: dict[str, Path | str] = {
        "a-file": outside / "notes.txt",
        "b-folder": outside,
        "c-nowhere": "missing",
        "d-loop": "d-loop",
        "e-private": "venv/.env",
        "f-inside": "app.py",
    }
    (space / "venv").mkdir()
    (space / "venv" / ".env").touch()
    (space / ".venv").symlink_to(outside)
    for name, target in targets.items():
        (space / name).symlink_to(target)
    words = ["leads out", "leads out", "nowhere", "nowhere", "private"]
    findings = space_check.check(space)
    assert [item.path for item in findings] == list(targets)[:5]
    assert all(word in item.message for word, item in zip(words, findings, strict=True))


def test_folders_of_tools_are_skipped(space: Path) -> None:
    for folder in (".venv", "venv", "a/__pycache__", ".gradio", ".cache", "node_modules", "mine"):
        (space / folder).mkdir(parents=True)
        (space / folder / "bad.py").write_text(TOKENS["OpenAI key"])
    assert {item.path for item in space_check.check(space)} == {"mine/bad.py"}
    (space / "mine" / "pyvenv.cfg").touch()
    assert found(space) == []


def test_odd_files_do_not_stop_the_check(
    space: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = TOKENS["GitHub token"]
    os.mkfifo(space / "pipe")
    (space / "image.png").write_bytes(b"\x89PNG\0" + token.encode())
    (space / "windows.txt").write_bytes(token.encode("utf-16"))
    (space / "latin.txt").write_bytes(b"\xe9\n" + token.encode())
    Path(os.fsdecode(bytes(space) + b"/two\nlines\xff.py")).write_text("(")
    (space / "secret.txt").touch()
    opened = Path.open

    def refuse(path: Path, mode: str = "r") -> object:
        if path.name == "secret.txt":
            raise PermissionError
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", refuse)
    assert space_check.main([str(space)]) == 1
    lines = capsys.readouterr().out.splitlines()
    places = [
        "image.png:1: error",
        "latin.txt:2: error",
        "secret.txt: warning",
        r"two\nlines\udcff.py:1: error",
        "windows.txt:1: error",
    ]
    assert [line[: len(place)] for line, place in zip(lines, places)] == places
    assert len(lines) == len(places)


def test_gits_view_decides_what_is_checked(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=space.parent, check=True, capture_output=True)

    git("init", "--quiet")
    (space / ".gitignore").write_text(".env\n/build/\n")
    (space / "build").mkdir()
    for name in (".env", "build/notes.txt", "gone.txt"):
        (space / name).write_text(TOKENS["Hugging Face token"])
    git("add", "space/gone.txt")
    (space / "gone.txt").unlink()
    monkeypatch.setenv("GIT_DIR", str(space.parent / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(space.parent / "elsewhere"))
    assert found(space) == []
    (space / "new.txt").write_text(TOKENS["Hugging Face token"])
    assert only(space).path == "new.txt"
    (space / "new.txt").unlink()
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    git("add", "--force", "space/.env")
    assert {item.path for item in space_check.check(space)} == {".env"}
    git("rm", "--quiet", "--cached", "space/.env")
    (space.parent / ".gitignore").write_text("space/\n")
    assert found(space) == [], "its own .gitignore counts all the same"
    (space / "new.txt").write_text(TOKENS["Hugging Face token"])
    assert only(space).path == "new.txt"


def test_it_runs_as_a_hook_on_the_standard_library_alone(space: Path) -> None:
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == (
        "spaces-gen-check",
        "script",
        False,
    )
    entry = REPOSITORY / hook["entry"]
    assert entry.stat().st_mode & stat.S_IXUSR
    assert entry.read_text("utf-8").startswith("#!/usr/bin/env python3\n")
    command = [sys.executable, "-S", "-E", str(entry)]
    good = subprocess.run(command, cwd=space, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    (space / "app.py").write_text("(")
    bad = subprocess.run([*command, str(space)], capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stderr) == (1, "")
    assert bad.stdout.startswith("app.py:1: error: '(' was never closed")
    none = subprocess.run([*command, "missing"], cwd=space, capture_output=True, check=False)
    assert none.returncode == 2


def agrees_with_yaml(body: str) -> None:
    """What the strict reader reads is what YAML says; the rest it refuses with a line."""
    readme = f"---\n{body}\n---\n"
    try:
        entries = front_matter.parse(readme)
    except front_matter.FrontMatterError as problem:
        refused = problem.line
    else:
        read = {key: entry.value for key, entry in entries.items()}
        assert repr(read) == repr(yaml.safe_load(body.partition("\n---")[0]) or {})
        return
    assert 1 <= refused <= readme.count("\n") + 1


TEXTS = st.one_of(
    st.text(max_size=40), st.sampled_from(["3.10", "yes", "a: b", "- x", "#1", "it's", "6.31.0"])
)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(), st.floats(allow_nan=False), st.none())


@given(st.dictionaries(TEXTS, st.one_of(SCALARS, st.lists(SCALARS, max_size=4)), max_size=5))
def test_dumped_cards_read_back(card: dict[str, object]) -> None:
    agrees_with_yaml(yaml.safe_dump(card, allow_unicode=True))


PIECES = [*" \nabk0179:#-?,[]{}\"'\\%@&*!|>~=<._+eEx", "key: ", "\n  ", "\n- ", "null", "yes", "é"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_any_text_reads_as_yaml_or_is_refused(text: str) -> None:
    agrees_with_yaml("key: " + text)
    agrees_with_yaml(text)
