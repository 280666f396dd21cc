"""Spares the Spaces of the tests, and those who visit them, what takes long and is no part of them.

- Gradio writes stub files for editors, anew at each import: a third of the time of a start.
- httpx reads all certificates for each client, also where the address is none of HTTPS: a third of
  the time in which Gradio's client makes a request.

Python imports this file at its start where the folder is on PYTHONPATH.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any


def _no_stubs(module: Any) -> None:
    module.create_or_modify_pyi = lambda *_: None


def _one_context(module: Any) -> None:
    module.create_ssl_context = cache(module.create_ssl_context)


_CHANGES: dict[str, Callable[[Any], None]] = {
    "gradio.component_meta": _no_stubs,
    "httpx._config": _one_context,
    "httpx2._config": _one_context,
}


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _CHANGES[module.__name__](module)


class _Finder:
    @staticmethod
    def find_spec(name: str, *where: Any) -> ModuleSpec | None:
        if name not in _CHANGES:
            return None
        spec = PathFinder.find_spec(name, *where)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin)
        return spec


sys.meta_path.insert(0, _Finder)
