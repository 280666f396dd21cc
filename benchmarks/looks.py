"""Looks at the page of every model type: three sizes, light and dark, before and after an answer.

    python benchmarks/looks.py [TYPE ...] [--pictures FOLDER]

axe-core, what overlaps, is cut off or scrolls sideways, and where the Tab key goes: the checks of
tests/looking.py, in Chromium. Flaws that bare Gradio has, too, are listed in
tests/gradio_flaws.yml; each run looks at bare Gradio whether it still has them. The models are
the tiny ones of the tests. Exits with 1 where a flaw is the Space's own.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compare import ROOT  # it makes the modules of the tests known
from playwright.sync_api import Browser, Page, expect
from report import RESULTS, place

from spaces_gen.render import render
from spaces_gen.tables import load_model_types

import tiny_models  # isort: skip
from browser import EXAMPLES, PHONE, chromium  # isort: skip
from looking import KNOWN, Flaw, Known, axe, dark, layout, tab_through  # isort: skip
from space_process import QuickSpace, RunningSpace, free_port  # isort: skip

LAPTOP, WIDE = {"width": 1366, "height": 768}, {"width": 2560, "height": 1440}
DEVICES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # and its sizes
    "phone": (PHONE, {"phone": PHONE["viewport"]}),
    "desk": ({"viewport": LAPTOP}, {"laptop": LAPTOP, "wide": WIDE}),
}
A_CLICK = ".gallery-item, button.example, .tr-body td"  # on the first example
BUSY = ".progress-text, .meta-text, .meta-text-center, .generating, .eta-bar"
SMALLER = {"text-to-video": {3: 2, 4: 9, 5: 128, 6: 128}}  # of an example, for a CPU
STATES = ("before", "after")  # an answer
TITLE = "# Looked at"
ABOUT = """Each page in headless Chromium at 390x844 (a phone), 1366x768 and 2560x1440, light and
dark, before and after an answer: axe-core with all its rules, what overlaps, is cut off or scrolls
sideways, and whether the Tab key reaches everything in the order in which it is read. Ours: flaws
that bare Gradio does not have. Gradio's: those that it has, too (`tests/gradio_flaws.yml`)."""
MENDED = """Before, with Gradio's default theme and the same checks, text-classification had 4
flaws of ours to mend, object-detection 6, text-generation 3 and text-to-image 4, all of them text
too faint: the main button (2.8 to 1 where WCAG asks for 4.5), the links of the footer, hints, the
ends of a slider. Now the Space has a theme of its own for these. Also mended: the colour of an
answer that is marked in a text; progress and errors that lay over the field of the seed; examples
as buttons in place of a table wider than a phone; an empty list of examples under a table of
another model; the name of the field of a chat; whole numbers that the API called fractions;
`/api/docs`, which now describes each argument and the answer; the server's path of a picture in
answers of the direct route. The messages about errors and the page of a model that cannot be
loaded were looked at on a phone, too."""
HEAD = """| model type | views | ours | Gradio's, by rule |
|---|---|---|---|"""


class Seen:
    """What was found on the pages of one Space."""

    def __init__(self) -> None:
        self.views = 0
        self.ours: dict[Flaw, str] = {}
        self.known: collections.Counter[str] = collections.Counter()

    def add(self, page: Page, view: str, keys: bool = False) -> None:
        """Look at the page as it is now."""
        self.views += 1
        flaws = [*layout(page), *(tab_through(page) if keys else [])]
        for flaw, known in axe(page):
            if known is None:
                flaws.append(flaw)
            else:
                self.known[flaw.rule] += 1
        for flaw in flaws:
            self.ours.setdefault(flaw, view)


def views(browser: Browser, url: str, states: tuple[str, ...]) -> Iterator[tuple[Page, str]]:
    """The page on each device, at each size, light and dark, before and after an answer."""
    for device, sizes in DEVICES.values():
        context = browser.new_context(**device)
        context.set_default_timeout(60_000)
        context.route(lambda one: not one.startswith(url), lambda route: route.abort())
        page = context.new_page()
        page.goto(url)
        expect(page.locator(f"{EXAMPLES}, button.primary").first).to_be_visible()
        page.wait_for_timeout(500)
        for state in states:
            if state == "after":
                answer(page)
            for size, viewport in sizes.items():
                page.set_viewport_size(viewport)
                for scheme in ("light", "dark"):
                    dark(page, scheme == "dark")
                    yield page, f"{size}-{scheme}-{state}"
            dark(page, False)
        context.close()


def look(browser: Browser, space: RunningSpace, name: str, pictures: Path) -> Seen:
    """Look at a Space at each size."""
    seen = Seen()
    for page, view in views(browser, space.url, STATES):
        page.screenshot(path=pictures / f"{name}-{view}.png", full_page="phone" in view)
        seen.add(page, view, keys="laptop-light" in view)
    return seen


def answer(page: Page) -> None:
    """Have the first example answered, or what the page shows at first."""
    examples = page.locator(A_CLICK)
    with page.expect_response(lambda one: "/queue/data" in one.url):
        (examples if examples.count() else page.locator("button.primary")).first.click()
    page.wait_for_timeout(700)
    expect(page.locator(BUSY)).to_have_count(0, timeout=60_000)
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)


def look_at(browser: Browser, model_type: str, pictures: Path) -> Seen:
    """Look at a new Space of a model type."""
    model = tiny_models.build(model_type, ROOT / ".cache" / "tiny-models")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "space"
        render({"model_type": model_type}, folder)
        settings = {"MODEL_ID": str(model), "DTYPE": "float32"}
        if model_type in SMALLER:
            path = folder / "examples" / "examples.json"
            rows = json.loads(path.read_text("utf-8"))
            for row in rows:
                for column, value in SMALLER[model_type].items():
                    row[column] = value
            path.write_text(json.dumps(rows), "utf-8")
        with QuickSpace(folder, **settings) as space:
            return look(browser, space, model_type, pictures)


@contextmanager
def bare(kind: str) -> Iterator[str]:
    """The address of bare Gradio with the same components."""
    port = free_port()
    here = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    quiet = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(ROOT / "tests" / "bare_page.py"), kind]
    process = subprocess.Popen(
        command, env={**os.environ, **here, **quiet}, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{url}/config", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def of_gradio(browser: Browser, pictures: Path) -> tuple[set[Known], list[Flaw]]:
    """Which known flaws bare Gradio has, and which others."""
    found, others = set[Known](), list[Flaw]()
    for kind, states in (("blocks", STATES[:1]), ("chat", STATES)):
        with bare(kind) as url:
            for page, view in views(browser, url, states):
                page.screenshot(path=pictures / f"bare-{kind}-{view}.png", full_page=True)
                for flaw, known in axe(page):
                    if known is None:
                        others.append(flaw)
                    else:
                        found.add(known)
    return found, others


def known_rows(names: list[str]) -> dict[str, list[str]]:
    """The rows of the table as it is, which those of the types of this run replace."""
    path = RESULTS / "looks.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    cells = [[one.strip() for one in line.strip("|").split("|")] for line in lines]
    return {name: row for name, *row in cells if name in names}


def main() -> None:
    """Look at everything, print, and write the table to results/."""
    names = list(load_model_types())
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("types", nargs="*", default=names, metavar="TYPE")
    parser.add_argument("--pictures", type=Path, default=ROOT / "artifacts" / "looks")
    parser.add_argument("--bare", action="store_true", help="look at bare Gradio alone")
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    rows, failed = known_rows(names), False
    with chromium() as browser:
        if options.bare or options.types == names:
            has, others = of_gradio(browser, options.pictures)
            for one in set(KNOWN) - has:
                failed = True
                print(f"bare Gradio does not have it (any more): {one.rule} {one.selector}")
            print(*sorted(set(others)) if options.bare else "", sep="\n")
        for name in options.types if not options.bare else ():
            try:
                seen = look_at(browser, name, options.pictures)
            except Exception as error:
                failed = True
                print(f"{name}: {type(error).__name__}: {str(error)[:2000]}", flush=True)
                continue
            rules = ", ".join(f"{rule} {count}" for rule, count in sorted(seen.known.items()))
            rows[name] = [str(seen.views), str(len(seen.ours)), rules]
            print(f"{name}: {' | '.join(rows[name])}", flush=True)
            for flaw, view in seen.ours.items():
                print(f"  {view}: {flaw.rule}: {flaw.where}\n      {flaw.what}", flush=True)
            failed = failed or bool(seen.ours)
            lines = [f"| {' | '.join([one, *rows[one]])} |" for one in names if one in rows]
            text = "\n".join([TITLE, "", f"{place()} {ABOUT}", "", MENDED, "", HEAD, *lines]) + "\n"
            (RESULTS / "looks.md").write_text(text, encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
