"""Runs git apart from the settings and the repository that happen to surround it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CLONE_SECONDS = 300
QUICK_SECONDS = 30


def is_of_git(variable: str) -> bool:
    """Whether an environment variable tells git anything."""
    return variable.startswith("GIT_")


def is_of_a_hook(variable: str) -> bool:
    """Whether a git hook leaves it behind, pointing to the repository of the hook."""
    return is_of_git(variable) and not variable.startswith("GIT_CONFIG_")


def run_git(
    *arguments: str, cwd: Path, own_settings: bool = True, seconds: float = QUICK_SECONDS
) -> subprocess.CompletedProcess[bytes]:
    """Run git and wait; the caller looks at the exit code.

    Args:
        own_settings: whether the person's git settings count, such as proxies and credentials.

    Raises:
        OSError: git is not installed.
        subprocess.TimeoutExpired: it takes longer than `seconds`.
    """
    unwanted = is_of_a_hook if own_settings else is_of_git
    environment = {key: value for key, value in os.environ.items() if not unwanted(key)}
    if not own_settings:
        environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env={**environment, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=seconds,
    )
