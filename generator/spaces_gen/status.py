"""`spaces-gen status` and `spaces-gen logs`: how a Space on the Hub is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from spaces_gen.errors import UserError
from spaces_gen.hub.client import Hub, explained
from spaces_gen.hub.plan import price
from spaces_gen.hub.remote import if_there, runtime_of, secret_times, variables_of


def status(hub: Hub, repo_id: str) -> dict[str, Any]:
    """What is known of a Space; of its secrets the names.

    Raises:
        UserError: it is not there, or the Hub cannot be asked.
    """
    info = hub.ask(f"read {repo_id}", lambda: if_there(hub, repo_id))
    if info is None:
        raise UserError(f"there is no Space {repo_id} that you can see")
    runtime = runtime_of(hub, repo_id)
    commits = hub.ask(
        f"read the history of {repo_id}",
        lambda: hub.api.list_repo_commits(repo_id, repo_type="space"),
    )
    requested = runtime.requested_hardware
    about: dict[str, Any] = {
        "address": f"{hub.endpoint}/spaces/{repo_id}",
        "stage": str(runtime.stage),
        "error": runtime.raw.get("errorMessage"),
        "hardware": runtime.hardware,
        "requested_hardware": requested if requested != runtime.hardware else None,
        "sleep_time": runtime.sleep_time,
        "price_per_hour": price(requested or runtime.hardware),
        "last_commit": None,
    }
    if commits:
        last = commits[0]
        about["last_commit"] = f"{last.commit_id[:7]} {last.title} ({last.created_at:%Y-%m-%d})"
    try:  # only those who may write to it see these
        about["variables"] = variables_of(hub, repo_id)
        about["secrets"] = sorted(secret_times(hub, repo_id))
    except UserError:
        about["variables"], about["secrets"] = {}, []
    return about


def logs(hub: Hub, repo_id: str, build: bool, follow: bool) -> Iterator[str]:
    """The lines of a Space's log.

    Raises:
        UserError: it cannot be read.
    """
    try:
        for text in hub.api.fetch_space_logs(repo_id, build=build, follow=follow):
            yield from text.rstrip("\n").splitlines()
    except httpx.ReadTimeout:
        return  # nothing more for now
    except (HfHubHTTPError, httpx.HTTPError) as error:
        raise explained(error, f"read the log of {repo_id}", hub.endpoint) from error
