"""The hardware of Spaces as the Hub lists it, and who gets which."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.accounts import Org, User
from hub.answers import Refused
from hub.spaces import CPU_BASIC, Space

ZERO_GPU = "zero-a10g"
# By flavor: its name, vCPUs, GB of memory and of disk, GPU, how many of them, GB of memory of all
# of them, and USD per hour. Not taken from the tables of spaces-gen: these test those.
_ROWS: dict[str, tuple[str, int, int, int, str, int, int, float]] = {
    "cpu-basic": ("CPU basic", 2, 16, 50, "", 0, 0, 0.0),
    "cpu-upgrade": ("CPU upgrade", 8, 32, 50, "", 0, 0, 0.03),
    "zero-a10g": ("ZeroGPU", 0, 0, 0, "RTX PRO 6000", 1, 48, 0.0),
    "t4-small": ("Nvidia T4 - small", 4, 15, 50, "T4", 1, 16, 0.4),
    "t4-medium": ("Nvidia T4 - medium", 8, 30, 100, "T4", 1, 16, 0.6),
    "l4x1": ("1x Nvidia L4", 8, 30, 400, "L4", 1, 24, 0.8),
    "l4x4": ("4x Nvidia L4", 48, 186, 3200, "L4", 4, 96, 3.8),
    "l40sx1": ("1x Nvidia L40S", 8, 62, 380, "L40S", 1, 48, 1.8),
    "l40sx4": ("4x Nvidia L40S", 48, 382, 3200, "L40S", 4, 192, 8.3),
    "l40sx8": ("8x Nvidia L40S", 192, 1534, 6500, "L40S", 8, 384, 23.5),
    "a10g-small": ("Nvidia A10G - small", 4, 15, 110, "A10G", 1, 24, 1.0),
    "a10g-large": ("Nvidia A10G - large", 12, 46, 200, "A10G", 1, 24, 1.5),
    "a10g-largex2": ("2x Nvidia A10G - large", 24, 92, 1000, "A10G", 2, 48, 3.0),
    "a10g-largex4": ("4x Nvidia A10G - large", 48, 184, 2000, "A10G", 4, 96, 5.0),
    "a100-large": ("Nvidia A100 - large", 12, 142, 1000, "A100", 1, 80, 2.5),
    "a100x4": ("4x Nvidia A100", 48, 568, 4000, "A100", 4, 320, 10.0),
    "a100x8": ("8x Nvidia A100", 96, 1136, 8000, "A100", 8, 640, 20.0),
    "rtx-pro-6000": ("1x RTX PRO 6000", 23, 256, 475, "RTX PRO 6000", 1, 96, 2.75),
    "rtx-pro-6000x2": ("2x RTX PRO 6000", 46, 512, 950, "RTX PRO 6000", 2, 192, 5.5),
    "rtx-pro-6000x4": ("4x RTX PRO 6000", 92, 1024, 1900, "RTX PRO 6000", 4, 384, 11.0),
    "rtx-pro-6000x8": ("8x RTX PRO 6000", 184, 2048, 3800, "RTX PRO 6000", 8, 768, 22.0),
}
FLAVORS = tuple(_ROWS)
FREE = (CPU_BASIC, ZERO_GPU)
_POLICY = (
    "Static Spaces are free for everyone, but hosting Gradio and Docker Spaces on free cpu-basic "
    "requires a "
)
NO_CARD = "You must add a payment method to your account to use paid hardware"


def listed() -> list[dict[str, Any]]:
    """What GET /api/spaces/hardware answers; prices are per minute."""
    answer = []
    for flavor, (name, cpus, memory, disk, gpu, count, vram, price) in _ROWS.items():
        accelerator = {
            "type": "gpu",
            "model": gpu,
            "quantity": str(count),
            "vram": f"{vram} GB",
            "manufacturer": "Nvidia",
        }
        answer.append(
            {
                "name": flavor,
                "prettyName": name,
                "cpu": f"{cpus} vCPU" if cpus else "N/A",
                "ram": f"{memory} GB" if memory else "N/A",
                "ephemeralStorage": f"{disk} GB" if disk else "N/A",
                "accelerator": accelerator if gpu else None,
                "unitCostMicroUSD": round(price * 1e6 / 60),
                "unitCostUSD": round(price / 60, 6),
                "unitLabel": "minute",
            }
        )
    return answer


def check(
    owner: User | Org,
    sdk: str,
    flavor: str | None,
    sleep_time: int | None,
    *,
    spaces: Iterable[Space],
    no_card_status: int,
    now: str | None = None,
) -> None:
    """Refuse hardware that an owner does not get for a Space.

    Args:
        flavor: what is asked for; None, in a new Space, means cpu-basic.
        spaces: all Spaces but this one, for the cap on ZeroGPU.
        no_card_status: with which paid hardware is refused; nobody says whether it is 402 or 403.
        now: what the Space has asked for so far, which it keeps.
    """
    if sdk == "static":
        if flavor not in (None, CPU_BASIC):
            raise Refused(400, "Static Spaces run on no hardware")
        return
    flavor = flavor or CPU_BASIC
    if flavor not in FLAVORS:
        raise Refused(400, f'"flavor" must be one of [{", ".join(FLAVORS)}]')
    if flavor == CPU_BASIC and sleep_time is not None:
        raise Refused(400, "The sleep time of cpu-basic cannot be set")
    if flavor == now:
        return
    if flavor == CPU_BASIC and not owner.paying:
        if isinstance(owner, Org):
            raise Refused(402, f"{_POLICY}Team or Enterprise plan for organization {owner.name}")
        raise Refused(402, f"{_POLICY}PRO subscription. Subscribe at https://huggingface.co/pro")
    if flavor not in FREE and not owner.can_pay:
        raise Refused(no_card_status, NO_CARD)
    if flavor == ZERO_GPU:
        if sdk != "gradio":
            raise Refused(400, "ZeroGPU is for Gradio Spaces only")
        theirs = [space for space in spaces if space.id.split("/")[0] == owner.name]
        cap = owner.zero_gpu_spaces
        if sum(space.requested_hardware == ZERO_GPU for space in theirs) >= cap:
            raise Refused(403, f"You have reached the limit of {cap} ZeroGPU Spaces")
