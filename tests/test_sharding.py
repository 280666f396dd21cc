"""Models that no single card holds: how many cards a copy gets, and what it answers on them.

Without cards, a model is spread over the memory and the disk, which PyTorch's hooks serve alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases import case
from gradio_client import Client
from served import SpaceOf
from space_process import python_path

from spaces_gen.estimate import (
    MEMORY_SHARE,
    bounds,
    holding,
    items_in_memory,
    largest_model,
    largest_over,
    tuning_values,
    weights_gb,
)
from spaces_gen.fit import fit
from spaces_gen.tables import ModelType, Tier, load_model_types, load_tiers

TYPES = load_model_types()
TIERS = load_tiers()
SHARDED = [one for one in TYPES.values() if one.sharded_by]
SEVERAL = [one for one in TIERS.values() if one.gpus > 1]
BIG = {"model_id": "me/big", "model_parameters": 10000, "hardware": "a10g-largex4"}

# What a sharded Space answers whose model lies partly on the disk, word by word.
ON_TWO_DEVICES = """
import asyncio, json, os, sys
from transformers import AutoModelForCausalLM, AutoTokenizer
from serving import continuous
from serving.answers import Answers, Spread
from serving.runtime import runtime

assert Answers is Spread
prompts, folder = json.loads(os.environ["PROMPTS"]), os.environ["FOLDER"]
whole = AutoModelForCausalLM.from_pretrained(runtime.model_id)
layers = {f"model.layers.{n}": ("cpu", "disk")[n % 2] for n in range(len(whole.model.layers))}
places = {"model.embed_tokens": "cpu", "model.norm": "cpu", "model.rotary_emb": "cpu"}
places |= {"lm_head": "cpu"} | layers
spread = AutoModelForCausalLM.from_pretrained(
    runtime.model_id, device_map=places, offload_folder=folder
)
assert spread.model.layers[1].self_attn.q_proj.weight.device.type == "meta"

async def said(answers, prompt, length):
    steps = [step async for step in answers.to(prompt, length, 0.0, 1.0)]
    assert [finished for _, finished in steps] == [False] * (len(steps) - 1) + [True]
    return steps[-1][0]

async def everything():
    found = []
    for answers in (Spread(spread, 999), continuous.Answers(whole, 999)):
        tasks = [said(answers, prompt, 5 + 3 * n) for n, prompt in enumerate(prompts)]
        found.append(await asyncio.gather(*tasks))
        answers.close()
    return found

print(json.dumps(asyncio.run(everything())))
"""


def told(space: Path, code: str, **variables: str) -> Any:
    """What code prints as JSON in a Space, in its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=space,
        env={**os.environ, "PYTHONPATH": python_path(space), **variables},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# -- how many cards --------------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", SHARDED, ids=lambda one: one.key)
@pytest.mark.parametrize("tier", SEVERAL, ids=lambda one: one.key)
def test_a_copy_gets_as_few_cards_as_hold_it(tier: Tier, model_type: ModelType) -> None:
    for size in bounds(tier, model_type):
        shards, seen = holding(tier, model_type, size)
        values = tuning_values(tier, model_type, size)
        assert values["shards"] == shards
        assert values["workers"] * shards <= tier.gpus < 2 * values["workers"] * shards
        assert size <= largest_over(tier, model_type, shards)
        assert shards == 1 or size > largest_over(tier, model_type, shards // 2)
        assert weights_gb(tier, size) < MEMORY_SHARE * shards * tier.gpu_memory_gb
        assert items_in_memory(tier, model_type, size) >= 1
        assert seen.model_memory_gb <= shards * tier.gpu_memory_gb
        assert fit(tier, model_type, size).fits
    beyond = largest_model(tier, model_type) + 1
    assert not fit(tier, model_type, beyond).fits or model_type.sharded_by == "parts"


def test_more_cards_hold_more_of_a_model_in_layers_and_a_bit_more_of_one_in_parts() -> None:
    tier, one_card = TIERS["a10g-largex4"], TIERS["a10g-large"]
    chat, picture, text = TYPES["text-generation"], TYPES["text-to-image"], TYPES["fill-mask"]
    assert 3 < largest_model(tier, chat) / largest_model(one_card, chat) < 4
    assert 1.2 < largest_model(tier, picture) / largest_model(one_card, picture) < 1.5
    assert largest_model(tier, text) == largest_model(one_card, text)


def test_there_is_room_for_a_batch_between_what_two_cards_hold_and_what_four_do() -> None:
    """A model of 70 billion fills two cards of 80 GB."""
    tier, chat = TIERS["a100x8"], TYPES["text-generation"]
    step = next(bound for bound in bounds(tier, chat) if bound >= 70_000)
    values = tuning_values(tier, chat, step)
    assert (values["shards"], values["workers"]) == (4, 2)
    assert values["max_batch_size"] >= 16


# -- what the Space brings -------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", SHARDED, ids=lambda one: one.key)
def test_only_a_space_that_needs_it_knows_of_several_cards(
    model_type: ModelType, rendered: Callable[..., Path]
) -> None:
    small = rendered(model_type=model_type.key)
    large = rendered(
        model_type=model_type.key,
        model_id="me/big",
        model_parameters=largest_model(TIERS["rtx-pro-6000"], model_type) + 1,
        hardware="rtx-pro-6000x2",
    )
    # the model.py of both is the same, and so is the page
    for name in ("app.py", "model.py"):
        assert (small / name).read_bytes() == (large / name).read_bytes()
    code = {path: path.read_text() for path in small.rglob("*.py") if path.name != "tuning.py"}
    assert not [path for path, text in code.items() if "device_map" in text or "shards ==" in text]
    assert "device_map" in (large / "serving" / "loading.py").read_text()
    assert "accelerate" in (large / "requirements.txt").read_text()


def test_a_copy_on_ray_gets_its_cards(rendered: Callable[..., Path]) -> None:
    space = rendered(model_type="text-generation", scale="ray-serve", **BIG)
    for config in (
        yaml.safe_load((space / "serve_config.yaml").read_text()),
        yaml.safe_load(
            yaml.safe_load((space / "kuberay.yaml").read_text())["spec"]["serveConfigV2"]
        ),
    ):
        (model,) = config["applications"][0]["deployments"]
        assert model["ray_actor_options"]["num_gpus"] == 2
    own = yaml.safe_load((space / "serve_config.yaml").read_text())
    (model,) = own["applications"][0]["deployments"]
    assert model["autoscaling_config"]["max_replicas"] == 2


# -- what it answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model_type", ["text-generation", "image-text-to-text", "summarization", "text-to-image"]
)
def test_visitors_get_the_answers_of_the_model_alone(
    model_type: str, space_of: SpaceOf, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """With the loading and the batches of several cards, several at once."""
    expecting = case(model_type, tiny_model(model_type), tmp_path / "case")
    variables = {"SHARDS": "2", "DTYPE": "float32", "CACHE_EXAMPLES": "off"}
    with space_of(model_type, variables, **BIG) as space:
        calls = expecting.inputs(4)
        clients = [Client(space.url, verbose=False) for _ in calls]
        with ThreadPoolExecutor() as pool:
            jobs = [
                pool.submit(client.predict, *call, api_name="/predict")
                for client, call in zip(clients, calls)
            ]
            answers = [job.result(timeout=100) for job in jobs]
        for call, answer in zip(calls, answers):
            assert expecting.same(answer, expecting.expected(call)), (call, answer)
        assert len(set(map(str, answers))) > 1
    assert space.process is not None
    assert space.process.returncode == 0


def test_layers_on_two_devices_say_the_same_as_on_one(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    prompts = [[5, 6, 7], [9], [11, 5, 8, 13, 6, 7, 7]]
    one, other = told(
        rendered(model_type="text-generation", **BIG),
        ON_TWO_DEVICES,
        SHARDS="2",
        DTYPE="float32",
        MODEL_ID=str(tiny_model("text-generation")),
        PROMPTS=json.dumps(prompts),
        FOLDER=str(tmp_path),
    )
    assert one == other
    assert len(set(map(str, one))) == 3


def test_a_model_that_its_cards_do_not_hold_is_no_slow_space_but_an_error(
    rendered: Callable[..., Path],
) -> None:
    code = """
import dataclasses, json
from serving import cards
cards.check_all_on_cards({"model.layers.0": 0, "lm_head": "cpu"})
cards.runtime = dataclasses.replace(cards.runtime, device="cuda")
cards.check_all_on_cards({"model.layers.0": 0, "lm_head": 1})
try:
    cards.check_all_on_cards({"model.layers.0": 0, "lm_head": "cpu"})
except RuntimeError as error:
    print(json.dumps(str(error)))
"""
    space = rendered(model_type="text-generation", **BIG)
    assert told(space, code, SHARDS="2") == "me/big does not fit 2 cards: no room for lm_head"
