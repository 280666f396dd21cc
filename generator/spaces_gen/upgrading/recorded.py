"""What a Space says of how it was made: `.copier-answers.yml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from spaces_gen.answers import ANSWERS, load_plain
from spaces_gen.bundle import bundle_root
from spaces_gen.errors import UserError

SOURCE = re.compile(r"(?:(?:https?|ssh|git)://|git@)[A-Za-z0-9][^\s\x00-\x1f]*")
SHORT = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,99}")


@dataclass(frozen=True)
class Recorded:
    """The answers, and where the template is from.

    Attributes:
        source: address of the template's repository, in whatever spelling.
        version: a tag or a commit of it; None where the Space does not say.
    """

    answers: Mapping[str, Any]
    source: str
    version: str | None


def parse(content: bytes | None, space: str) -> Recorded:
    """Read an answers file.

    Args:
        space: how the Space is called in messages.

    Raises:
        UserError: it is missing or damaged; with how to get it back.
    """
    hint = f"`spaces-gen adopt {space}` finds the answers out and writes them anew"
    if content is None:
        raise UserError(f"{space} has no {ANSWERS}, which says how it was made; {hint}")
    try:
        read = load_plain(content.decode("utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{ANSWERS} is damaged ({first_line(error)}); {hint}") from error
    if not isinstance(read, dict) or not isinstance(read.get("model_type"), str):
        raise UserError(f"{ANSWERS} is damaged (it names no model_type); {hint}")
    keys = [key for key in read if isinstance(key, str) and not key.startswith("_")]
    answers = {key: read[key] for key in keys}
    source = str(read.get("_src_path") or public_source())
    version = read.get("_commit")
    if not is_address(source):
        raise UserError(f"{ANSWERS} is damaged (_src_path is no address of a repository); {hint}")
    if version is not None and not VERSION.fullmatch(str(version)):
        raise UserError(f"{ANSWERS} is damaged (_commit is no version); {hint}")
    return Recorded(answers, source, None if version is None else str(version))


def is_address(source: str) -> bool:
    """Whether it is the address of a repository elsewhere, and nothing that git would run."""
    return bool(SOURCE.fullmatch(repository(source))) and ".." not in source


def repository(source: str) -> str:
    """The address as git takes it, by Copier's rules for short ones."""
    for short, host in SHORT.items():
        source = source.replace(short, host, 1) if source.startswith(short) else source
    source = source.removeprefix("git+")
    bare = source.startswith(tuple(SHORT.values())) and not source.endswith(".git")
    return f"{source.rstrip('/')}.git" if bare else source


def normal(source: str) -> str:
    """One spelling for all addresses of a repository, to compare them."""
    return repository(source).rstrip("/").removesuffix(".git")


@cache
def public_source() -> str:
    """The address that the template itself gives for its repository."""
    spec = yaml.safe_load((bundle_root() / "copier.yml").read_text(encoding="utf-8"))
    return normal(str(spec["source"]["default"]))


def first_line(error: Exception) -> str:
    """What is wrong, without the context that YAML adds."""
    problem = getattr(error, "problem", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    return where + (str(problem).splitlines() or ["it cannot be read"])[0]
