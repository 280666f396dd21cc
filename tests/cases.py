"""For each model type: different inputs, what the model itself says to them, and a bad input.

The answers of `expected` come from the model called directly, one input at a time, without any code
of the Space.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import cases_audio
import cases_chat
import cases_documents
import cases_generation
import cases_tabular
import cases_text
import cases_vision
import numpy as np
import torch
import transformers as tf
from case_parts import (
    SENTENCES,
    Case,
    broken_picture,
    close_scores,
    pictures,
    recordings,
    texts,
)
from gradio_client import handle_file
from PIL import Image

torch.set_num_threads(1)  # several test workers would compete for the cores

__all__ = ["SENTENCES", "Case", "case", "pictures", "recordings", "texts"]


class TextClassification(Case):
    complaint = "type a text"

    @property
    def bad(self) -> list[Any]:
        return [" "]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[text] for text in texts(count)]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModelForSequenceClassification.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        tokenizer, model = self.parts
        with torch.no_grad():
            logits = model(**tokenizer(inputs[0], truncation=True, return_tensors="pt")).logits
        scores = logits.softmax(-1)[0].tolist()
        return {model.config.id2label[i]: score for i, score in enumerate(scores)}

    def same(self, answer: Any, expected: Any) -> bool:
        return close_scores(answer, expected)


class ZeroShotClassification(TextClassification):
    complaint = "at least one label"

    @property
    def bad(self) -> list[Any]:
        return ["a", " , "]

    def inputs(self, count: int) -> list[list[Any]]:
        """Each text twice, with as many labels: those cost the same, and so share a batch."""
        labels = [
            ("cat, river, song", "dog, house, road"),
            ("good, bad", "high, low"),
            ("red , green,blue, black , white", "one, two ,three, four,five"),
        ]
        each = texts(count)
        return [[each[i // 2], labels[i // 2 % 3][i % 2]] for i in range(count)]

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        tokenizer, model = self.parts
        labels = [label.strip() for label in inputs[1].split(",")]
        entailed = []
        for label in labels:
            pair = tokenizer(
                inputs[0], f"This example is {label}.", truncation="only_first", return_tensors="pt"
            )
            with torch.no_grad():
                entailed.append(model(**pair).logits[0, model.config.label2id["entailment"]])
        return dict(zip(labels, torch.stack(entailed).softmax(0).tolist()))


class SentenceSimilarity(Case):
    complaint = "type two texts"

    @property
    def bad(self) -> list[Any]:
        return ["a", ""]

    def inputs(self, count: int) -> list[list[Any]]:
        left, right = texts(count), texts(2 * count)[count:]
        return [list(pair) for pair in zip(left, right)]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModel.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> float:
        tokenizer, model = self.parts
        with torch.no_grad():
            one, other = (
                model(
                    **tokenizer(text, truncation=True, return_tensors="pt")
                ).last_hidden_state.mean(1)
                for text in inputs
            )
        return float(torch.cosine_similarity(one, other))

    def same(self, answer: Any, expected: Any) -> bool:
        return bool(abs(answer - expected) < 2e-4)  # the page rounds to four digits


class ImageClassification(Case):
    complaint = "cannot be read"

    @property
    def bad(self) -> list[Any]:
        return [broken_picture(self.folder)]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[handle_file(path)] for path in pictures(count, self.folder / "pictures")]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoImageProcessor.from_pretrained(self.model),
            tf.AutoModelForImageClassification.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        processor, model = self.parts
        image = Image.open(inputs[0]["path"]).convert("RGB")
        with torch.no_grad():
            scores = model(**processor(image, return_tensors="pt")).logits.softmax(-1)[0]
        return {model.config.id2label[i]: score for i, score in enumerate(scores.tolist())}

    def same(self, answer: Any, expected: Any) -> bool:
        return close_scores(answer, expected)


class ObjectDetection(ImageClassification):
    complaint = "cannot be read"

    @property
    def bad(self) -> list[Any]:
        return [broken_picture(self.folder), 0.5]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[*one, 0.3] for one in super().inputs(count)]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoImageProcessor.from_pretrained(self.model),
            tf.AutoModelForObjectDetection.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> list[str]:
        processor, model = self.parts
        image = Image.open(inputs[0]["path"]).convert("RGB")
        with torch.no_grad():
            outputs = model(**processor(image, return_tensors="pt"))
        (found,) = processor.post_process_object_detection(
            outputs, threshold=inputs[1], target_sizes=[(image.height, image.width)]
        )
        labels = model.config.id2label
        pairs = zip(found["labels"].tolist(), found["scores"].tolist())
        return sorted(f"{labels[label]} {score:.2f}" for label, score in pairs)

    def same(self, answer: Any, expected: Any) -> bool:
        return sorted(entry["label"] for entry in answer["annotations"]) == expected


class TextGeneration(Case):
    complaint = "type a message"

    @property
    def bad(self) -> list[Any]:
        return [" ", "", 16, 0]

    def inputs(self, count: int) -> list[list[Any]]:
        """Some draw from so few words that nothing is left to chance."""
        return [
            [text, "You are kind.", 16 + 16 * (i % 2), *([0, 1] if i % 3 else [1, 0.05])]
            for i, text in enumerate(texts(count))
        ]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModelForCausalLM.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> str:
        tokenizer, model = self.parts
        message, system, length, *_ = inputs
        prompt = tokenizer.apply_chat_template(
            [{"role": "system", "content": system}, {"role": "user", "content": message}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        with torch.no_grad():
            tokens = model.generate(**prompt, max_new_tokens=length, do_sample=False)
        start = prompt["input_ids"].shape[1]
        text: str = tokenizer.decode(tokens[0, start:], skip_special_tokens=True)
        return text

    def same(self, answer: Any, expected: Any) -> bool:
        return bool(answer == expected)


class TextToImage(Case):
    complaint = "describe a picture"
    tolerance = 1.01 / 255  # a value of a pixel may be rounded the other way

    @property
    def bad(self) -> list[Any]:
        return ["", 0, False, 2]

    def inputs(self, count: int) -> list[list[Any]]:
        more = [[], ["blue stone"], ["", 3.0], ["rain", 9.0]]  # the last two may be left out
        return [[text, i, False, 2, *more[i // 2 % 4]] for i, text in enumerate(texts(count))]

    @cached_property
    def pipeline(self) -> Any:
        from diffusers import AutoPipelineForText2Image

        return cases_generation.quiet(AutoPipelineForText2Image.from_pretrained(self.model))

    def expected(self, inputs: list[Any]) -> np.ndarray:
        prompt, seed, _, steps, *more = inputs
        drawn = self.pipeline(
            [prompt],
            generator=[torch.Generator("cpu").manual_seed(seed)],
            num_inference_steps=steps,
            **cases_generation.options([*more, *("", 0)[len(more) :]]),
        )
        return np.asarray(drawn.images[0], dtype=int)

    def same(self, answer: Any, expected: Any) -> bool:
        picture = np.asarray(Image.open(answer[0]).convert("RGB"), dtype=int)
        return bool(np.abs(picture - expected).max() <= 1)


CASES: dict[str, type[Case]] = {
    "text-classification": TextClassification,
    "sentence-similarity": SentenceSimilarity,
    "zero-shot-classification": ZeroShotClassification,
    "image-classification": ImageClassification,
    "object-detection": ObjectDetection,
    "text-generation": TextGeneration,
    "text-to-image": TextToImage,
    **cases_text.CASES,
    **cases_documents.CASES,
    **cases_vision.CASES,
    **cases_chat.CASES,
    **cases_audio.CASES,
    **cases_generation.CASES,
    **cases_tabular.CASES,
}


def case(model_type: str, model: Path, folder: Path) -> Case:
    """The case of a model type, with the folder of its tiny model and one for files."""
    folder.mkdir(parents=True, exist_ok=True)
    return CASES[model_type](model, folder)
