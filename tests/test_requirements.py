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
@pytest.mark.parametrize(
    ("model_type", "hardware"),
    [
        ("text-to-image", "a10g-small"),
        ("tabular-classification", "cpu-basic"),
    ],
)
def test_the_platforms_command_resolves(
    model_type: str, hardware: str, rendered: Callable[..., Path], tmp_path: Path
) -> None:
    space = rendered(model_type=model_type, hardware=hardware)
    header = yaml.safe_load((space / "README.md").read_text().split("---\n")[1])
    gradio = f"gradio[oauth,mcp]=={header['sdk_version']}"
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed",
            "--report", str(report), "-r", "requirements.txt", gradio, *PLATFORM,
        ],
        cwd=space, capture_output=True, text=True, check=False,
        env={**os.environ, "PIP_RETRIES": "0", "PIP_TIMEOUT": "15"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    installed = {
        entry["metadata"]["name"].lower(): entry["metadata"]["version"]
        for entry in json.loads(report.read_text())["install"]
    }
    assert installed["gradio"] == header["sdk_version"]
    assert {"uvloop", "httptools"} <= installed.keys()
    tabular = model_type == "tabular-classification"
    assert tabular != ({"torch", "transformers"} <= installed.keys())
    assert tabular == ("skops" in installed)
    assert ("diffusers" in installed) == (model_type == "text-to-image")


def test_every_requirement_has_a_floor() -> None:
    for row in load_model_types().values():
        assert all(">=" in line for line in row.requirements), row.key
