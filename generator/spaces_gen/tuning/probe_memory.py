"""Memory that the model of a Space takes, on its cards or in this process; see probe.py."""

from __future__ import annotations

import sys
from typing import Any


def on_gpu() -> Any:
    """PyTorch where it computes on a GPU."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None


def cards(torch: Any) -> list[int]:
    """Numbers of the cards that hold something of the model."""
    return [card for card in range(torch.cuda.device_count()) if torch.cuda.memory_reserved(card)]


def others_use(torch: Any, card: int) -> float:
    """Bytes of a card that are in use, but not by PyTorch's tensors here."""
    free, total = torch.cuda.mem_get_info(card)
    return float(total - free - torch.cuda.memory_reserved(card))


def used_memory() -> float:
    """Bytes in use: of the cards, or of this process."""
    torch = on_gpu()
    if torch is not None:
        own = torch.cuda.memory_allocated
        return float(sum(others_use(torch, card) + own(card) for card in cards(torch)))
    return status("VmRSS")


def peak_memory() -> float:
    """The most bytes in use since `reset_peak`."""
    torch = on_gpu()
    if torch is not None:
        own = torch.cuda.max_memory_allocated
        return float(sum(others_use(torch, card) + own(card) for card in cards(torch)))
    return status("VmHWM")


def reset_peak() -> None:
    """Let the peak begin anew."""
    torch = on_gpu()
    if torch is not None:
        for card in cards(torch):
            torch.cuda.reset_peak_memory_stats(card)
        return
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:  # then it is the peak since the start, which is no less
        pass


def status(name: str) -> float:
    """Bytes, as Linux counts them; the peak so far elsewhere."""
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith(f"{name}:"):
                    return 1024.0 * int(line.split()[1])
    except OSError:
        pass
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
