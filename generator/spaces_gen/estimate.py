"""What a tier can do for a model, estimated from the tables: fit, batch size, queue length.

The template reads the results from `tables/estimates/`, which `python -m spaces_gen.estimate`
writes, because a template without trust cannot compute. A test fails when they are stale.

The model is a roofline: one pass over a batch of b items takes
    overhead + max(2 b * parameters * tokens / (0.35 * peak), weights / (0.6 * bandwidth)) seconds,
2 FLOPs per parameter and token (Kaplan et al. 2020, arXiv:2001.08361); 0.35 and 0.6 are the usual
attained shares of peak and bandwidth. Nothing here is measured; expect times within a factor of 2.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from spaces_gen.capacity.choice import choose, queue_length
from spaces_gen.capacity.queue import ROUGH
from spaces_gen.capacity.service import Memory, ServiceTime
from spaces_gen.tables import ModelType, Tier, load_model_types, load_tiers

ESTIMATES = Path(__file__).parent / "tables" / "estimates"

COMPUTE_SHARE = 0.35
BANDWIDTH_SHARE = 0.6
MEMORY_SHARE = 0.85  # the rest is for fragmentation and peaks
RUNTIME_GB = 1.2  # Python, PyTorch, Gradio, CUDA context
FURTHER_CARD_GB = 2  # lost on each further card of a copy: its context, and layers are not cut
# of a diffusion model's weights: its parts are not cut; 20.4 of 28.7 billion in Qwen-Image, 11.9 of
# 16.9 in FLUX.1
LARGEST_PART = 0.75
FRONT_END_SECONDS = 0.01  # Gradio's own cost of one request, measured 3-12 ms on 2 cores
LONGEST_WAIT_SECONDS = 60  # or three times the p95 target: beyond it "queue full" is honest
ROOMY = 0.8
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
SHORT_TEXT_TOKENS = 16
MAX_TEXTS = 256  # waiting texts that are sorted by length together
SIZES = tuple(digit * 10**power for power in (1, 2, 3, 4) for digit in (1, 2, 5))  # millions
GPU_SECONDS_MARGIN = 2.0
GPU_SECONDS_AT_MOST = 60  # of one request on ZeroGPU, as the platform gives without asking
HANG_MARGIN = 20  # times the estimate, and requests may ask for more than the typical one
SHORTEST_TIME_LIMIT = 60  # seconds
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


def weights_gb(tier: Tier, parameters: float) -> float:
    """Memory of the weights in the tier's dtype; `parameters` in millions."""
    return parameters * BYTES[tier.dtype] / 1000


def spread(tier: Tier, shards: int) -> Tier:
    """The tier as a model sees it of which each copy has so many cards: they are as one."""
    if shards == 1:
        return tier
    together = shards * tier.gpu_memory_gb - (shards - 1) * FURTHER_CARD_GB
    return replace(tier, gpus=tier.gpus // shards, gpu_memory_gb=together)


def shard_counts(tier: Tier, model_type: ModelType) -> list[int]:
    """Over how many cards a copy may be spread, the fewest first."""
    most = tier.gpus if model_type.sharded_by else 1
    return [2**power for power in range(max(1, most).bit_length()) if 2**power <= max(1, most)]


def holding(tier: Tier, model_type: ModelType, parameters: float) -> tuple[int, Tier]:
    """The fewest cards that hold a copy, or all where none do, and the tier as it is seen then."""
    counts = shard_counts(tier, model_type)
    found = (n for n in counts if parameters <= largest_over(tier, model_type, n))
    shards = next(found, counts[-1])
    return shards, spread(tier, shards)


def items_in_memory(tier: Tier, model_type: ModelType, parameters: float) -> int:
    """How many typical items fit beside the weights; below 1 the model does not fit."""
    return memory(tier, model_type, parameters).largest_batch()


def largest_model(tier: Tier, model_type: ModelType) -> int:
    """The most parameters (in millions) with which one item still fits; 0 where none does."""
    return largest_over(tier, model_type, shard_counts(tier, model_type)[-1])


def largest_over(tier: Tier, model_type: ModelType, shards: int) -> int:
    """As `largest_model`, with a copy on so many cards."""
    together = spread(tier, shards).model_memory_gb
    free = MEMORY_SHARE * together - RUNTIME_GB - model_type.estimate.item_mb / 1000
    largest = max(0, int(free * 1000 / BYTES[tier.dtype]))
    if shards > 1 and model_type.sharded_by == "parts":
        return min(largest, int(largest_over(tier, model_type, 1) / LARGEST_PART))
    return largest


def batch_seconds(tier: Tier, model_type: ModelType, parameters: float, batch: int) -> float:
    """Time of one batch of typical items by the roofline above."""
    typical = model_type.estimate

    def one_pass(tokens: int) -> float:
        flops = batch * 2 * parameters * 1e6 * tokens
        compute = flops / (COMPUTE_SHARE * tier.tflops * 1e12)
        read = weights_gb(tier, parameters) / (BANDWIDTH_SHARE * tier.bandwidth_gb_s)
        return tier.overhead_ms / 1000 + max(compute, read)

    if model_type.batches_by == "tokens":
        return one_pass(typical.tokens) + (typical.passes - 1) * one_pass(1)
    return typical.passes * one_pass(typical.tokens)


def service_time(tier: Tier, model_type: ModelType, parameters: float) -> ServiceTime:
    """Seconds of a batch with Gradio's own work: beside the model on a CPU, behind it on a GPU."""
    known = {size: batch_seconds(tier, model_type, parameters, size) for size in BATCH_SIZES}
    return ServiceTime(known, FRONT_END_SECONDS, shared=not tier.gpu)


def memory(tier: Tier, model_type: ModelType, parameters: float) -> Memory:
    """What a batch takes of the memory of a copy's cards, or of the machine."""
    _, tier = holding(tier, model_type, parameters)
    fixed = RUNTIME_GB + weights_gb(tier, parameters)
    return Memory(fixed, model_type.estimate.item_mb / 1000, tier.model_memory_gb, MEMORY_SHARE)


def choose_batch(tier: Tier, model_type: ModelType, parameters: float) -> int:
    """The size of a batch, by the same choice that `tune` makes from measurements."""
    if tier.zero_gpu or model_type.batches_by == "nothing":
        return 1
    service = service_time(tier, model_type, parameters)
    room = memory(tier, model_type, parameters)
    known = tuple(service.known.items())
    return best_batch(known, service.shared, room, model_type.estimate.p95_s)


@cache
def best_batch(
    known: tuple[tuple[int, float], ...], shared: bool, room: Memory, target: float
) -> int:
    """The choice for one service time; many tiers have the same card."""
    service = ServiceTime(dict(known), FRONT_END_SECONDS, shared)
    return choose({1: service}, room, target, BATCH_SIZES[-1], precision=ROUGH).max_batch_size


def choose_workers(tier: Tier, model_type: ModelType, parameters: float, batch: int) -> int:
    """Batches at the same time: one per GPU; on a CPU one per core while memory lasts.

    Measured with MiniLM on 2 cores: two batches on a core each 158 texts/s, one batch on both 77.
    """
    if tier.gpu and not tier.zero_gpu:
        return tier.gpus
    if tier.zero_gpu or not model_type.parallel:
        return 1
    in_memory = items_in_memory(tier, model_type, parameters) // batch
    return max(1, min(tier.cpus or 1, in_memory))


def call_cost(tier: Tier, parameters: float, passes: int) -> int:
    """What a call takes beside its tokens, as so many padded tokens.

    The fixed cost of its passes and reading the weights, over the time of a token. Measured with
    MiniLM on one of 2 cores: 32 (9 ms and 0.28 ms a token).
    """
    token = 2 * parameters * 1e6 / (COMPUTE_SHARE * tier.tflops * 1e12)
    read = weights_gb(tier, parameters) / (BANDWIDTH_SHARE * tier.bandwidth_gb_s)
    return round(passes * (tier.overhead_ms / 1000 + read) / token)


def choose_time_limit(tier: Tier, model_type: ModelType, parameters: float) -> int:
    """Seconds after which a call of the model counts as hung, rounded up to a minute."""
    batch = choose_batch(tier, model_type, parameters)
    largest = max_input(tier, model_type, parameters) / model_type.input.typical
    single = batch_seconds(tier, model_type, parameters, 1)
    return max(
        time_limit(batch_seconds(tier, model_type, parameters, batch)),
        time_limit(single * largest * GPU_SECONDS_MARGIN / HANG_MARGIN),
    )


def time_limit(seconds: float) -> int:
    """When a call that should take so many seconds counts as hung, rounded up to a minute."""
    return SHORTEST_TIME_LIMIT * math.ceil(max(HANG_MARGIN * seconds, 1) / SHORTEST_TIME_LIMIT)


def max_input(tier: Tier, model_type: ModelType, parameters: float) -> int:
    """How much one request may hold, in the unit of its model type.

    As much as is computed while a visitor may wait in line, and as fits the memory; two digits.
    """
    typical = model_type.input.typical
    wait = GPU_SECONDS_AT_MOST if tier.zero_gpu else longest_wait(model_type)
    allowed = typical * min(
        wait / batch_seconds(tier, model_type, parameters, 1),
        items_in_memory(tier, model_type, parameters),
    )
    digits = 10 ** max(0, math.floor(math.log10(max(allowed, 1))) - 1)
    return min(model_type.input.most, max(typical, int(allowed // digits * digits)))


def longest_wait(model_type: ModelType) -> float:
    """Seconds that a visitor may wait in line before "queue full" is the honest answer."""
    return max(LONGEST_WAIT_SECONDS, 3 * model_type.estimate.p95_s)


def tuning_values(tier: Tier, model_type: ModelType, parameters: float) -> dict[str, int]:
    """The values of one row of tuning.py, for a model of `parameters` millions that fits."""
    shards, tier = holding(tier, model_type, parameters)
    batch = choose_batch(tier, model_type, parameters)
    waiting = queue_length(
        service_time(tier, model_type, parameters), batch, 1, longest_wait(model_type)
    )
    tokens = tier.padded_tokens if model_type.batches_by == "streams" else 0
    call = 0  # where items are all alike, or share each pass, none is more like another
    if model_type.batches_by == "tokens":
        typical = model_type.estimate
        call = call_cost(tier, parameters, typical.passes)
        in_memory = items_in_memory(tier, model_type, parameters) * typical.tokens
        # where each further pass writes a token, more texts that share it are worth more
        wanted = batch * typical.tokens if typical.passes > 1 else tier.padded_tokens
        tokens = max(SHORT_TEXT_TOKENS, min(max(tier.padded_tokens, wanted), in_memory))
        batch = 1 if tier.zero_gpu else short_texts(tokens)
    seconds = batch_seconds(tier, model_type, parameters, 1)
    return {
        "shards": shards,
        "workers": choose_workers(tier, model_type, parameters, batch),
        "max_batch_size": batch,
        "max_batch_cost": tokens,
        "call_cost": call,
        "max_size": max(2 * batch, waiting),
        "max_input": max_input(tier, model_type, parameters),
        "time_limit": choose_time_limit(tier, model_type, parameters),
        "gpu_seconds": int(GPU_SECONDS_MARGIN * seconds) + 5 if tier.zero_gpu else 0,
    }


def short_texts(tokens: int) -> int:
    """How many requests a batch of so many padded tokens may hold."""
    return max(1, min(tokens // SHORT_TEXT_TOKENS, MAX_TEXTS))


def bounds(tier: Tier, model_type: ModelType) -> list[int]:
    """The sizes of model, in millions, at which a step ends; the last is the largest that fits."""
    counts = shard_counts(tier, model_type)
    ends = {shards: largest_over(tier, model_type, shards) for shards in counts}
    # what fills the cards to the last leaves no room for a batch, so smaller ones have a step
    roomy = [int(ROOMY * end) for shards, end in ends.items() if shards > 1]
    largest = max(ends.values())
    found = {size for size in (*SIZES, *roomy) if size < largest}
    return sorted(found | {end for end in ends.values() if end})


def steps(tier: Tier, model_type: ModelType) -> list[dict[str, int]]:
    """Tuning values by size of model; each step holds up to `up_to` million parameters.

    The values of a step are those of its largest model, so they are safe for all of it. No steps:
    no model fits.
    """
    return [
        {"up_to": bound, **tuning_values(tier, model_type, bound)}
        for bound in bounds(tier, model_type)
    ]


def estimates(model_type: ModelType) -> str:
    """The file of one model type: a JSON object of tier to its steps, one line per step."""
    lines = []
    for flavor, tier in load_tiers().items():
        entries = ",\n    ".join(json.dumps(step) for step in steps(tier, model_type))
        lines.append(f'  "{flavor}": [\n    {entries}\n  ]')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write_estimates(folder: Path = ESTIMATES, only: Sequence[str] = ()) -> None:
    """Write one file per model type, or those of some types only.

    Raises:
        KeyError: there is no such type.
    """
    folder.mkdir(exist_ok=True)
    model_types = load_model_types()
    for key in only or model_types:
        (folder / f"{key}.json").write_text(estimates(model_types[key]), encoding="utf-8")


if __name__ == "__main__":
    write_estimates(only=sys.argv[1:])
