"""What a Space asks pip for agrees with what the platform adds to the same command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from spaces_gen.tables import load_model_types

# the rest of the platform's one pip command, from build logs of Spaces
PLATFORM = ["uvicorn>=0.14.0", "websockets>=10.4", "spaces"]


def index_is_reachable() -> bool:
    """Whether pip can look anything up."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple")
    try:
        with urllib.request.urlopen(f"{index.rstrip('/')}/pip/", timeout=10):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not index_is_reachable(), reason="no package index can be reached")
def test_the_platforms_command_resolves_for_every_model_type(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    """What all of them ask for together, which no one of them exceeds."""
    space = rendered(model_type="text-to-image", hardware="a10g-small")
    header = yaml.safe_load((space / "README.md").read_text().split("---\n")[1])
    asked = {line for row in load_model_types().values() for line in row.requirements}
    together = tmp_path / "requirements.txt"
    together.write_text((space / "requirements.txt").read_text() + "\n".join(sorted(asked)))
    gradio = f"gradio[oauth,mcp]=={header['sdk_version']}"
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed",
            "--report", str(report), "-r", str(together), gradio, *PLATFORM,
        ],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PIP_RETRIES": "0", "PIP_TIMEOUT": "15"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    installed = {
        entry["metadata"]["name"].lower(): entry["metadata"]["version"]
        for entry in json.loads(report.read_text())["install"]
    }
    assert installed["gradio"] == header["sdk_version"]
    assert {"uvloop", "httptools", "torch", "transformers", "diffusers", "skops"} <= set(installed)


def test_a_space_without_pytorch_does_not_ask_for_it(rendered: Callable[..., Path]) -> None:
    asked = (rendered(model_type="tabular-classification") / "requirements.txt").read_text()
    assert "skops" in asked
    assert "torch" not in asked.lower()


def test_every_requirement_has_a_floor() -> None:
    for row in load_model_types().values():
        assert all(">=" in line for line in row.requirements), row.key
