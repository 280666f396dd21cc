"""What the pages hold that is told elsewhere already; MkDocs calls it while it builds the site.

- `<!-- options: VERB -->` becomes the arguments and options of `spaces-gen VERB`, `<!-- tiers -->`,
  `<!-- quotas -->` and `<!-- model types -->` become the tables of the package.
- README.md, CHANGELOG.md and CONTRIBUTING.md are pages as well.
- Links out of `docs/` lead to the repository.
"""

from __future__ import annotations

import html
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import typer
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from spaces_gen import __version__
from spaces_gen.cli import app
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.tables.quotas import TABLE as QUOTAS
from spaces_gen.tables.quotas import load_quotas
from spaces_gen.tables.tiers import TABLE as TIERS

log = logging.getLogger("mkdocs.hooks.generated")

DOCS = Path(__file__).parent
ROOT = DOCS.parent
# Files of the repository that are pages of the site, by the page's name.
OUTSIDE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}

BY_MESSAGE = "troubleshooting.md"  # comes first where somebody searches for a message


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The version and the address of the sources, as the package and the template know them."""
    config.copyright = f"spaces-gen {__version__}, Apache-2.0"
    config.extra["social"] = [{"icon": "fontawesome/brands/github", "link": repository()}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside of `docs/`."""
    for name, source in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is generated, and make the links those of the site."""
    if page.file.src_uri == BY_MESSAGE:
        page.meta["search"] = {"boost": 3}
    folder = ROOT if page.file.src_uri in OUTSIDE else DOCS
    return relinked(filled(markdown, page.file.src_uri), folder, page.file.src_uri)


# -- what is generated -----------------------------------------------------------------------------

MARKER = re.compile(r"^<!-- ([a-z ]+?)(?:: ([a-z-]+))? -->$", re.MULTILINE)


def filled(markdown: str, page: str) -> str:
    """The page with tables in place of its markers."""

    def table(found: re.Match[str]) -> str:
        kind, verb = found.groups()
        if kind == "options" and verb in verbs():
            return options(verb)
        if kind in TABLES:
            return TABLES[kind]()
        log.warning("%s: nothing is generated for %s", page, found[0])
        return found[0]

    return MARKER.sub(table, markdown)


def verbs() -> dict[str, typer.core.TyperCommand]:
    """The verbs of the command line."""
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def options(verb: str) -> str:
    """How to call a verb, and the table of its arguments and options, from typer itself."""
    command = verbs()[verb]
    context = command.context_class(command, info_name=f"spaces-gen {verb}")
    records = [param.get_help_record(context) for param in command.params]
    usage = command.get_usage(context).removeprefix("Usage: ")
    return f"```text\n{usage}\n```\n\n" + as_table(
        ("argument or option", "what"),
        ((code(name), text(said)) for name, said in filter(None, records)),
    )


def tiers() -> str:
    """The hardware with its prices, and where they are from."""
    rows = (
        (
            code(key),
            f"${tier.price_per_hour:.2f}" if tier.price_per_hour else "free",
            f"{tier.gpus} x {tier.gpu}, {tier.gpu_memory_gb} GB".replace(" ", "\u00a0")
            if tier.gpus
            else "–",
            str(tier.cpus or "–"),
            f"{tier.memory_gb} GB" if tier.memory_gb else "–",
            tier.dtype,
        )
        for key, tier in load_tiers().items()
    )
    header = ("hardware", "an hour", "GPU", "vCPU", "memory", "dtype")
    return f"{as_table(header, rows)}\n\n{comment(TIERS, 'Prices and sizes:')}"


def quotas() -> str:
    """How long a visitor may use ZeroGPU."""
    rows = ((kind, f"{seconds / 60:g}") for kind, seconds in load_quotas().items())
    table = as_table(("visitor", "minutes a day"), rows)
    return f"{table}\n\n{comment(QUOTAS, 'Minutes of ZeroGPU')}"


def model_types() -> str:
    """The model types with their default models."""
    rows = (
        (
            code(key),
            row.name,
            "of its own" if row.model_id.startswith(".") else row.model_id,
            f"{row.parameters} M",
            row.model_license or "–",
            code(row.hardware),
        )
        for key, row in load_model_types().items()
    )
    header = ("model type", "name", "default model", "parameters", "licence", "hardware")
    return as_table(header, rows)


TABLES: dict[str, Callable[[], str]] = {
    "tiers": tiers,
    "quotas": quotas,
    "model types": model_types,
}


def comment(path: Path, beginning: str) -> str:
    """The paragraph of a table's comments that begins so."""
    lines = path.read_text(encoding="utf-8").splitlines()
    plain = "\n".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    found = re.search(rf"^{beginning}.*?(?=\n\n|\Z)", plain, re.DOTALL | re.MULTILINE)
    return " ".join(found[0].split()) if found else ""


def as_table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A table in Markdown; the cells are Markdown as well."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(plain: str) -> str:
    """A text as code; a table takes a bar in backticks for the end of the cell."""
    return f"<code>{html.escape(plain).replace('|', '&#124;')}</code>"


def text(plain: str) -> str:
    """A text of the help, which marks commands by backticks."""
    return html.escape(plain, quote=False).replace("|", "&#124;")


# -- links -----------------------------------------------------------------------------------------

LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)")
FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def relinked(markdown: str, folder: Path, page: str) -> str:
    """The page with links as they are on the site; `folder` is where it lies."""

    def there(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / found[1]))
        if not target.exists():
            log.warning("%s: there is no %s", page, found[1])
        for name, source in OUTSIDE.items():
            if target == ROOT / source:
                return name
        if target.is_relative_to(DOCS):
            return target.relative_to(DOCS).as_posix()
        kind = "tree" if target.is_dir() else "blob"
        return f"{repository()}/{kind}/main/{target.relative_to(ROOT).as_posix()}"

    parts = FENCED.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(there, part) for part in parts)


def repository() -> str:
    """The address of the sources, as copier.yml has it."""
    questions = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    return str(questions["source"]["default"])
