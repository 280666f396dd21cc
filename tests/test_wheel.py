"""The wheel, installed in an environment of its own, renders what the checkout renders."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from test_render import tree

from spaces_gen.render import render

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_wheel_renders_the_same_bytes_without_git(built: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    install = [str(python), "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    no_git = {**os.environ, "HF_HUB_OFFLINE": "1", "PATH": str(environment / "bin")}
    for answers in ({"model_type": "text-classification"}, {"model_type": "object-detection"}):
        name = answers["model_type"]
        done = subprocess.run(
            [str(environment / "bin" / "spaces-gen"), "new", name, "--model-type", name],
            cwd=tmp_path, env=no_git, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        render(answers, tmp_path / "ours" / name)
        assert tree(tmp_path / name) == tree(tmp_path / "ours" / name)
    checked = subprocess.run(
        [str(environment / "bin" / "spaces-gen"), "check", "object-detection"],
        cwd=tmp_path, env=no_git, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_wheel_and_sdist_carry_no_leftovers(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    (sdist,) = built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    with tarfile.open(sdist) as archive:
        names += archive.getnames()
    assert any(name.endswith("_bundle/copier.yml") for name in names)
    for name in names:
        assert "__pycache__" not in name
        assert not name.endswith(".pyc")
        assert "/.venv/" not in name
