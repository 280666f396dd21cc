"""What the tests of `spaces-gen publish` share: a local Hub, a Space, and the command."""

from __future__ import annotations

import functools
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub import Hub
from huggingface_hub.utils import http_backoff
from upgrading import run_here

ME = "me/demo"
SECURE = functools.cache(ssl.create_default_context)  # it reads all certificates each time


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.user("me", pro=True, can_pay=True)
        yield hub


@pytest.fixture
def space(rendered: Callable[..., Path], tmp_path: Path) -> Path:
    """A rendered Space of one's own."""
    shutil.copytree(rendered(model_type="text-classification"), tmp_path / "space")
    return tmp_path / "space"


class Command:
    """`spaces-gen` as a child process, logged in."""

    def __init__(self, hub: Hub, home: Path, token: str | None = None) -> None:
        self.token = hub.token("me") if token is None else token
        self.access = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(home / "hf-home"),
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_OFFLINE": "0",
            **({"HF_TOKEN": self.token} if self.token else {}),
        }
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "NO_COLOR": "1",
            "COLUMNS": "200",
            **self.access,
        }

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "spaces_gen", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **variables},
        )

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def well(self, *arguments: str, **variables: str) -> str:
        done = self(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *arguments: str, code: int = 1, **variables: str) -> str:
        """The one line of the error; a sentence, without a traceback."""
        done = self(*arguments, **variables)
        assert done.returncode == code, done.stdout + done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, done.stderr
        assert "Traceback" not in done.stderr
        return lines[0]


class Here(Command):
    """The same in this process, which spares the imports; waits are short."""

    def __call__(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        if any(name.startswith("HF_") for name in variables):  # they are read by an import
            return super().__call__(*arguments, **variables)
        with pytest.MonkeyPatch.context() as patch:
            at_the_hub(patch, self.access["HF_ENDPOINT"])
            return run_here(*arguments, env={**self.environment, **variables})


def at_the_hub(patch: pytest.MonkeyPatch, address: str) -> None:
    """Let what runs in this process ask this Hub, and again at once where it has to wait."""
    for name, value in (("ENDPOINT", address), ("HF_HUB_OFFLINE", False)):
        patch.setattr(f"huggingface_hub.constants.{name}", value)
    patch.setattr("spaces_gen.hub.client.FIRST_PAUSE", 0.01)
    patch.setattr("spaces_gen.hub.follow.FIRST_POLL_SECONDS", 0.05)
    defaults = http_backoff.__kwdefaults__
    assert defaults is not None
    patch.setitem(defaults, "base_wait_time", 0.01)  # the library's own pauses
    patch.setattr("ssl.create_default_context", SECURE)


@pytest.fixture
def command(hub: Hub, tmp_path: Path) -> Here:
    return Here(hub, tmp_path)


@pytest.fixture
def child(hub: Hub, tmp_path: Path) -> Command:
    return Command(hub, tmp_path)


def writes(hub: Hub) -> list[str]:
    return [f"{request.method} {request.path}" for request in hub.writes]


def on_hub(hub: Hub) -> dict[str, bytes]:
    files: dict[str, bytes] = hub.space(ME).files()
    return files


def here(space: Path) -> dict[str, bytes]:
    return {
        path.relative_to(space).as_posix(): path.read_bytes()
        for path in space.rglob("*")
        if path.is_file()
        and path.name != ".spaces-gen.json"
        and not {"__pycache__", ".git"} & set(path.parts)
    }
