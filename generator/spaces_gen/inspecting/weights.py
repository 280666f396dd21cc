"""How many parameters a model has, and of which dtype, without reading its weights."""

from __future__ import annotations

import json
import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spaces_gen.inspecting.source import Source, listed, mapping, word

MAX_HEADER_BYTES = 25_000_000  # the format's own bound
FIRST_BYTES = 100_000  # that hold the whole header of most files
MAX_HEADERS = 12  # files that are looked into; beyond it sizes tell enough
MOST_PARAMETERS = 10**14
MOST_SIDES = 16  # of a tensor

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8",
    "F8_E5M2": "float8",
    "I64": "int64",
    "I32": "int32",
    "I8": "int8",
    "U8": "uint8",
}
BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2}

_NAME = r"(?:model|diffusion_pytorch_model|pytorch_model)"
_SHARD = r"(?:-\d{5}-of-\d{5})?"
_VARIANT = r"\.\w+"
# Of each folder the files of the first kind that it has are those that are loaded.
KINDS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_NAME}\.safetensors",
        rf"{_NAME}{_SHARD}\.safetensors",
        rf"{_NAME}{_VARIANT}{_SHARD}\.safetensors",
        rf"{_NAME}{_SHARD}\.bin",
        rf"{_NAME}{_VARIANT}{_SHARD}\.bin",
        r"(?!adapter_|pytorch_lora|optimizer|scheduler|rng_state).*\.safetensors",
        r"(?!adapter_|optimizer|scheduler|rng_state|training_args).*"
        r"\.(?:bin|pt|pth|ckpt|pkl|pickle|joblib|skops)",
    )
)
# What PyTorch does not load; `obstacles.py` says what can be done.
OTHER_WEIGHTS = {
    "GGUF": re.compile(r".*\.gguf"),
    "ONNX": re.compile(r".*\.onnx"),
    "TensorFlow or Flax": re.compile(r".*\.(?:h5|msgpack|tflite|keras)|saved_model\.pb"),
}


@dataclass(frozen=True)
class Weights:
    """What is known of a model's weights.

    Attributes:
        parameters: of all files together; 0: unknown.
        dtype: of most of them; "" where it is unknown.
        why, why_dtype: where it is known from.
        estimated: whether they follow from the sizes of files.
    """

    parameters: int = 0
    dtype: str = ""
    why: str = ""
    why_dtype: str = ""
    estimated: bool = False


def weights_of(source: Source) -> Weights:
    """The parameters of a model: counted by the Hub, in its files' headers, or by their sizes."""
    counted = counts(mapping(source.page.get("safetensors")))
    if counted:
        return _counted(counted, "the Hub's count of its safetensors")
    names = weight_files(source)
    headers = [name for name in names if name.endswith(".safetensors")]
    if names and headers == names and len(names) <= MAX_HEADERS:
        found = [header(source, name) for name in names]
        if all(found):
            total = sum((Counter(one) for one in found), Counter[str]())
            return _counted(total, "the headers of its safetensors")
    return _by_size(source, names)


def weight_files(source: Source) -> list[str]:
    """The files with the weights that are loaded: no duplicates in other formats or dtypes."""
    folders = [""]
    if "model_index.json" in source.files:
        parts = {name for name, part in source.pipeline.items() if listed(part)}
        all_of_them = {path.split("/")[0] for path in source.files if "/" in path}
        folders = sorted(parts or all_of_them)
    elif "modules.json" in source.files:
        folders += sorted({path.split("/")[0] for path in source.files if re.match(r"\d+_", path)})
    found = []
    for folder in folders:
        prefix = f"{folder}/" if folder else ""
        here = [
            path[len(prefix) :]
            for path in source.files
            if path.startswith(prefix) and "/" not in path[len(prefix) :]
        ]
        found += [prefix + name for name in first_kind(here)]
    return found


def first_kind(names: Iterable[str]) -> list[str]:
    """Of the files of a folder those that are loaded."""
    names = list(names)
    for kind in KINDS:
        if of_kind := [name for name in names if kind.fullmatch(name)]:
            return of_kind
    return []


def foreign_weights(source: Source) -> str:
    """The one format that its weights have where PyTorch loads none of them; else ""."""
    if weight_files(source):
        return ""
    names = [path.rpartition("/")[2] for path in source.files]
    return next(
        (kind for kind, form in OTHER_WEIGHTS.items() if any(form.fullmatch(one) for one in names)),
        "",
    )


def header(source: Source, name: str) -> dict[str, int]:
    """Parameters by dtype of a safetensors file; empty where its header cannot be read."""
    data = source.head(name, FIRST_BYTES) or b""
    if len(data) < 8:
        return {}
    (size,) = struct.unpack("<Q", data[:8])
    if size > MAX_HEADER_BYTES:
        return {}
    if size + 8 > len(data):
        data = source.head(name, size + 8) or b""
    try:
        tensors = mapping(json.loads(data[8 : size + 8]))
    except (ValueError, RecursionError):
        return {}
    found: Counter[str] = Counter()
    for key, tensor in tensors.items():
        shape = listed(mapping(tensor).get("shape"))
        if key == "__metadata__":
            continue
        if len(shape) > MOST_SIDES or not all(type(side) is int and side >= 0 for side in shape):
            return {}
        found[word(mapping(tensor).get("dtype"))] += math.prod(shape)
    return counts(found)


def counts(said: Mapping[str, object]) -> dict[str, int]:
    """Numbers of parameters by dtype, where they are such; else empty."""
    found = {name: count for name, count in said.items() if type(count) is int and count > 0}
    return found if sum(found.values()) <= MOST_PARAMETERS else {}


def named_dtype(source: Source) -> str:
    """What config.json says of the weights' dtype."""
    config = source.config
    said = word(config.get("dtype")) or word(config.get("torch_dtype"))
    found = said.removeprefix("torch.")
    return found if found in BYTES else ""


def _counted(found: Mapping[str, int], why: str) -> Weights:
    most = max(found, key=lambda name: found[name])
    return Weights(sum(found.values()), DTYPES.get(most, most.lower()), why, why)


def _by_size(source: Source, names: list[str]) -> Weights:
    size = sum(source.files[name] for name in names)
    first = header(source, names[0]) if names and names[0].endswith(".safetensors") else {}
    if first:
        dtype, why = _counted(first, "").dtype, f"the header of {names[0].rpartition('/')[2]}"
    elif named := named_dtype(source):
        dtype, why = named, "config.json"
    else:
        dtype, why = "", ""
    if not size:
        return Weights(dtype=dtype, why_dtype=why)
    taken = dtype or ("float16" if names[0].endswith(".safetensors") else "float32")
    if (parameters := size // BYTES.get(taken, 1)) > MOST_PARAMETERS:
        return Weights()
    return Weights(
        max(1, parameters), dtype, f"the size of its weights, if they are {taken}", why, True
    )
