"""Plain Copier, as a child process, without trust; and answers of any text."""

from __future__ import annotations

import ast
import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from space_checks import check
from test_render import tree
from upgrading import fast_renders

from spaces_gen.errors import UserError
from spaces_gen.render import render

ROOT = Path(__file__).parent.parent
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as a git repository with the tag v9.9.9, as people copy it."""
    folder = tmp_path_factory.mktemp("template")
    for name in ("template", "generator", "hooks"):
        leave_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
    for name in ("copier.yml", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "v"], ["tag", "v9.9.9"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    return folder


def copier(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The `copier` command, without a terminal and without the user's settings."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return subprocess.run(
        [sys.executable, "-m", "copier", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        env={**environment, "COPIER_SETTINGS_PATH": str(cwd / "none.yml")},
    )


def without_version(files: dict[str, bytes]) -> dict[str, bytes]:
    """A tree whose answers file does not name the template's version."""
    answers = re.sub(rb"_commit: .*\n", b"", files[".copier-answers.yml"])
    return {**files, ".copier-answers.yml": answers}


def test_plain_copier_needs_no_trust_and_equals_the_command(template: Path, tmp_path: Path) -> None:
    done = copier("copy", "--defaults", "--quiet", str(template), "space", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    render({}, tmp_path / "ours")
    assert without_version(tree(tmp_path / "space")) == tree(tmp_path / "ours")
    answers = yaml.safe_load((tmp_path / "space" / ".copier-answers.yml").read_text())
    assert answers["_commit"] == "v9.9.9"
    assert answers["_src_path"].startswith("https://")


def test_plain_copier_says_what_is_allowed(template: Path, tmp_path: Path) -> None:
    for answer, words in (
        ("hardware=t5", "Invalid choice for 'hardware': 't5' is not in ['cpu-basic'"),
        ("model_id=a b", "neither owner/name"),
        ("emoji=:)", 'emoji: ":)" is not one emoji'),
    ):
        done = copier(
            "copy", "--defaults", "-q", "-d", answer, str(template), "space", cwd=tmp_path
        )
        assert done.returncode == 1
        assert words in done.stderr.strip().splitlines()[-1]
        assert not (tmp_path / "space").exists()


def test_copier_update_moves_to_another_tier(template: Path, tmp_path: Path) -> None:
    """With the owner's edit kept, no trust asked for, and the rest as freshly rendered."""
    space = tmp_path / "space"
    done = copier("copy", "--defaults", "-q", str(template), "space", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    subprocess.run([*GIT, "init", "-q"], cwd=space, check=True)
    app = space / "app.py"
    app.write_text(app.read_text().replace("lines=5", "lines=7"))
    (space / "examples" / "examples.json").write_text('[["Mine."]]\n')
    for command in (["add", "-A"], ["commit", "-qm", "mine"]):
        subprocess.run([*GIT, *command], cwd=space, check=True)
    public = yaml.safe_load((space / ".copier-answers.yml").read_text())["_src_path"]
    environment = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{template}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"{public}.git",
    }
    done = subprocess.run(
        [
            sys.executable, "-m", "copier", "update", "--defaults", "-q",
            "--vcs-ref=:current:", "-d", "hardware=t4-small",
        ],
        cwd=space, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, **environment, "GIT_CONFIG_GLOBAL": os.devnull,
             "COPIER_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    render({"hardware": "t4-small"}, tmp_path / "fresh")
    updated, fresh = without_version(tree_without_git(space)), tree(tmp_path / "fresh")
    mine = {"app.py", "examples/examples.json"}
    assert {name for name in fresh if updated[name] != fresh[name]} == mine
    assert updated.keys() == fresh.keys()
    assert b"lines=7" in updated["app.py"]
    assert updated["examples/examples.json"] == b'[["Mine."]]\n'


def tree_without_git(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but git's own."""
    return {name: data for name, data in tree(folder).items() if not name.startswith(".git/")}


def test_copier_yml_uses_only_keys_that_copier_knows() -> None:
    """Copier ignores a misspelt key in silence."""
    spec = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    known = {"type", "help", "default", "choices", "validator", "when"}
    settings_keys = {"_min_copier_version", "_subdirectory", "_envops", "_exclude"}
    for key, question in spec.items():
        if key.startswith("_"):
            assert key in settings_keys | {"_message_after_copy"}
        else:
            assert question.keys() <= known, key
            assert question.get("when") is False or question["help"], key


TEXT = st.text(max_size=80) | st.text(alphabet="\"'\\{}[]<>&#:-|>%!`*_$@\n\t é🙂‮", max_size=60)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(title=TEXT, description=TEXT, model=TEXT)
def test_any_text_is_refused_in_one_line_or_quoted(
    title: str, description: str, model: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No answer changes the structure of what is rendered."""
    space = tmp_path_factory.mktemp("any") / "space"
    answers = {"title": title, "short_description": description, "model_id": f"./{model}"}
    refusal = None
    try:
        with fast_renders():
            render(answers, space)
    except UserError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal
        assert not space.exists()
        return
    card = (space / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["title"] == title
    assert header["short_description"] == description
    assert "models" not in header
    heading = next(line for line in card.splitlines() if line.startswith("# "))
    unescaped = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", heading[2:])
    assert unescaped.split() == title.split()
    assert not re.search(r"(?<!\\)[<>\[\]&]", heading[2:])
    tuning = ast.parse((space / "tuning.py").read_text(encoding="utf-8"))
    assigned = {
        node.targets[0].id: node.value
        for node in tuning.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(assigned["MODEL_ID"]) == f"./{model}"
    names = ["MODEL_ID", "TIER", "TYPICAL_INPUT", "CACHE_EXAMPLES", "REQUESTS_PER_MINUTE", "TIERS"]
    assert list(assigned) == names
    answers_file = yaml.safe_load((space / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers_file["title"] == title
    errors = [finding for finding in check(space) if finding.level == "error"]
    assert errors == []


def test_the_page_shows_hostile_text_as_text(rendered: Callable[..., Path]) -> None:
    """The heading is HTML that the Space builds from its card."""
    hostile = '<img src=x onerror=alert(1)> & "quotes" {{ 7*7 }}'
    space = rendered(title=hostile)
    code = "from serving.card import read_card; print(ascii(read_card().title))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=space, capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stdout) == hostile
    assert "<" not in html.escape(hostile)
