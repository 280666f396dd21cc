"""Where the Space runs, and which row of tuning.py applies there."""

from __future__ import annotations

import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import tuning
from tuning import Tier

# the values that the platform's own package takes for yes
ON_ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
if ON_ZERO_GPU:
    import spaces  # noqa: F401  # prepares CUDA, so it comes before PyTorch

log = logging.getLogger("space")

GIB = 2**30

WORDS = {  # values that are no numbers
    "dtype": ("float32", "float16", "bfloat16"),
    "engine": ("pytorch", "onnxruntime", "openvino"),
}


@dataclass(frozen=True)
class Hardware:
    """What was found on this machine. Memory in GB; `gpu` is empty without CUDA."""

    cpus: int
    memory_gb: float
    gpu: str = ""
    gpus: int = 0
    gpu_memory_gb: float = 0
    bfloat16: bool = False
    zero_gpu: bool = False


@dataclass(frozen=True)
class Runtime:
    """What model.py and the server need to know about this machine."""

    model_id: str
    device: str
    tier: Tier
    zero_gpu: bool
    cpus: int
    gpus: int
    cache_examples: str
    requests_per_minute: int
    reason: str

    @property
    def dtype(self) -> str:
        """Name of the dtype for the weights, such as "float32"."""
        return self.tier.dtype

    @property
    def processes(self) -> int:
        """Processes with a copy of the model: one per GPU that the row asks for.

        Where a copy is spread over several GPUs, it is one per so many.
        """
        return min(self.tier.workers, self.gpus // self.tier.shards) or 1

    @property
    def threads(self) -> int:
        """Batches that a process computes at the same time."""
        of_a_copy = self.tier.workers // (self.tier.gpus // self.tier.shards or 1)
        return 1 if self.zero_gpu else max(1, of_a_copy)


def find_hardware() -> Hardware:
    """Look at the platform's variables first, then at the machine itself."""
    stated = re.match(r"[1-9]\d*", os.environ.get("CPU_CORES", ""))
    cpus = int(stated[0]) if stated else os.cpu_count() or 1
    memory = _memory_gb()
    if ON_ZERO_GPU:
        return Hardware(cpus, memory, zero_gpu=True, bfloat16=True)
    # PyTorch would count the CPUs of the whole host
    os.environ.setdefault("OMP_NUM_THREADS", str(cpus))
    try:
        import torch
    except ImportError:  # a model without PyTorch
        return Hardware(cpus, memory)
    if not torch.cuda.is_available():
        return Hardware(cpus, memory, bfloat16=_cpu_has_bfloat16())
    card = torch.cuda.get_device_properties(0)
    return Hardware(
        cpus,
        memory,
        gpu=card.name,
        gpus=torch.cuda.device_count(),
        gpu_memory_gb=card.total_memory / GIB,
        bfloat16=card.major >= 8,  # Ampere and newer compute it natively
    )


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU computes bfloat16 itself; others are slower with it."""
    import torch

    try:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported() and (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        )
    except (AttributeError, RuntimeError):  # another version, another kind of CPU
        return False


def _memory_gb() -> float:
    """The platform's `MEMORY` ("16Gi"), else the machine's."""
    stated = re.match(r"(\d+(?:\.\d+)?)([KMGT]?)", os.environ.get("MEMORY", ""))
    if stated:
        return float(stated[1]) * {"K": 2**-20, "M": 2**-10, "T": 2**10}.get(
            stated[2], 1
        )
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return 8.0  # Windows: a cautious guess


def choose_tier(
    hardware: Hardware, tiers: list[Tier], default: str
) -> tuple[Tier, str]:
    """The row for this machine, and why it was taken.

    Rows that ask for more than there is are never taken; `default` decides between
    equal ones. Where no row is small enough, the smallest is scaled down to one request
    at a time.
    """
    wanted = os.environ.get("TIER")
    if wanted:
        kind = hardware.zero_gpu
        named = [
            tier for tier in tiers if tier.flavor == wanted and tier.zero_gpu == kind
        ]
        if named:
            return named[0], "TIER says so"
        log.warning("TIER=%s is no row of tuning.py for here: ignored", wanted)
    fitting = [tier for tier in tiers if _fits(tier, hardware)]
    for tier in fitting:
        if tier.flavor == os.environ.get("ACCELERATOR"):
            return tier, "the platform says so"
    if fitting:

        def rank(tier: Tier) -> tuple[bool, bool, int, int, bool, int, bool]:
            # the CPUs beside a GPU need not be enough, but decide between equal GPUs
            enough = tier.cpus <= hardware.cpus
            gpus = tier.gpu_memory_gb, tier.gpus
            return (
                tier.gpus <= hardware.gpus,
                _same_card(tier, hardware),
                *gpus,
                enough,
                tier.cpus,
                tier.flavor == default,
            )

        return max(fitting, key=rank), "the largest that fits"

    def distance(tier: Tier) -> tuple[bool, bool, tuple[int, int, int]]:
        other_kind = bool(tier.gpu) != bool(hardware.gpu or hardware.zero_gpu)
        return tier.zero_gpu != hardware.zero_gpu, other_kind, _size(tier)

    smallest = min(tiers, key=distance)
    reduced = smallest._replace(
        shards=max(1, min(smallest.shards, hardware.gpus)),
        workers=1,
        max_batch_size=1,
        max_batch_cost=min(smallest.max_batch_cost, 512),
    )
    return reduced, "no row is small enough: one request at a time"


def _fits(tier: Tier, hardware: Hardware) -> bool:
    if tier.zero_gpu or hardware.zero_gpu:
        return tier.zero_gpu and hardware.zero_gpu
    if bool(tier.gpu) != bool(hardware.gpu):
        return False
    slack = 0.9  # machines report a little less than their flavor promises
    if tier.gpu:
        # with fewer cards there are fewer copies of the model, but each needs all of its own
        enough = tier.gpus <= hardware.gpus or 1 < tier.shards <= hardware.gpus
        return enough and tier.gpu_memory_gb * slack <= hardware.gpu_memory_gb
    return tier.cpus <= hardware.cpus and tier.memory_gb * slack <= hardware.memory_gb


def _same_card(tier: Tier, hardware: Hardware) -> bool:
    # "A10G" is in "NVIDIA A10G"; "L4" is not in "NVIDIA L40S"
    return (
        bool(tier.gpu)
        and re.search(rf"\b{re.escape(tier.gpu)}\b", hardware.gpu) is not None
    )


def _size(tier: Tier) -> tuple[int, int, int]:
    return tier.gpu_memory_gb, tier.gpus, tier.cpus


def describe(hardware: Hardware) -> str:
    """The machine in a few words."""
    if hardware.zero_gpu:
        return "ZeroGPU"
    if hardware.gpu:
        return f"{hardware.gpus}x {hardware.gpu} {hardware.gpu_memory_gb:.0f} GB"
    return f"{hardware.cpus} CPUs {hardware.memory_gb:.0f} GB"


def with_overrides(tier: Tier) -> Tier:
    """Replace each value whose name stands, in capitals, in the environment."""
    names = Tier._fields[Tier._fields.index("dtype") : -1]  # the values, but the source
    found = {
        name: os.environ[name.upper()] for name in names if os.environ.get(name.upper())
    }
    for name, value in found.items():
        if name in WORDS:
            allowed = value in WORDS[name]
            kind = " or ".join(WORDS[name])
        else:
            least = 0 if name in ("max_batch_cost", "call_cost") else 1
            allowed = value.isdecimal() and int(value) >= least
            kind = f"a whole number from {least}"
        if not allowed:
            sys.exit(f"The variable {name.upper()} must be {kind}, not {value!r}.")
        tier = tier._replace(**{name: type(getattr(tier, name))(value)})
    return tier


def requests_per_minute() -> int:
    """How many one visitor may make; 0 for no limit."""
    value = os.environ.get("REQUESTS_PER_MINUTE") or str(tuning.REQUESTS_PER_MINUTE)
    if not value.isdecimal():
        sys.exit(f"REQUESTS_PER_MINUTE must be a whole number from 0, not {value!r}.")
    return int(value)


def write_log() -> None:
    """Show what the Space itself logs; the logs of libraries stay as they are."""
    if log.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def start() -> Runtime:
    """Find out where the Space runs and say so in one line."""
    write_log()
    os.chdir(Path(__file__).parent.parent)  # where examples and a local model lie
    hardware = find_hardware()
    tier, reason = choose_tier(hardware, tuning.TIERS, tuning.TIER)
    if tier.dtype == "bfloat16" and not hardware.bfloat16:
        tier = tier._replace(dtype="float16" if hardware.gpu else "float32")
    tier = with_overrides(tier)
    model_id = os.environ.get("MODEL_ID") or tuning.MODEL_ID
    device = "cuda" if hardware.gpu or hardware.zero_gpu else "cpu"
    found = Runtime(
        model_id,
        device,
        tier,
        hardware.zero_gpu,
        hardware.cpus,
        hardware.gpus,
        os.environ.get("CACHE_EXAMPLES") or tuning.CACHE_EXAMPLES,
        requests_per_minute(),
        reason,
    )
    values = f"{tier.dtype}, up to {tier.max_batch_size} requests at once"
    where = f"found {describe(hardware)}, generated for {tuning.TIER}"
    log.info("row %s of tuning.py: %s (%s; %s)", tier.flavor, values, reason, where)
    log.info("to use another row, set the variable TIER; the model is %s", model_id)
    return found
