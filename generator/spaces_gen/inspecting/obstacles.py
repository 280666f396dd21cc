"""Why no template serves a model as it is, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from spaces_gen.inspecting.source import (
    DIFFUSERS,
    SENTENCES,
    SKLEARN,
    TRANSFORMERS,
    Source,
    mapping,
    word,
)
from spaces_gen.inspecting.weights import foreign_weights

ADAPTER = "adapter_config.json"
INSTEAD = {
    "GGUF": "PyTorch does not load: take the model that they were made from",
    "ONNX": "PyTorch does not load: take the model that they were made from, which `spaces-gen "
    "tune` exports by itself where that is faster",
    "TensorFlow or Flax": "PyTorch does not load: take the model in safetensors",
}
PICKLES = (".pkl", ".pickle", ".joblib")


def runs_own_code(source: Source) -> str:
    """Where a model asks for code of its authors to be run; "" where it does not."""
    if "custom_code" in source.tags:
        return "the tag custom_code of its page"
    if mapping(source.page.get("transformers")).get("custom_class"):
        return "the custom class that the Hub knows of"
    if source.brief_config.get("auto_map"):
        return "auto_map in its config.json"
    if not source.on_hub or not source.said("pipeline_tag"):
        if isinstance(source.pipeline.get("_class_name"), list):
            return "the pipeline of its own in model_index.json"
        foreign = [one for one in source.modules if not one.startswith("sentence_transformers.")]
        if foreign:
            return f"{foreign[0] or 'a module without a name'} in modules.json"
    return ""


def base_model(source: Source) -> str:
    """The model that it was made from; "" where it does not say."""
    said = source.card.get("base_model")
    if base := word(said[0] if isinstance(said, list) and said else said):
        return base
    return word(source.object(ADAPTER).get("base_model_name_or_path"))


def obstacle(source: Source, libraries: list[str]) -> str:
    """Why it cannot be served whatever it is for, as the end of a sentence; "" where it can."""
    if where := runs_own_code(source):
        return (
            f"runs code of its authors ({where}), which no Space made here does by itself: read "
            "that code first"
        )
    base = base_model(source)
    instead = f"take {base} itself, or " if base else ""
    if ADAPTER in source.files and not has_own_weights(source):
        what = f"is an adapter of {base or 'another model'}"
        return f"{what}: {instead}merge it into its model and name the result"
    if DIFFUSERS in libraries and "model_index.json" not in source.files:
        what = "is no whole pipeline, as it has no model_index.json"
        return f"{what}: {instead}name one that it was merged into"
    if kind := foreign_weights(source):
        return f"has {kind} weights, which {INSTEAD[kind]}{f' ({base})' if base else ''}"
    if {TRANSFORMERS, SENTENCES} & set(libraries) and "config.json" not in source.files:
        return f"has no config.json, from which {libraries[0]} would load it"
    return ""


def has_own_weights(source: Source) -> bool:
    """Whether there are weights of a whole model beside those of an adapter."""
    return any(
        path.startswith(("model", "pytorch_model")) and path.endswith((".safetensors", ".bin"))
        for path in source.files
    )


def notes_of(source: Source, libraries: list[str]) -> Iterator[str]:
    """What else whoever serves it should know."""
    if source.page.get("gated"):
        yield (
            "the model is gated: accept its terms on its page, and give the Space a token that "
            "may read it: spaces-gen publish ... --secret HF_TOKEN"
        )
    elif source.page.get("private"):
        yield (
            "the model is private: give the Space a token that may read it: spaces-gen publish "
            "... --secret HF_TOKEN"
        )
    if method := quantization(source.brief_config):
        yield (
            f"its weights are quantized ({method}): name the library that reads them in "
            "requirements.txt; how much memory they take is not known here"
        )
    if SKLEARN in libraries and any(path.endswith(PICKLES) for path in source.files):
        yield "it is a pickle, which runs what its author put into it when it is loaded"


def quantization(config: Mapping[str, object]) -> str:
    """How the weights are quantized; "" where they are not."""
    said = mapping(config.get("quantization_config"))
    return word(said.get("quant_method")) or ("by a method without a name" if said else "")
