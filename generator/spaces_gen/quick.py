"""Copier made quick for a render into a new folder; the files come out the same.

It compiles each part of each path of the template anew, most of them the same few; it reads YAML
with the slow one of PyYAML's two parsers; and it asks git about each file that it writes, which is
in no repository here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

import jinja2
import yaml

from spaces_gen.tables.reading import LOADER

_compiled: dict[tuple[Any, ...], CodeType] = {}


@contextmanager
def quick() -> Iterator[None]:
    """Renders in here are quick; not for several threads at once, as Copier is not either."""
    slow_loader = yaml.SafeLoader
    slow_compile: Any = jinja2.Environment.compile
    copier: Any = sys.modules.get("copier._main")
    of_git = getattr(copier, "is_git_available", None)

    def compile_once(
        self: jinja2.Environment,
        source: Any,
        name: str | None = None,
        filename: str | None = None,
        raw: bool = False,
        defer_init: bool = False,
    ) -> Any:
        if not isinstance(source, str) or raw or name or filename:
            return slow_compile(self, source, name, filename, raw, defer_init)
        key = (source, *_settings(self))
        if key in _compiled:
            self.preprocess(source)  # Copier's own extension sets something there
        else:
            _compiled[key] = slow_compile(self, source)
        return _compiled[key]

    yaml.SafeLoader = LOADER  # type: ignore[misc]
    jinja2.Environment.compile = compile_once  # type: ignore[method-assign]
    if of_git is not None:
        copier.is_git_available = lambda: False
    try:
        yield
    finally:
        yaml.SafeLoader = slow_loader  # type: ignore[misc]
        jinja2.Environment.compile = slow_compile  # type: ignore[method-assign]
        if of_git is not None:
            copier.is_git_available = of_git


def _settings(environment: jinja2.Environment) -> tuple[Any, ...]:
    """All that a template's code depends on beside its text."""
    return (
        type(environment),
        tuple(environment.extensions),
        environment.undefined,
        environment.finalize,
        environment.autoescape,
        environment.optimized,
        environment.keep_trailing_newline,
        environment.trim_blocks,
        environment.lstrip_blocks,
        environment.newline_sequence,
        environment.line_statement_prefix,
        environment.line_comment_prefix,
        *(environment.block_start_string, environment.block_end_string),
        *(environment.variable_start_string, environment.variable_end_string),
        *(environment.comment_start_string, environment.comment_end_string),
    )
