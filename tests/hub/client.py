"""How the real client gets to the local Hub, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = "127.0.0.1"


def environment(url: str, token: str | None, home: Path, **variables: str) -> dict[str, str]:
    """Of a child process that takes the Hub at `url` for the Hub.

    Args:
        home: an empty folder in place of ~/.cache/huggingface.
        variables: more of them, as HF_HUB_DISABLE_XET="1".
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))
    }
    access = {"HF_TOKEN": token} if token else {}
    return {
        **inherited,
        **access,
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": HERE,
        **variables,
    }


@contextmanager
def reachable() -> Iterator[None]:
    """Let the client of this process make requests to this machine.

    HF_HUB_OFFLINE was read when it was imported, and forbids all of them.
    """
    # Not above: who imports this may be about to set what the client reads at its import.
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    def factory() -> Any:
        client = default_client_factory()
        client.event_hooks["request"].append(_refuse_elsewhere)
        return client

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = False
    set_client_factory(factory)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        set_client_factory(default_client_factory)


def _refuse_elsewhere(request: Any) -> None:
    if request.url.host != HERE:
        raise AssertionError(f"a test asked {request.url} instead of the local Hub")
