"""The examples and their answers, kept on disk.

`examples/examples.json` is a list of rows, one value per input component; a value that
names a file in `examples/` stands for that file. Answers lie in
`examples_cache/<hash>/`, one file per example. The hash covers the examples, the code
and the model, so a change of any of them never shows an old answer; commit the folder
to have the answers at once after a restart.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import logging
import os
import shutil
import threading
from pathlib import Path
from typing import Any

from PIL import Image

from serving.values import KINDS, Media, from_entry, to_entry

log = logging.getLogger("space")

EXAMPLES = Path("examples")
CACHE = Path("examples_cache")


def load_examples() -> list[list[Any]]:
    """The rows of `examples/examples.json`; none if the file is missing."""
    path = EXAMPLES / "examples.json"
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [[_file_or_value(value) for value in row] for row in rows]


def _file_or_value(value: Any) -> Any:
    if isinstance(value, dict):  # a message with files
        return {name: _file_or_value(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_file_or_value(one) for one in value]
    is_name = isinstance(value, str) and Path(value).name == value
    # unlike Path.is_file it says no to a text that is too long for a name
    if is_name and value and os.path.isfile(EXAMPLES / value):
        return str(EXAMPLES / value)
    return value


class ExampleCache:
    """Answers to examples, by the number of the example.

    Args:
        model_id: part of the hash, as is `dtype`: another model or precision answers
            differently.
        code: hash of the code and the examples, by default of those here.
    """

    def __init__(self, model_id: str, dtype: str, code: str = "") -> None:
        self.code = code or code_hash()
        name = hashlib.sha256(f"{model_id}\n{dtype}\n{self.code}".encode())
        self._folder = CACHE / name.hexdigest()[:16]
        self._writing = threading.Lock()

    def __contains__(self, number: int) -> bool:
        return self._path(number).is_file()

    def get(self, number: int) -> Any:
        """The kept answer.

        Raises:
            LookupError: it is not there or not readable.
        """
        try:
            text = self._path(number).read_text(encoding="utf-8")
            return from_entry(json.loads(text), self._fetch)
        except Exception as error:  # a damaged file or picture raises almost anything
            raise LookupError(f"example {number}: {error!r}") from error

    def put(self, number: int, answer: Any) -> None:
        """Keep `answer`, unless it cannot be written as JSON or as a file."""
        try:
            with self._writing:
                self._write(number, answer)
        except (TypeError, ValueError, OSError, RecursionError) as error:
            log.warning("the answer to example %d is not kept: %s", number, error)

    def _write(self, number: int, answer: Any) -> None:
        if not self._folder.exists():
            shutil.rmtree(CACHE, ignore_errors=True)  # of earlier examples, code, model
            self._folder.mkdir(parents=True)
        path = self._path(number)
        path.unlink(missing_ok=True)  # its files are about to change
        files = itertools.count()

        def keep(media: Media) -> str:
            name = f"{number}-{next(files)}{media.suffix}"
            (self._folder / name).write_bytes(media.content)
            return name

        text = json.dumps(to_entry(answer, keep))
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)  # whole or not at all

    def _fetch(self, name: str) -> bytes:
        path = self._folder / Path(name).name
        if path.suffix not in KINDS:
            raise ValueError(f"{name} holds no media")
        content = path.read_bytes()
        if path.suffix == ".png":
            with Image.open(io.BytesIO(content)) as picture:
                picture.verify()  # damaged ones are computed anew
        return content

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"


def code_hash() -> str:
    """Of all that decides what an answer is, but the model: the code and the examples."""
    parts = hashlib.sha256()
    # tuning.py says how fast, not what
    code = [path for path in Path().glob("*.py") if path.name != "tuning.py"]
    for path in sorted(
        [*code, *(path for path in EXAMPLES.rglob("*") if path.is_file())]
    ):
        parts.update(f"{path.as_posix()}\n{path.stat().st_size}\n".encode())
        parts.update(path.read_bytes())
    return parts.hexdigest()[:16]
