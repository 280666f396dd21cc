"""Looks at a page as a careful person would: axe-core, what overlaps, what is cut off, the Tab key.

What Gradio itself does wrong stands in gradio_flaws.yml, by rule of axe-core and CSS selector;
`benchmarks/looks.py` checks that bare Gradio does the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

HERE = Path(__file__).parent
SCRIPT = (HERE / "looking.js").read_text(encoding="utf-8")
MOST_TABS = 150
FADING_MS = 300  # colours change slowly
NEXT = "() => window.looking.focused()"


class Flaw(NamedTuple):
    """Something wrong with a page.

    Attributes:
        rule: of axe-core, or of looking.js.
        where: a CSS selector, or what a person reads there.
        what: the HTML or the sizes, in short.
    """

    rule: str
    where: str
    what: str


class Known(NamedTuple):
    """A flaw of Gradio's own: in what `selector` matches, or is inside of."""

    rule: str
    selector: str
    reason: str


KNOWN = [Known(**one) for one in yaml.safe_load((HERE / "gradio_flaws.yml").read_text("utf-8"))]


def check_looks(page: Page) -> None:
    """Nothing overlaps, is cut off or scrolls sideways, and axe-core finds nothing of ours."""
    ours = [flaw for flaw, known in axe(page) if known is None]
    assert [*layout(page), *ours] == []


def dark(page: Page, on: bool) -> None:
    """Show the page as `?__theme=dark` does."""
    page.evaluate("on => document.body.classList.toggle('dark', on)", on)
    page.wait_for_timeout(FADING_MS)


def axe(page: Page) -> list[tuple[Flaw, Known | None]]:
    """What axe-core says against the page, each with why it is Gradio's own flaw, if it is."""
    found = []
    for violation in Axe().run(page).response["violations"]:
        for node in violation["nodes"]:
            target = node["target"][-1]
            selector = target if isinstance(target, str) else target[-1]
            flaw = Flaw(violation["id"], selector, node["html"][:300])
            known = [one for one in KNOWN if one.rule == flaw.rule and inside(page, flaw, one)]
            found.append((flaw, known[0] if known else None))
    return found


def inside(page: Page, flaw: Flaw, known: Known) -> bool:
    """Whether the flaw lies in what is known."""
    ask = "([where, known]) => !!document.querySelector(where)?.closest(known)"
    return bool(page.evaluate(ask, [flaw.where, known.selector]))


def layout(page: Page) -> list[Flaw]:
    """What scrolls sideways, overlaps or is cut off."""
    page.evaluate(SCRIPT)
    return [Flaw(*one) for one in page.evaluate("() => window.looking.layout()")]


def tab_through(page: Page) -> list[Flaw]:
    """What the Tab key does not reach, or reaches in another order than it is read."""
    page.evaluate(SCRIPT)
    page.evaluate("() => { document.activeElement?.blur(); window.scrollTo(0, 0); }")
    page.evaluate("() => window.looking.start()")
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if not page.evaluate(NEXT):
            break
    found = page.evaluate("() => window.looking.order()")
    page.evaluate("() => document.activeElement?.blur()")
    return [Flaw(*one) for one in found]
