"""The site of the documentation: it builds without a warning, and what it names is there."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import typer
import yaml

from spaces_gen.cli import app
from spaces_gen.tables import load_model_types, load_quotas, load_tiers

ROOT = Path(__file__).parent.parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
ATTRIBUTES = {"href", "src", "srcset", "action", "data"}


class Parsed(HTMLParser):
    """What a page links to, what it loads by itself, and the places within it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        for name in ATTRIBUTES & given.keys():
            (self.links if tag == "a" else self.loads).append(given[name])


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    arguments = ["build", "--strict", "--config-file", str(config), "--site-dir", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", *arguments],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Parsed]:
    return {path: Parsed(path) for path in site.rglob("*.html")}


def test_every_link_of_the_site_leads_to_its_place(site: Path, pages: dict[Path, Parsed]) -> None:
    assert len(pages) > 20
    for path, parsed in pages.items():
        if path.name == "404.html":  # its links begin at the root of a server
            continue
        for link in [*parsed.links, *parsed.loads]:
            address, place = urldefrag(link)
            if urlsplit(address).scheme:
                continue
            target = (path.parent / unquote(address)).resolve() if address else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (path, link)
            assert target.is_relative_to(site.resolve()), (path, link)
            if place and target in pages:
                assert unquote(place) in pages[target].places, (path, link)


def test_nothing_of_markdown_is_left_as_it_was(site: Path) -> None:
    """Such as a table or a block without an empty line before it."""
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "--- |" not in text, path
        assert "```" not in text, path


def test_links_into_the_repository_name_files_of_it(pages: dict[Path, Parsed]) -> None:
    source = yaml.safe_load((ROOT / "copier.yml").read_text())["source"]["default"]
    named = {
        link.removeprefix(f"{source}/")
        for parsed in pages.values()
        for link in parsed.links
        if re.match(rf"{source}/(blob|tree)/", link)
    }
    assert named
    for link in named:
        assert (ROOT / link.split("/", 2)[2]).exists(), link


def test_no_page_asks_another_server(site: Path, pages: dict[Path, Parsed]) -> None:
    """Neither fonts nor counters, also of its scripts' own accord."""
    for path, parsed in pages.items():
        assert [one for one in parsed.loads if urlsplit(one).netloc] == [], path
    for path in site.rglob("*.css"):
        assert "url(http" not in path.read_text(encoding="utf-8"), path
    assert not any("api.github.com" in path.read_text() for path in site.rglob("*.html"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_navigation_with_its_options(verb: str, site: Path) -> None:
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    entries = re.findall(r'- "(.+?): .+": (.+)\.md', config)
    page = next(file for names, file in entries if verb in names.split(", "))
    text = (site / page / "index.html").read_text(encoding="utf-8")
    cells = re.findall(r"<tr>\s*<td><code>(.*?)</code></td>", text)
    for param in VERBS[verb].params:
        for name in param.opts if param.opts[0].startswith("-") else [param.metavar or ""]:
            assert any(name in html.unescape(cell) for cell in cells), name


def test_tables_are_those_of_the_package(site: Path) -> None:
    text = (site / "tiers" / "index.html").read_text(encoding="utf-8")
    for key, tier in load_tiers().items():
        row = re.search(rf"<tr>\s*<td><code>{key}</code>.*?</tr>", text, re.DOTALL)
        assert row, key
        price = f"${tier.price_per_hour:.2f}" if tier.price_per_hour else "free"
        assert price in row[0]
    dates = re.findall(r"20\d\d-\d\d", (ROOT / "generator/spaces_gen/tables/tiers.yml").read_text())
    assert dates
    assert all(date in text for date in dates)
    assert all(kind in text for kind in load_quotas())
    text = (site / "model-types" / "index.html").read_text(encoding="utf-8")
    assert all(f"<code>{key}</code>" in text for key in load_model_types())
    unfilled = [p for p in site.rglob("*.html") if re.search(r"<!-- \w+.*? -->", p.read_text())]
    assert not [p for p in unfilled if "options:" in p.read_text()]


def test_what_cannot_be_generated_or_found_ends_the_build(tmp_path: Path) -> None:
    """Such as a verb that was renamed, and a place that is gone."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\n<!-- options: gone -->\n\n[x](a.md#gone)\n")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config |= {"hooks": [str(ROOT / "docs" / "generated.py")], "nav": [{"A": "a.md"}]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode == 1
    assert "nothing is generated for <!-- options: gone -->" in done.stderr
    assert "#gone" in done.stderr


# -- commands --------------------------------------------------------------------------------------


def commands(page: Path) -> Iterator[str]:
    """Every call of the command on a page, in blocks and within the text."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^ *```bash\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r" *(?:\S+/bin/|\.venv/bin/)?spaces-gen (.+)", line):
                yield found[1]
    for code in re.findall(r"`spaces-gen ([^`]+)`", text):
        yield " ".join(code.split())


OF_ALL = {"--debug", "--help", "--install-completion"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_commands_name_verbs_and_options_that_there_are(page: Path) -> None:
    for command in commands(page):
        words = shlex.split(command, comments=True)
        verb = next(word for word in words if word != "--debug")
        assert verb in {*VERBS, "VERB", *OF_ALL}, command
        known = {
            name
            for param in (VERBS[verb].params if verb in VERBS else [])
            for name in (*param.opts, *param.secondary_opts)
        }
        for word in words:
            if re.match(r"-", word):
                assert word.partition("=")[0] in {*known, *OF_ALL}, command


def test_pages_of_verbs_hold_commands() -> None:
    """Or the test above would see nothing."""
    assert sum(len(list(commands(page))) for page in PAGES) > 60


def test_every_page_opens_with_a_command() -> None:
    for page in PAGES:
        if page.name != "README.md":
            text = page.read_text(encoding="utf-8")
            assert re.match(r"# .+\n\n```(bash|console)\n", text), page


def test_the_example_of_a_model_runs(tmp_path: Path, rendered: Callable[..., Path]) -> None:
    """As the page says that it is tried."""
    text = (ROOT / "docs" / "writing-model.md").read_text(encoding="utf-8")
    example = next(b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "stop" in b)
    line = next(b for b in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) if " -c " in b)
    space = tmp_path / "space"
    shutil.copytree(rendered(model_type="custom"), space)
    (space / "model.py").write_text(example, encoding="utf-8")
    words = shlex.split(line.splitlines()[0])
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=space, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[1.0]"), done.stderr
