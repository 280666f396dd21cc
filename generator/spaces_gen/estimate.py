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
from pathlib import Path

from spaces_gen.tables import ModelType, Tier, load_model_types, load_tiers

ESTIMATES = Path(__file__).parent / "tables" / "estimates"

COMPUTE_SHARE = 0.35
BANDWIDTH_SHARE = 0.6
MEMORY_SHARE = 0.85  # the rest is for fragmentation and peaks
RUNTIME_GB = 1.2  # Python, PyTorch, Gradio, CUDA context
FRONT_END_SECONDS = 0.01  # Gradio's own cost of one request, measured 3-12 ms on 2 cores
LONGEST_WAIT_SECONDS = 60  # or three times the p95 target: beyond it "queue full" is honest
FLATNESS = 0.05  # throughput is flat near its best: take the smallest batch this close to it
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
SHORT_TEXT_TOKENS = 16
MAX_TEXTS = 256  # waiting texts that are sorted by length together
MAX_QUEUE = 1000
SIZES = tuple(digit * 10**power for power in (1, 2, 3, 4) for digit in (1, 2, 5))  # millions
GPU_SECONDS_MARGIN = 2.0
HANG_MARGIN = 20  # times the estimate, and requests may ask for more than the typical one
SHORTEST_TIME_LIMIT = 60  # seconds
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


def weights_gb(tier: Tier, parameters: float) -> float:
    """Memory of the weights in the tier's dtype; `parameters` in millions."""
    return parameters * BYTES[tier.dtype] / 1000


def items_in_memory(tier: Tier, model_type: ModelType, parameters: float) -> int:
    """How many typical items fit beside the weights; below 1 the model does not fit."""
    free = MEMORY_SHARE * tier.model_memory_gb - RUNTIME_GB - weights_gb(tier, parameters)
    return int(free * 1000 // model_type.estimate.item_mb)


def largest_model(tier: Tier, model_type: ModelType) -> int:
    """The most parameters (in millions) with which one item still fits; 0 where none does."""
    free = MEMORY_SHARE * tier.model_memory_gb - RUNTIME_GB - model_type.estimate.item_mb / 1000
    return max(0, int(free * 1000 / BYTES[tier.dtype]))


def batch_seconds(tier: Tier, model_type: ModelType, parameters: float, batch: int) -> float:
    """Time of one batch of typical items by the roofline above."""
    typical = model_type.estimate
    flops = batch * 2 * parameters * 1e6 * typical.tokens
    compute = flops / (COMPUTE_SHARE * tier.tflops * 1e12)
    read = weights_gb(tier, parameters) / (BANDWIDTH_SHARE * tier.bandwidth_gb_s)
    return typical.passes * (tier.overhead_ms / 1000 + max(compute, read))


def throughput(tier: Tier, model_type: ModelType, parameters: float, batch: int) -> float:
    """Requests per second with Gradio's own work: beside the model on a CPU, behind it on a GPU."""
    seconds = batch_seconds(tier, model_type, parameters, batch)
    front_end = batch * FRONT_END_SECONDS
    return batch / (max(seconds, front_end) if tier.gpu else seconds + front_end)


def choose_batch(tier: Tier, model_type: ModelType, parameters: float) -> int:
    """The smallest batch within 5 % of the best throughput, inside memory and patience.

    A visitor who arrives just after a batch began waits for two: 2 t(b) is kept under `p95_s`.
    """
    if tier.zero_gpu:
        return 1
    fitting = items_in_memory(tier, model_type, parameters)
    patience = model_type.estimate.p95_s
    allowed = [
        batch
        for batch in BATCH_SIZES
        if batch == 1
        or (batch <= fitting and 2 * batch_seconds(tier, model_type, parameters, batch) <= patience)
    ]
    rates = {batch: throughput(tier, model_type, parameters, batch) for batch in allowed}
    best = max(rates.values())
    return min(batch for batch, rate in rates.items() if rate >= (1 - FLATNESS) * best)


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


def call_cost(tier: Tier, parameters: float) -> int:
    """What a pass takes beside its tokens, as so many padded tokens.

    Its fixed cost and reading the weights, over the time of a token. Measured with MiniLM on one of
    2 cores: 32 (9 ms and 0.28 ms a token).
    """
    token = 2 * parameters * 1e6 / (COMPUTE_SHARE * tier.tflops * 1e12)
    read = weights_gb(tier, parameters) / (BANDWIDTH_SHARE * tier.bandwidth_gb_s)
    return round((tier.overhead_ms / 1000 + read) / token)


def choose_time_limit(tier: Tier, model_type: ModelType, parameters: float) -> int:
    """Seconds after which a call of the model counts as hung, rounded up to a minute."""
    batch = choose_batch(tier, model_type, parameters)
    expected = HANG_MARGIN * batch_seconds(tier, model_type, parameters, batch)
    return SHORTEST_TIME_LIMIT * math.ceil(max(expected, 1) / SHORTEST_TIME_LIMIT)


def tuning_values(tier: Tier, model_type: ModelType, parameters: float) -> dict[str, int]:
    """The values of one row of tuning.py, for a model of `parameters` millions that fits."""
    batch = choose_batch(tier, model_type, parameters)
    rate = throughput(tier, model_type, parameters, batch)
    tokens = tier.padded_tokens if model_type.batches_by == "streams" else 0
    if model_type.batches_by == "tokens":
        in_memory = items_in_memory(tier, model_type, parameters) * model_type.estimate.tokens
        tokens = max(SHORT_TEXT_TOKENS, min(tier.padded_tokens, in_memory))
        batch = 1 if tier.zero_gpu else min(tokens // SHORT_TEXT_TOKENS, MAX_TEXTS)
    seconds = batch_seconds(tier, model_type, parameters, 1)
    longest_wait = max(LONGEST_WAIT_SECONDS, 3 * model_type.estimate.p95_s)
    return {
        "workers": choose_workers(tier, model_type, parameters, batch),
        "max_batch_size": batch,
        "max_batch_cost": tokens,
        # where items are all alike, or share each pass, none is more like another
        "call_cost": call_cost(tier, parameters) if model_type.batches_by == "tokens" else 0,
        "max_size": min(MAX_QUEUE, max(2 * batch, int(rate * longest_wait))),
        "time_limit": choose_time_limit(tier, model_type, parameters),
        "gpu_seconds": int(GPU_SECONDS_MARGIN * seconds) + 5 if tier.zero_gpu else 0,
    }


def steps(tier: Tier, model_type: ModelType) -> list[dict[str, int]]:
    """Tuning values by size of model; each step holds up to `up_to` million parameters.

    The values of a step are those of its largest model, so they are safe for all of it. The last
    step ends at the largest model that fits; no steps: none does.
    """
    largest = largest_model(tier, model_type)
    bounds = [size for size in SIZES if size < largest] + [largest] * (largest > 0)
    return [{"up_to": bound, **tuning_values(tier, model_type, bound)} for bound in bounds]


def estimates(model_type: ModelType) -> str:
    """The file of one model type: a JSON object of tier to its steps, one line per step."""
    lines = []
    for flavor, tier in load_tiers().items():
        entries = ",\n    ".join(json.dumps(step) for step in steps(tier, model_type))
        lines.append(f'  "{flavor}": [\n    {entries}\n  ]')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write_estimates(folder: Path = ESTIMATES) -> None:
    """Write one file per model type."""
    folder.mkdir(exist_ok=True)
    for key, model_type in load_model_types().items():
        (folder / f"{key}.json").write_text(estimates(model_type), encoding="utf-8")


if __name__ == "__main__":
    write_estimates()
