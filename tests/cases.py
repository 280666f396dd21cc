"""For each model type: different inputs, what the model itself says to them, and a bad input.

The answers of `expected` come from the model called directly, one input at a time, without any code
of the Space.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf
from gradio_client import handle_file
from PIL import Image

SENTENCES = [
    "I saw a cat.",
    "The king and the queen walk along the river in the warm evening sun.",
    "No.",
    "We eat bread, drink milk and laugh all day long because summer is here at last",
    "terrible weather",
    "My sister sings a slow song for her horse in the village behind the hill.",
    "Was it a good game?",
    "snow snow snow snow snow snow snow snow",
]


def texts(count: int) -> list[str]:
    """Different texts of 1 to 60 words."""
    return [
        " ".join([SENTENCES[i % 8], *(["blue", "stone", "rain"][i % 3],) * (i * 7 % 40), str(i)])
        for i in range(count)
    ]


def pictures(count: int, folder: Path) -> list[str]:
    """Different pictures of different sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i in range(count):
        noise = np.random.default_rng(i)
        size = (24 + 8 * (i % 5), 24 + 8 * (i % 7), 3)
        blocks = noise.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        path = folder / f"{i}.png"
        Image.fromarray(blocks).resize(size[:2], Image.Resampling.NEAREST).save(path)
        paths.append(str(path))
    return paths


def recordings(count: int, folder: Path) -> list[str]:
    """Different tones with noise, half a second to three seconds, as WAV of 16 kHz."""
    from scipy.io import wavfile

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i in range(count):
        seconds = 0.5 + (i % 6) / 2
        time = np.arange(int(16_000 * seconds)) / 16_000
        noise = np.random.default_rng(i).normal(0, 0.02, len(time))
        wave = 0.4 * np.sin(2 * np.pi * (150 + 130 * i) * time) + noise
        path = folder / f"{i}.wav"
        wavfile.write(path, 16_000, (wave * 20_000).astype(np.int16))
        paths.append(str(path))
    return paths


@dataclass
class Case:
    """One model type under test; `folder` takes files, `model` is the tiny model's folder."""

    model: Path
    folder: Path
    bad: list[Any] = field(default_factory=list)
    complaint: str = ""

    def inputs(self, count: int) -> list[list[Any]]:
        """Arguments of `count` different calls through gradio_client."""
        raise NotImplementedError

    def expected(self, inputs: list[Any]) -> Any:
        """What the model says to one of them."""
        raise NotImplementedError

    def same(self, answer: Any, expected: Any) -> bool:
        """Whether the Space's answer is the model's."""
        raise NotImplementedError


def close_scores(answer: Any, expected: dict[str, float]) -> bool:
    """Compare what gr.Label sends with scores by label."""
    sent = {entry["label"]: entry["confidence"] for entry in answer["confidences"]}
    best = sorted(expected.items(), key=lambda pair: -pair[1])[: len(sent)]
    return answer["label"] == best[0][0] and all(
        abs(sent.get(label, 9) - score) < 1e-4 for label, score in best
    )


class TextClassification(Case):
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
    def inputs(self, count: int) -> list[list[Any]]:
        labels = ["cat, river, song", "good, bad", "red , green,blue, black , white"]
        return [[text, labels[i % 3]] for i, text in enumerate(texts(count))]

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


class SpeechRecognition(Case):
    def inputs(self, count: int) -> list[list[Any]]:
        return [[handle_file(path)] for path in recordings(count, self.folder / "recordings")]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModelForSpeechSeq2Seq.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> str:
        from scipy.io import wavfile

        processor, model = self.parts
        _, samples = wavfile.read(inputs[0]["path"])
        features = processor(
            samples.astype(np.float32) / 32768, sampling_rate=16_000, return_tensors="pt"
        )["input_features"]
        with torch.no_grad():
            tokens = model.generate(features, max_new_tokens=400)
        text: str = processor.batch_decode(tokens, skip_special_tokens=True)[0]
        return text.strip()

    def same(self, answer: Any, expected: Any) -> bool:
        return bool(answer == expected)


class TextGeneration(Case):
    def inputs(self, count: int) -> list[list[Any]]:
        return [
            [text, "You are kind.", 16 + 16 * (i % 2), 0] for i, text in enumerate(texts(count))
        ]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModelForCausalLM.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> str:
        tokenizer, model = self.parts
        message, system, length, _ = inputs
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
    def inputs(self, count: int) -> list[list[Any]]:
        return [[text, i, False, 2] for i, text in enumerate(texts(count))]

    @cached_property
    def pipeline(self) -> Any:
        from diffusers import AutoPipelineForText2Image

        pipeline = AutoPipelineForText2Image.from_pretrained(self.model)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def expected(self, inputs: list[Any]) -> np.ndarray:
        prompt, seed, _, steps = inputs
        generator = torch.Generator("cpu").manual_seed(seed)
        drawn = self.pipeline([prompt], generator=[generator], num_inference_steps=steps)
        return np.asarray(drawn.images[0], dtype=int)

    def same(self, answer: Any, expected: Any) -> bool:
        picture = np.asarray(Image.open(answer[0]).convert("RGB"), dtype=int)
        return bool(np.abs(picture - expected).max() <= 1)


def case(model_type: str, model: Path, folder: Path) -> Case:
    """The case of a model type, with its bad input and the words it must be answered with."""
    folder.mkdir(parents=True, exist_ok=True)
    broken = folder / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    silent = folder / "broken.wav"
    silent.write_bytes(b"RIFF but no recording")
    picture, recording = handle_file(str(broken)), handle_file(str(silent))
    build: Callable[..., Case]
    build, bad, complaint = {
        "text-classification": (TextClassification, [" "], "type a text"),
        "sentence-similarity": (SentenceSimilarity, ["a", ""], "type two texts"),
        "zero-shot-classification": (ZeroShotClassification, ["a", " , "], "at least one label"),
        "image-classification": (ImageClassification, [picture], "cannot be read"),
        "object-detection": (ObjectDetection, [picture, 0.5], "cannot be read"),
        "automatic-speech-recognition": (SpeechRecognition, [recording], "cannot be read"),
        "text-generation": (TextGeneration, [" ", "", 16, 0], "type a message"),
        "text-to-image": (TextToImage, ["", 0, False, 2], "describe a picture"),
    }[model_type]
    return build(model, folder, bad, complaint)
