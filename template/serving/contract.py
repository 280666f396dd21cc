"""What model.py may define, and how the server calls it."""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Hashable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.file_download import repo_folder_name

from serving.digest import digest


class Prepared(NamedTuple):
    """One prepared request, as the batcher wants it."""

    item: Any
    cost: int
    group: Hashable


class Model:
    """`model.py`, which defines `load()` and one of:

    - `predict(...)`, a batch function as Gradio defines it: it gets one list per input
      and returns a list with one result per request, or a tuple of such lists, one per
      output;
    - `stream(...)`, an async generator that yields the answer so far, again and again.

    It may also define, each for one request:

    - `prepare(*inputs)`, which checks and converts the inputs while the model is busy
      with others; `predict` then gets one list of what it returned;
    - `cost(item)`, its length, so that requests of similar length share a batch;
    - `group(item)`, what must be equal within a batch;
    - `size(item)`, how much it is, in the unit of `max_input` in tuning.py: on ZeroGPU a
      larger request asks for more seconds; where `stream` answers, `size(*inputs)`.

    And:

    - `DETERMINISTIC = True`: equal inputs give equal answers, so answers may be kept and
      equal requests be computed once;
    - `unload()`, called at the end.

    `prepare` is called from several threads at once, and so is `predict` where the row
    of tuning.py has several workers.
    """

    def __init__(self) -> None:
        self._module = importlib.import_module("model")
        self.streams = hasattr(self._module, "stream")
        self.deterministic = bool(getattr(self._module, "DETERMINISTIC", False))

    def load(self) -> None:
        """Load the weights, once."""
        self._module.load()

    def prepare(self, inputs: tuple[Any, ...]) -> Prepared:
        """Check and convert the inputs of one request.

        Raises:
            InputError: they cannot be answered.
        """
        module = self._module
        item = module.prepare(*inputs) if hasattr(module, "prepare") else inputs
        cost = module.cost(item) if hasattr(module, "cost") else 1
        group = module.group(item) if hasattr(module, "group") else None
        return Prepared(item, cost, group)

    def predict(self, items: list[Any]) -> Sequence[Any]:
        """One result per item, whichever way `predict` is written.

        Raises:
            TypeError: it returned another number of results.
        """
        if hasattr(self._module, "prepare"):
            return rows(self._module.predict(items), len(items))
        columns = [list(column) for column in zip(*items)]
        return rows(self._module.predict(*columns), len(items))

    def size(self, items: Sequence[Any]) -> float:
        """Of a request, from its prepared item or, for a stream, its inputs; or 0."""
        return self._module.size(*items) if hasattr(self._module, "size") else 0

    def stream(self, inputs: tuple[Any, ...]) -> AsyncGenerator[Any, None]:
        """Each value is the answer so far."""
        values: AsyncGenerator[Any, None] = self._module.stream(*inputs)
        return values

    def unload(self) -> None:
        """Release what `load` took, at the end."""
        if hasattr(self._module, "unload"):
            self._module.unload()


def rows(results: Any, count: int) -> Sequence[Any]:
    """One result per request, from a list of them or a tuple of lists, one per output.

    Raises:
        TypeError: a list has another length than `count`.
    """
    columns = results if isinstance(results, tuple) else (results,)
    for column in columns:
        if len(column) != count:
            raise TypeError(
                f"predict got {count} requests and returned {len(column)} results; it must "
                "return a list with one result per request, or a tuple of such lists"
            )
    return columns[0] if len(columns) == 1 else list(zip(*columns))


def revision(model_id: str) -> str:
    """Which version of the model is loaded: the Hub's commit, or a local one's files."""
    folder = Path(model_id)
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        stats = [
            (str(path), path.stat().st_size, path.stat().st_mtime) for path in files
        ]
        return digest(stats) or ""
    try:
        name = repo_folder_name(repo_id=model_id, repo_type="model")
        return (
            Path(HF_HUB_CACHE, name, "refs", "main").read_text(encoding="utf-8").strip()
        )
    except (OSError, ValueError):  # loaded in a way of its own, or there is none
        return ""
