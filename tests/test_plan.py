"""`spaces-gen plan`: every tier for a model, by the functions that tune and the defaults use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from spaces_gen.estimate import MEMORY_SHARE, batch_seconds, largest_model
from spaces_gen.plan import Plan, make_plan
from spaces_gen.tables import load_model_types, load_quotas, load_tiers

TIERS = load_tiers()


def plan(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spaces_gen", "plan", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )


@pytest.fixture(scope="module", params=load_model_types())
def made(request: pytest.FixtureRequest) -> Plan:
    """The plan of a model type for its default model."""
    return make_plan({"model_type": request.param}, 2, None)


def test_every_tier_has_a_row_that_keeps_its_bounds(made: Plan) -> None:
    assert [row.hardware for row in made.rows] == list(TIERS)
    for row in made.rows:
        tier = TIERS[row.hardware]
        assert row.fits == (
            made.parameters <= largest_model(tier, load_model_types()[made.model_type])
        )
        assert row.memory_needed <= MEMORY_SHARE * row.memory_available
        assert row.highest_rate is not None
        assert row.p95 is not None
        assert row.meets == (row.highest_rate >= 2 and row.p95 <= made.target)
        assert row.source == "estimated"


def test_the_cheapest_meets_what_is_wanted_and_nothing_cheaper_does(made: Plan) -> None:
    own = [row for row in made.rows if not TIERS[row.hardware].zero_gpu]
    best = made.cheapest
    for row in own:
        if best is None or row.price_per_hour < best.price_per_hour:
            assert not row.meets


def test_the_front_rises_in_price_and_rate_and_nobody_is_better(made: Plan) -> None:
    front = made.front
    assert front
    for one, other in pairwise(front):
        assert one.price_per_hour < other.price_per_hour
        assert (one.highest_rate or 0) < (other.highest_rate or 0)
    for row in made.rows:
        if not TIERS[row.hardware].zero_gpu and row.highest_rate:
            assert any(
                one.price_per_hour <= row.price_per_hour
                and (one.highest_rate or 0) >= row.highest_rate
                for one in front
            )


def test_what_zero_gpu_means_for_a_visitors_quota(made: Plan) -> None:
    (zero,) = [tier for tier in TIERS.values() if tier.zero_gpu]
    seconds = batch_seconds(zero, load_model_types()[made.model_type], made.parameters, 1)
    assert made.quota is not None
    for kind, quota in load_quotas().items():
        assert made.quota[kind] * seconds <= quota < (made.quota[kind] + 1) * seconds * 1.001


def test_more_load_needs_more_money_and_too_much_nobody_bears() -> None:
    prices = []
    for rate in (0.5, 10, 40, 80):
        best = make_plan({"model_type": "text-generation"}, rate, None).cheapest
        assert best is not None
        prices.append(best.price_per_hour)
    assert prices == sorted(prices)
    assert prices[0] < prices[-1]
    assert make_plan({"model_type": "text-generation"}, 1000, None).cheapest is None
    hurried = make_plan({"model_type": "text-to-image"}, 1, 0.01)
    assert hurried.cheapest is None


def test_a_large_model_does_not_fit_small_tiers_and_the_table_says_so() -> None:
    done = plan("--model-type", "text-generation", "--parameters", "20000", "--rate", "2")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith(" t4-small"))
    assert "does not fit" in line
    assert "the cheapest for 2 requests/s" in done.stdout
    assert "estimated from data sheets" in done.stdout


def test_a_folder_its_json_and_its_plot(rendered: Callable[..., Path], tmp_path: Path) -> None:
    drawn = tmp_path / "plan.svg"
    space = rendered(model_type="image-classification")
    done = plan(str(space), "--rate", "20", "--json", "--plot", str(drawn))
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["model_type"] == "image-classification"
    assert told["cheapest"] in TIERS
    assert told["pareto"]
    assert len(told["rows"]) == len(TIERS)
    assert drawn.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "name a folder"),
        (["--model-type", "nothing"], 1, "choose one of"),
        (["--model-type", "text-generation", "--parameters", "0"], 1, "not above 0"),
        (["nowhere"], 1, "has no .copier-answers.yml"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], code: int, words: str) -> None:
    done = plan(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
