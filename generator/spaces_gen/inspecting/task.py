"""What a model is for: the pipeline tag of its page, or else what its files show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces_gen.inspecting.source import (
    SAME_LIBRARY,
    SENTENCES,
    TRANSFORMERS,
    Source,
    library_by_files,
    mapping,
    word,
)
from spaces_gen.tables.architectures import load_architectures

WRITES = "text2text-generation"  # or a summary, or a translation: the files do not tell
WRITING = (WRITES, "summarization", "translation")
FEATURES = "feature-extraction"
WITH_IMAGE = "ForConditionalGeneration"  # with an image, where the config has a part that sees
OF_SENTENCES = {"CrossEncoder": "text-ranking", "SparseEncoder": FEATURES}


@dataclass(frozen=True)
class Task:
    """A pipeline tag, and where it is known from; no tag: why not.

    Attributes:
        open: whether it may as well be another one of `WRITING`.
    """

    tag: str
    why: str
    open: bool = False


def task_of(source: Source) -> Task:
    """What a model is for; what people say of it counts more than its files."""
    if tag := source.said("pipeline_tag"):
        where = "its page" if source.on_hub else "its README.md"
        return Task(tag, f"pipeline tag of {where}")
    if tag := word(mapping(source.page.get("transformers")).get("pipeline_tag")):
        return settled(tag, "what the Hub reads in its config.json", source)
    return task_by_files(source)


def task_by_files(source: Source) -> Task:
    """What a model is for by its files alone."""
    if "model_index.json" in source.files:
        name = word(source.pipeline.get("_class_name"))
        why = f"the pipeline {name} in model_index.json"
        return Task(task_of_pipeline(name), why) if name else Task("", "model_index.json is empty")
    if "modules.json" in source.files:
        kind = word(source.object("config_sentence_transformers.json").get("model_type"))
        return Task(OF_SENTENCES.get(kind, "sentence-similarity"), "modules.json is there")
    if tag := word(mapping(source.config.get("sklearn")).get("task")):
        return Task(tag, "the task of scikit-learn in config.json")
    if "pretrained_cfg" in source.config:
        return Task("image-classification", "config.json is of timm")
    return task_by_config(source)


def task_by_config(source: Source) -> Task:
    """What a model of transformers is for, by the class that its config.json names."""
    config = source.config
    if not config:
        found = "config.json" in source.files
        return Task("", f"{'config.json cannot be read' if found else 'there is no config.json'}")
    named = config.get("architectures")
    name = word(named[0]) if isinstance(named, list) and named else ""
    if not name:
        return Task("", "config.json names no class in architectures")
    tag = task_of_class(name, config)
    if not tag:
        return Task("", f"no task is known for the class {name} in config.json")
    return settled(tag, f"the class {name} in config.json", source)


def task_of_class(name: str, config: Mapping[str, Any]) -> str:
    """The tag of a class of transformers; "" where none is known."""
    table = load_architectures()
    if name in table.classes:
        return table.classes[name]
    if name.endswith(WITH_IMAGE) and not mapping(config.get("vision_config")):
        return ""
    return next((tag for end, tag in table.endings.items() if name.endswith(end)), "")


def task_of_pipeline(name: str) -> str:
    """The tag of a pipeline of diffusers."""
    parts = load_architectures().pipelines
    return next((tag for part, tag in parts.items() if part in name), "text-to-image")


def settled(tag: str, why: str, source: Source) -> Task:
    """A tag that follows from a class, made narrower by what else the files say."""
    config = source.config
    labels = [word(label) for label in mapping(config.get("id2label")).values()]
    if tag == "text-classification" and any(label.lower().startswith("entail") for label in labels):
        return Task("zero-shot-classification", f"{why}, and a label entailment")
    if tag == "text-classification" and len(labels) == 1:
        return Task("text-ranking", f"{why}, and one label only")
    if tag == FEATURES:
        return features(why, source)
    return Task(tag, why, open=tag == WRITES)


def features(why: str, source: Source) -> Task:
    """Which kind of features a model without a head gives: what its preprocessor takes shows it."""
    name = "preprocessor_config.json"
    if name not in source.files:
        return Task(FEATURES, why)
    said = source.object(name)
    kinds = [word(said.get(key)) for key in ("image_processor_type", "feature_extractor_type")]
    if kinds[0] or "size" in said:
        return Task("image-feature-extraction", f"{why}, and {name} is of images")
    if kinds[1]:
        return Task("", f"{why.removeprefix('the ')} has no head, and {name} is of sound")
    return Task(FEATURES, why)


def libraries_of(source: Source) -> tuple[list[str], str]:
    """The libraries that may load a model, the one it is made for first, and how that is known."""
    if said := source.said("library_name"):
        library = SAME_LIBRARY.get(said, said)
        why = f"library of {'its page' if source.on_hub else 'its README.md'}"
    else:
        library, file = library_by_files(source)
        why = f"{file} is there" if file else "nothing tells it"
    # a model of sentence-transformers is one of transformers, with a few more files
    also = [TRANSFORMERS] if library == SENTENCES else []
    return ([library, *also] if library else []), why
