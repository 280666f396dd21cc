"""`spaces-gen plan`: every tier for a model, by the functions that tune and the defaults use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from spaces_gen.carried import known_of, measurements
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
        assert row.fits == (row.memory_needed <= MEMORY_SHARE * row.memory_available)
        if not row.fits:
            continue
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


def measured_as(factor: float, flavor: str = "cpu-basic", workers: int = 1) -> dict[str, Any]:
    """Answers of a Space whose tier is so much slower than the data sheets say."""
    model_type = load_model_types()["text-classification"]
    seconds = {
        str(size): workers
        * factor
        * batch_seconds(TIERS[flavor], model_type, model_type.parameters, size)
        for size in (1, 2, 4, 8, 16, 32, 64)
    }
    figures = {
        "requests": 8,
        "seconds": seconds,
        "front_end": 0.002,
        "fixed_gb": 1.0,
        "request_gb": 0.02,
    }
    row = {"workers": workers, "dtype": "bfloat16", "figures": figures}
    return {
        "model_type": "text-classification",
        "measured": {model_type.model_id: {flavor: row}},
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_a_measurement_is_carried_over_by_the_roofline(workers: int) -> None:
    answers = measured_as(3.0, workers=workers)
    (model,) = answers["measured"]
    known = measurements(answers, model)
    model_type = load_model_types()["text-classification"]
    for flavor, tier in TIERS.items():
        found = known_of(tier, model_type, model_type.parameters, known)
        expected = batch_seconds(tier, model_type, model_type.parameters, 8)
        if flavor == "cpu-basic":
            assert found.source == "measured"
            assert found.service.of_model(8) == pytest.approx(3 * workers * expected)
        else:
            assert found.source == "from cpu-basic"
            assert found.service.of_model(8) == pytest.approx(3 * expected)
            assert found.certainty == (2.0 if tier.gpu else 1.5)
        # the page's work is on the CPU: its time shrinks with the number of cores that share it
        cpus = (tier.cpus or 1) if not tier.gpu else 1
        assert found.service.front_end == pytest.approx(0.002 * 2 / cpus)


def test_of_several_measurements_the_one_on_the_same_card_counts() -> None:
    answers = measured_as(3.0)
    (model,) = answers["measured"]
    answers["measured"][model] |= measured_as(0.5, "a10g-small")["measured"][model]
    sources = {row.hardware: row.source for row in make_plan(answers, 5, None).rows}
    assert sources["cpu-basic"] == sources["a10g-small"] == "measured"
    assert sources["cpu-upgrade"] == "from cpu-basic"
    assert sources["a10g-large"] == sources["a100-large"] == "from a10g-small"


def test_a_slower_measurement_makes_every_tier_slower() -> None:
    fast, slow = (make_plan(measured_as(factor), 1, None) for factor in (1.0, 4.0))
    for one, other in zip(fast.rows, slow.rows):
        assert (one.highest_rate or 0) >= (other.highest_rate or 0)
        assert (one.p95 or 0) <= (other.p95 or 0)
    assert slow.rows[0].highest_rate < fast.rows[0].highest_rate  # type: ignore[operator]


@pytest.mark.parametrize(
    "damage",
    [
        {"figures": {}},
        {"figures": None},
        {"figures": {"seconds": {"1": -1}}},
        {"workers": "x"},
    ],
)
def test_a_damaged_measurement_is_left_out(damage: dict[str, Any]) -> None:
    answers = measured_as(3.0)
    (model,) = answers["measured"]
    answers["measured"][model]["cpu-basic"] |= damage
    assert {row.source for row in make_plan(answers, 1, None).rows} == {"estimated"}


def test_the_table_marks_how_each_figure_is_known(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    space = tmp_path / "space"
    shutil.copytree(rendered(model_type="text-classification"), space)
    with (space / ".copier-answers.yml").open("a", encoding="utf-8") as file:
        file.write(yaml.safe_dump({"measured": measured_as(1.0)["measured"]}))
    shown = plan(str(space)).stdout
    lines = {line.split()[0]: line for line in shown.splitlines() if line.startswith(" ")}
    assert " 8 " in lines["cpu-basic"]
    assert "bfloat16" in lines["cpu-basic"]
    assert "≈" in lines["t4-small"]
    assert "from cpu-basic" in lines["t4-small"]
    for sentence in ("no mark: measured", "≈: carried over from cpu-basic"):
        assert sentence in shown
    assert "~" in plan("--model-type", "text-classification").stdout
