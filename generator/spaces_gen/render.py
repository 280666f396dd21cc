"""Renders a Space from answers, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from spaces_gen import __version__
from spaces_gen.bundle import staged_template
from spaces_gen.errors import UserError
from spaces_gen.git import is_of_a_hook
from spaces_gen.questions import check_kinds, explain
from spaces_gen.tables.reading import read_yaml

# What a Space that was just created on the Hub holds before anything is put into it.
OF_AN_EMPTY_SPACE = {".git", ".gitattributes", "README.md"}


def render(
    answers: dict[str, Any],
    destination: Path,
) -> None:
    """Render a Space into `destination`.

    Args:
        answers: by question; they are not asked again.
        destination: a folder that does not exist, is empty, or is a clone of a new Space.

    Raises:
        UserError: an answer is not allowed, or `destination` holds files of its own.
    """
    check_destination(destination)
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as folder:
        rendered = Path(folder) / (destination.resolve().name or "space")
        with staged_template() as template:
            render_template(
                template,
                answers,
                rendered,
                provenance(),
            )
        move_into(rendered, destination)


def check_destination(destination: Path) -> None:
    """Refuse a place where a Space would overwrite something."""
    if destination.exists() and not destination.is_dir():
        raise UserError(f"{destination} is a file; name a new or an empty folder")
    if not destination.exists():
        return
    others = sorted(
        path.name for path in destination.iterdir() if path.name not in OF_AN_EMPTY_SPACE
    )
    if others:
        shown = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
        raise UserError(f"{destination} is not empty ({shown}); name a new or an empty folder")


def move_into(rendered: Path, destination: Path) -> None:
    """Move every file of `rendered` into `destination`, keeping the folders."""
    for path in sorted(rendered.rglob("*")):
        target = destination / path.relative_to(rendered)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)


def asked(template: Path, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to what a template asks; Jinja would see others as well, in place of its own.

    An answers file may hold those to questions of another version, or what somebody put there.

    Raises:
        UserError: it is no template.
    """
    try:
        spec = read_yaml(template / "copier.yml")
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        spec = None
    if not isinstance(spec, dict):
        raise UserError("the template has no copier.yml that can be read")
    return {key: value for key, value in answers.items() if key in spec and key[:1] != "_"}


def provenance() -> dict[str, str]:
    """What the answers file says of the template's version; a version in development has no tag."""
    return {} if "dev" in __version__ else {"_commit": f"v{__version__}"}


def render_template(
    template: Path,
    answers: Mapping[str, Any],
    folder: Path,
    provenance: Mapping[str, str],
) -> None:
    """Render a template that lies in a plain folder.

    Args:
        folder: one that does not exist yet.
        provenance: what the answers file says of the template: `_src_path`, `_commit`.

    Raises:
        UserError: an answer is not allowed.
    """
    for name in [name for name in os.environ if is_of_a_hook(name)]:
        del os.environ[name]  # they would point to the repository of the git hook
    check_kinds(answers)
    answers = asked(template, answers)
    import copier
    import jinja2

    from spaces_gen.quick import quick

    try:
        with quick():
            copier.run_copy(
                str(template),
                folder,
                data={**answers, "provenance": dict(provenance)},
                defaults=True,
                quiet=True,
                settings=copier.Settings(),
            )
    except copier.errors.UnsafeTemplateError as error:
        raise UserError(
            "the template wants to run programs of its own, which spaces-gen never does"
        ) from error
    except (
        *(ValueError, TypeError, LookupError, AttributeError),  # also of a template that is none
        *(copier.errors.CopierError, jinja2.TemplateError),
    ) as error:
        raise explain(error) from error
