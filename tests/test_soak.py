"""A soak in short: visitors of whom some leave, and nothing is lost, wrong or left behind.

The long one is benchmarks/soak.py, of whose parts this consists.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from served import SpaceOf

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

from soaking.crowd import Habits
from soaking.endurance import watched
from soaking.questions import Pictures

USERS, SECONDS, CALM_SECONDS = 30, 12.0, 11.0  # idle threads end after 10 s
HABITS = Habits(think=1.5, direct=0.3, leave=0.2, leave_within=0.3, reload=0.1, rush=5.0)


@pytest.mark.timeout(200)
def test_every_request_is_accounted_for_and_nothing_is_left_behind(
    space_of: SpaceOf, tiny_model: object, tmp_path: Path
) -> None:
    model = tiny_model("image-classification")  # type: ignore[operator]
    pictures = Pictures(model, tmp_path / "pictures", 600)
    other = tmp_path / "others"
    other.mkdir()
    settings = {"DTYPE": "float32", "TMPDIR": str(other), "CACHE_EXAMPLES": "off"}
    with space_of("image-classification", settings) as space:
        seen, _, before, after = asyncio.run(
            watched(space, pictures, USERS, SECONDS, CALM_SECONDS, HABITS)
        )
    counts = seen.counts
    assert seen.asked == len(seen.ended) >= USERS
    assert not seen.problems()
    assert not seen.pages_failed
    assert counts["right"] > counts["left"] > 0
    assert after.page_fds <= before.page_fds + 1
    assert after.model_fds <= before.model_fds
    # of those that serve files an idle one ends when it is next looked at
    assert after.page_threads <= before.page_threads + 8
    assert after.others <= before.others
