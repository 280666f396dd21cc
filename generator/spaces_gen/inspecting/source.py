"""Where a model is looked at: a folder, or its page and files on the Hub.

All of it was written by others: whatever is no text, number or object where one is expected counts
as not there, and no file is read further than its bounds.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from spaces_gen.errors import UserError

TIMEOUT_SECONDS = 5
MAX_TEXT_BYTES = 5_000_000  # of a file that is read whole; a config with 20,000 labels has 1 MB
MAX_CARD_BYTES = 100_000
MAX_FILES = 10_000
MAX_DEPTH = 2  # folders of a pipeline's parts
LONGEST_WORD = 100
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
PATH = re.compile(r"(?!/|.*(?:^|/)\.\.?(?:/|$))[^\x00-\x1f\\]+")  # of a file below its folder
FRONT_MATTER = re.compile(r"\s*---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
TRANSFORMERS, DIFFUSERS = "transformers", "diffusers"
SENTENCES, SKLEARN = "sentence-transformers", "sklearn"
SAME_LIBRARY = {"scikit-learn": SKLEARN, "sentence_transformers": SENTENCES}


class Unreachable(Exception):
    """The Hub could not be asked; the text says why."""


@dataclass(frozen=True)
class Source:
    """What there is to see of a model.

    Attributes:
        files: bytes by path; 0 where it is not known.
        head: reads so many bytes of a file, at most, from its beginning; None where it cannot.
        card: the front matter of its README.md.
        page: what the Hub says beside it, by the names of its API; empty for a folder.
    """

    model_id: str
    files: Mapping[str, int]
    head: Callable[[str, int], bytes | None] = field(repr=False)
    card: Mapping[str, Any] = field(default_factory=dict, repr=False)
    page: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def on_hub(self) -> bool:
        """Whether it has a page."""
        return bool(self.page)

    @property
    def tags(self) -> frozenset[str]:
        """Of its page."""
        return frozenset(tag for tag in listed(self.page.get("tags")) if isinstance(tag, str))

    def said(self, key: str) -> str:
        """A word of its page or, without one, of its card; "" where there is none."""
        return word(self.page.get(key)) or word(self.card.get(key))

    def object(self, name: str) -> dict[str, Any]:
        """The JSON object in a file; empty where there is none that can be read."""
        return mapping(self._json(name))

    @cached_property
    def config(self) -> dict[str, Any]:
        """All that config.json says, with what the Hub knows of it."""
        return {**mapping(self.page.get("config")), **self.object("config.json")}

    @cached_property
    def modules(self) -> list[str]:
        """The classes that modules.json of sentence-transformers puts together."""
        return [word(mapping(module).get("type")) for module in listed(self._json("modules.json"))]

    @cached_property
    def pipeline(self) -> dict[str, Any]:
        """What model_index.json of diffusers says."""
        return self.object("model_index.json")

    @property
    def brief_config(self) -> dict[str, Any]:
        """As much of config.json as is there without another request."""
        return mapping(self.page.get("config")) if self.on_hub else self.config

    def _json(self, name: str) -> Any:
        if not 0 <= self.files.get(name, -1) <= MAX_TEXT_BYTES:
            return None
        data = self.head(name, MAX_TEXT_BYTES + 1)
        if data is None or len(data) > MAX_TEXT_BYTES:
            return None
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return None


def mapping(value: object) -> dict[str, Any]:
    """A mapping as it is; empty in place of anything else."""
    if not isinstance(value, Mapping):
        return {}
    return {key: item for key, item in value.items() if isinstance(key, str)}


def listed(value: object) -> list[Any]:
    """A list as it is; empty in place of anything else."""
    return list(value) if isinstance(value, list | tuple) else []


def word(value: object) -> str:
    """A text as it may be shown: one short line that commands no terminal; "" for anything else."""
    if not isinstance(value, str):
        return ""
    plain = "".join(one if one.isprintable() else " " for one in value[: 10 * LONGEST_WORD])
    return " ".join(plain.split())[:LONGEST_WORD]


def library_by_files(source: Source) -> tuple[str, str]:
    """The library that a model's files are made for, and the file that shows it."""
    config = source.brief_config or source.config
    if "model_index.json" in source.files:
        return DIFFUSERS, "model_index.json"
    if "modules.json" in source.files:
        return SENTENCES, "modules.json"
    if "sklearn" in config:
        return SKLEARN, "config.json"
    if "pretrained_cfg" in config:
        return "timm", "config.json"
    if "model_type" in config or "architectures" in config:
        return TRANSFORMERS, "config.json"
    return "", ""


def in_folder(folder: Path, model_id: str) -> Source:
    """A model in a folder of this machine."""
    files = dict(_files(folder))

    def head(name: str, most: int) -> bytes | None:
        try:
            with (folder / name).open("rb") as file:
                return file.read(most)
        except OSError:
            return None

    card = _front_matter(head("README.md", MAX_CARD_BYTES)) if "README.md" in files else {}
    return Source(model_id, files, head, card)


def on_hub(model_id: str) -> Source:
    """A model on the Hub, by one request; its files are read when they are asked for.

    Raises:
        UserError: there is no such model.
        Unreachable: the Hub does not answer, or not in a way that can be read.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    api = HfApi()
    try:
        info = api.model_info(model_id, files_metadata=True, timeout=TIMEOUT_SECONDS)
        page = _page(info)
        card = mapping(vars(info.card_data)) if info.card_data else {}
        files = {
            one.rfilename: one.size or 0
            for one in listed(info.siblings)[:MAX_FILES]
            if PATH.fullmatch(one.rfilename)
        }
    except HFValidationError as error:
        raise Unreachable("this is no name of a model on the Hub") from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"model_id: the Hub has no model {word(model_id)} that you can see; check its name, "
            "or log in with `hf auth login` if it is private"
        ) from error
    except OfflineModeIsEnabled as error:
        raise Unreachable("HF_HUB_OFFLINE forbids to ask the Hub") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise Unreachable(f"the Hub answered {status} in place of what it knows") from error
    except (httpx.HTTPError, OSError) as error:
        raise Unreachable(f"the Hub cannot be reached ({type(error).__name__})") from error
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise Unreachable("the Hub's answer cannot be read") from error
    name = page["id"] if REPO_ID.fullmatch(page["id"]) else model_id  # it may have moved

    def head(path: str, most: int) -> bytes | None:
        return _head(f"{api.endpoint}/{name}/resolve/main/{path}", most)

    return Source(name, files, head, card, page)


def _page(info: Any) -> dict[str, Any]:
    """What counts of a ModelInfo, under the names of the API."""
    counted = info.safetensors
    return {
        "id": word(info.id),
        "pipeline_tag": info.pipeline_tag,
        "library_name": info.library_name,
        "tags": info.tags,
        "gated": info.gated,
        "private": info.private,
        "config": info.config,
        "safetensors": counted.parameters if counted else None,
        "transformers": dict(info.transformers_info or {}),
    }


def _head(url: str, most: int) -> bytes | None:
    """The first bytes of a file on the Hub."""
    from urllib.parse import quote

    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        get_session,
        hf_raise_for_status,
        httpx,
    )

    span = {"Range": f"bytes=0-{most - 1}", "Accept-Encoding": "identity"}
    headers = {**build_hf_headers(), **span}
    data = bytearray()
    try:
        with get_session().stream(
            "GET", quote(url, safe=":/"), headers=headers, timeout=TIMEOUT_SECONDS
        ) as response:
            hf_raise_for_status(response)
            for piece in response.iter_bytes():
                data += piece
                if len(data) >= most:
                    break
    except (httpx.HTTPError, OSError):
        return None
    return bytes(data[:most])


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Regular files with their sizes, hidden ones left out."""
    count = 0
    for place, folders, names in os.walk(folder):
        here = Path(place).relative_to(folder)
        deep = len(here.parts) >= MAX_DEPTH
        folders[:] = [] if deep else sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if count >= MAX_FILES:
                return
            with contextlib.suppress(OSError):
                if not name.startswith(".") and path.is_file():
                    count += 1
                    yield (here / name).as_posix(), path.stat().st_size


def _front_matter(readme: bytes | None) -> dict[str, Any]:
    found = FRONT_MATTER.match((readme or b"").decode("utf-8", "replace"))
    try:
        return mapping(yaml.safe_load(found[1])) if found else {}
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
