"""What the page says about the wait, beside how long it then takes; and the same for plain Gradio.

    python benchmarks/waiting.py [--visits 12]

A model takes a second for each batch of up to 4 texts. 20 visitors ask again and again, as many as
the queue then holds; one more comes with a browser, reads the first estimate on the page, and
waits. Plain Gradio has the same function with `batch=True`.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import compare  # noqa: F401  # it makes the modules of the tests known
from gradio_client import Client
from playwright.sync_api import Browser, expect
from report import RESULTS, place

from spaces_gen.render import render

from browser import LAPTOP, chromium, screenshot  # isort: skip
from space_process import RunningSpace  # isort: skip

OTHERS, BATCH, SECONDS = 20, 4, 1.0
SHOWN = re.compile(r"([\d.]+)/([\d.]+)s")
SLOW = f"""

import time

DETERMINISTIC = False


def predict(batch):
    time.sleep({SECONDS})
    return [describe(text) for text in batch]
"""
PLAIN = f"""
import time

import gradio as gr


def slow(texts):
    time.sleep({SECONDS})
    return [[str(len(text)) for text in texts]]


with gr.Blocks() as demo:
    text = gr.Textbox(label="Text")
    button = gr.Button("Run")
    result = gr.Textbox(label="Result")
    button.click(slow, text, result, api_name="predict", batch=True, max_batch_size={BATCH})
demo.launch()
"""
HEAD = """| | first estimate shown (s, median) | then waited (s, median) | shown / waited | worst |
|---|---|---|---|---|"""


@contextmanager
def ours(folder: Path) -> Iterator[str]:
    """A rendered Space."""
    render({"model_type": "custom"}, folder / "space")
    with (folder / "space" / "model.py").open("a", encoding="utf-8") as code:
        code.write(SLOW)
    settings = {"MAX_BATCH_SIZE": str(BATCH), "MAX_SIZE": "100", "CACHE_EXAMPLES": "off"}
    with RunningSpace(folder / "space", **settings) as space:
        yield space.url


@contextmanager
def plain(folder: Path) -> Iterator[str]:
    """Plain Gradio."""
    (folder / "plain").mkdir()
    (folder / "plain" / "app.py").write_text(PLAIN, encoding="utf-8")
    with RunningSpace(folder / "plain", GRADIO_ANALYTICS_ENABLED="False") as app:
        yield app.url


@contextmanager
def crowd(url: str) -> Iterator[None]:
    """Others, who ask again as soon as they are answered."""
    over = threading.Event()

    def ask(number: int) -> None:
        client = Client(url, verbose=False)
        for turn in range(1000):
            if over.is_set():
                return
            client.predict(f"visitor {number} turn {turn}", api_name="/predict")

    threads = [threading.Thread(target=ask, args=[number]) for number in range(OTHERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def visits(browser: Browser, url: str, count: int, name: str) -> list[tuple[float, float]]:
    """The first estimate that the page shows, and how long it took, for each visit; seconds."""
    seen = []
    for number in range(count):
        context = browser.new_context(**LAPTOP)
        context.route(lambda one: not one.startswith(url), lambda route: route.abort())
        page = context.new_page()
        page.goto(url)
        text = page.get_by_label("Text", exact=True)
        expect(text).to_be_visible()
        page.wait_for_timeout(500)
        text.fill(f"own {number}")
        start = time.monotonic()
        page.get_by_role("button", name="Run").click()
        first, result = None, page.get_by_label("Result")
        while not result.input_value():
            if first is None:
                words = " ".join(page.locator(".meta-text, .meta-text-center").all_inner_texts())
                if found := SHOWN.search(words):
                    first = float(found[2])
                    if number == 0:
                        screenshot(page, f"waiting-{name}")
            page.wait_for_timeout(20)
        seen.append((first or float("nan"), time.monotonic() - start))
        print(name, *map("{:.1f}".format, seen[-1]), flush=True)
        context.close()
    return seen


def main() -> None:
    """Measure both, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--visits", type=int, default=12)
    options = parser.parse_args()
    lines = []
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        for name, site in (("our Space", ours), ("plain Gradio, batch=True", plain)):
            with site(Path(folder)) as url, crowd(url):
                time.sleep(15)  # until both have learned
                seen = visits(browser, url, options.visits, name.split(" ")[0])
            ratios = [shown / waited for shown, waited in seen]
            shown, waited = (statistics.median(column) for column in zip(*seen))
            worst = max(ratios, key=lambda ratio: max(ratio, 1 / ratio))
            lines.append(
                f"| {name} | {shown:.1f} | {waited:.1f} | {statistics.median(ratios):.2f} "
                f"| {worst:.2f} |"
            )
            print(lines[-1], flush=True)
    about = " ".join(__doc__.split("\n\n")[2].split())
    text = f"# The wait that is shown\n\n{place()} {about}\n\n{HEAD}\n" + "\n".join(lines) + "\n"
    (RESULTS / "waiting.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
