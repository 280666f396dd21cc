"""Whether an account may have one more Space on ZeroGPU."""

from __future__ import annotations

from spaces_gen.errors import UserError
from spaces_gen.hub.account import Account
from spaces_gen.hub.client import ASKING_ERRORS, Hub
from spaces_gen.hub.remote import RemoteSpace
from spaces_gen.tables import load_tiers

# Sleeping Spaces count. Whether paused ones do, the Hub does not say: they are not held against
# anybody here.
NOT_COUNTED = {"PAUSED", "STOPPED"}
NAMED = 3  # in the message


def check_room(
    hub: Hub, account: Account, repo_id: str, flavor: str | None, remote: RemoteSpace | None
) -> None:
    """Refuse a Space that would be on ZeroGPU beside as many as the plan includes.

    Args:
        flavor: that is wanted.
        remote: the Space as it is; None for one that is yet to be created.

    Raises:
        UserError: with what to do instead.
    """
    tier = load_tiers().get(flavor or "")
    if tier is None or not tier.zero_gpu or (remote is not None and remote.hardware == flavor):
        return
    namespace = repo_id.split("/")[0]
    most = account.zero_gpu_spaces(namespace)
    if most is None:
        return
    there = [one for one in on_zero_gpu(hub, namespace, tier.key) if one != repo_id]
    if len(there) >= most:
        named = ", ".join(there[:NAMED]) + (" …" if there[NAMED:] else "")
        raise UserError(
            f"{namespace} has {len(there)} Spaces on ZeroGPU ({named}) and its plan includes "
            f"{most}; move one to other hardware or delete it, or choose other --hardware"
        )


def on_zero_gpu(hub: Hub, namespace: str, flavor: str) -> list[str]:
    """Spaces on ZeroGPU, as far as the Hub tells; none where it does not answer.

    Asked once: what comes of it is only a friendlier refusal than the Hub's own.
    """
    try:
        listed = list(hub.api.list_spaces(author=namespace, expand=["runtime"]))
    except ASKING_ERRORS:
        return []
    return sorted(
        one.id
        for one in listed
        if one.runtime is not None
        and flavor == (one.runtime.requested_hardware or one.runtime.hardware)
        and one.runtime.stage not in NOT_COUNTED
    )
