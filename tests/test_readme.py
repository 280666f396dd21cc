"""Every command of the README works as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hub import Hub
from publishing import Command, here
from test_copier import template  # noqa: F401  # the fixture

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line
]

SHORTER = {  # what takes minutes, for a good figure
    "tune": ["--seconds", "1", "--no-ways"],
    "bench": ["--seconds", "1", "--warm-up", "0.5"],
}


def cached(model: Path, name: str, home: Path) -> None:
    """Put a model where the Hub's client keeps what it has downloaded."""
    folder = home / "huggingface" / "hub" / f"models--{name.replace('/', '--')}"
    shutil.copytree(model, folder / "snapshots" / "0" / "")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0")


def test_the_two_make_targets_exist() -> None:
    """test_demo.py runs `make demo`; `make test` is what runs this test."""
    assert COMMANDS[:2] == ["make demo", "make test"]
    for command in COMMANDS[:2]:
        done = subprocess.run(
            [*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_all_other_commands_run_in_order(
    template: Path,  # noqa: F811
    tmp_path: Path,
    hub: Hub,
    tiny_model: Callable[[str], Path],
) -> None:
    public = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["source"]["default"]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "huggingface"),
        "COPIER_CACHE_DIR": str(tmp_path / "cache"),
        # the public repository is the one of this checkout
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{template}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"{public}.git",
    }
    cached(tiny_model("image-classification"), "google/vit-base-patch16-224", tmp_path)
    logged_in = {**environment, **Command(hub, tmp_path).access}
    said: dict[str, str] = {}
    for command in COMMANDS[2:]:
        publishes = "publish" in command
        verb = command.split()[1]
        done = subprocess.run(
            [*shlex.split(command), *SHORTER.get(verb, [])],
            cwd=tmp_path,
            env=logged_in if publishes else environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        said[verb] = done.stdout
        assert not (command.endswith("--dry-run") and hub.writes)
    published = hub.space("me/my-chat")
    assert published.files() == here(tmp_path / "my-chat")
    assert (published.stage, published.requested_hardware) == ("RUNNING", "a10g-small")
    tuned = (tmp_path / "my-space" / "tuning.py").read_text(encoding="utf-8")
    assert "measured 20" in tuned or "not written: that is worse" in said["tune"]
    for made in ("my-space", "my-chat"):
        assert (tmp_path / made / "app.py").is_file()
    assert shutil.which("spaces-gen", path=environment["PATH"])


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_what_a_page_points_to_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    for target in targets:
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_sources_of_the_project_agree() -> None:
    """The address in copier.yml is the one in pyproject.toml."""
    public = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))["source"]["default"]
    assert f'Homepage = "{public}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
