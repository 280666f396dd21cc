"""`spaces-gen tiers` and `spaces-gen model-types`: the tables for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.table import Table

from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.terminal import make_console


def list_tiers(as_json: bool) -> None:
    """Print the tiers."""
    tiers = load_tiers()
    if as_json:
        print(json.dumps({key: asdict(tier) for key, tier in tiers.items()}, indent=2))
        return
    table = Table("hardware", "name", "vCPU", "memory", "GPU", "$/hour", box=None)
    for key, tier in tiers.items():
        card = f"{tier.gpus}x {tier.gpu} {tier.gpu_memory_gb} GB" if tier.gpus else "-"
        memory = f"{tier.memory_gb} GB" if tier.memory_gb else "?"
        price = f"{tier.price_per_hour:.2f}" if tier.price_per_hour else "free"
        table.add_row(key, tier.name, str(tier.cpus or "?"), memory, card, price)
    make_console(soft_wrap=False).print(table)


def list_model_types(as_json: bool) -> None:
    """Print the model types."""
    model_types = load_model_types()
    if as_json:
        print(json.dumps({key: asdict(row) for key, row in model_types.items()}, indent=2))
        return
    table = Table("model type", "name", "default model", "licence", box=None)
    for key, row in model_types.items():
        of_its_own = row.model_id.startswith(".")
        model = "one of its own" if of_its_own else f"{row.model_id} ({row.parameters}M)"
        table.add_row(key, row.name, model, row.model_license)
    make_console(soft_wrap=False).print(table)
