"""The checks as a pre-commit hook in a Space's own repository, for people who push with git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_copier import template  # noqa: F401  # the fixture

HOOKS = """repos:
  - repo: {address}
    rev: {commit}
    hooks:
      - id: spaces-gen-check
"""


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    who = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def space(
    rendered: Callable[..., Path],
    template: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A Space in a repository of its own, with the hook installed."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    folder = tmp_path / "space"
    shutil.copytree(rendered(model_type="text-classification"), folder)
    commit = git(template, "rev-parse", "HEAD")
    config = HOOKS.format(address=template, commit=commit)
    (folder / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    subprocess.run([sys.executable, "-m", "pre_commit", "install"], cwd=folder, check=True)
    return folder


def test_a_commit_is_checked(space: Path) -> None:
    git(space, "commit", "--quiet", "--message", "A Space")
    model = space / "model.py"
    model.write_text(model.read_text() + "\nTOKEN = 'hf_" + "aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA1cE3g'\n")
    git(space, "add", ".")
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        git(space, "commit", "--message", "With a token")
    said = stopped.value.stdout + stopped.value.stderr
    assert "Hugging Face token" in said
    assert "aB3dE5" not in said
    assert git(space, "log", "--format=%s") == "A Space"
