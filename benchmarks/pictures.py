"""Makes the pictures of README.md and docs/, from a Space with a real model (MiniLM).

    python benchmarks/pictures.py [--plot]

With --plot also that of the values of `spaces-gen tune` beside those of the template, which takes
minutes in which the machine should do nothing else. Pictures go to docs/images.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from compare import ROOT  # it makes the modules of the tests known
from PIL import Image
from playwright.sync_api import Page, expect

from spaces_gen.embedded import minilm
from spaces_gen.render import render

from browser import PHONE, chromium, visit  # isort: skip
from space_process import RunningSpace  # isort: skip

IMAGES = ROOT / "docs" / "images"
ANSWERS = {"model_type": "sentence-similarity", "hardware": "cpu-basic"}
EXAMPLE = "How do I reset my password?"
LAPTOP: dict[str, Any] = {"viewport": {"width": 1100, "height": 700}}
COLORS = 64  # of a picture; screenshots need few
PLOT_SECONDS = "5"  # at each load


def keep(page: Page, name: str) -> None:
    """A screenshot, with few colours."""
    save(Image.open(io.BytesIO(page.screenshot())), IMAGES / f"{name}.png")


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as a small PNG."""
    picture.convert("RGB").quantize(COLORS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def answered(page: Page) -> None:
    """Have an example answered."""
    page.get_by_text(EXAMPLE).click()
    expect(page.get_by_label("Similarity")).not_to_have_value("")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)


def screenshots(folder: Path) -> None:
    """The page on a laptop, in the dark and on a phone, and its API page."""
    render(ANSWERS, folder / "space")
    with (
        RunningSpace(folder / "space", MODEL_ID=str(minilm())) as space,
        chromium() as browser,
    ):
        for name, device in (("space", LAPTOP), ("space-phone", PHONE)):
            with visit(browser, space, device) as page:
                answered(page)
                keep(page, name)
        with visit(browser, space, {**LAPTOP, "color_scheme": "dark"}) as page:
            answered(page)
            keep(page, "space-dark")
        page = browser.new_page(**LAPTOP)  # of the API, which looks for statistics, in vain
        page.goto(space.url)
        page.get_by_role("button", name="Use via API").click()
        expect(page.get_by_text("compare").first).to_be_visible()
        page.wait_for_timeout(1000)  # it slides in
        keep(page, "space-api")


def plot(folder: Path) -> None:
    """What the Space bears with the values of `spaces-gen tune`, beside those of the template."""
    default, tuned = folder / "default", folder / "tuned"
    for space in (default, tuned):
        render({**ANSWERS, "model_id": str(minilm())}, space)
    path = IMAGES / "tuned.png"
    command = [sys.executable, "-m", "spaces_gen"]
    subprocess.run([*command, "tune", "tuned"], cwd=folder, check=True)
    seconds = ["--users", "32", "--seconds", PLOT_SECONDS, "--plot", str(path)]
    subprocess.run(
        [*command, "bench", "tuned", "--vs", "default", *seconds], cwd=folder, check=True
    )
    save(Image.open(path), path)


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--plot", action="store_true", help="and the plot, alone")
    options = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (plot if options.plot else screenshots)(Path(folder))


if __name__ == "__main__":
    main()
