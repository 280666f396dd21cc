"""The cases of the model types that see: see cases.py."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
import transformers as tf
from case_parts import Case, broken_picture, close_scores, pictures
from gradio_client import handle_file
from PIL import Image

LABELS = ["a cat, a river, a song", "good, bad", "red , green,blue, black , white"]


class PictureCase(Case):
    """A case whose first input is a picture, alone unless `inputs` and `bad` say otherwise."""

    complaint = "cannot be read"

    @property
    def bad(self) -> list[Any]:
        return [broken_picture(self.folder)]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[handle_file(path)] for path in pictures(count, self.folder / "pictures")]

    @staticmethod
    def picture(inputs: list[Any]) -> Image.Image:
        return Image.open(inputs[0]["path"]).convert("RGB")


class ZeroShotImageClassification(PictureCase):
    complaint = "at least one label"

    @property
    def bad(self) -> list[Any]:
        return [handle_file(pictures(1, self.folder)[0]), " , "]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[*one, LABELS[i % 3]] for i, one in enumerate(super().inputs(count))]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModelForZeroShotImageClassification.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        processor, model = self.parts
        labels = [label.strip() for label in inputs[1].split(",")]
        texts = [f"This is a photo of {label}." for label in labels]
        together = {"padding": "max_length", "max_length": 64, "return_tensors": "pt"}
        with torch.no_grad():
            one = processor(images=self.picture(inputs), text=texts, **together)
            scores = model(**one).logits_per_image[0].sigmoid()
        return dict(zip(labels, scores.tolist()))

    def same(self, answer: Any, expected: Any) -> bool:
        return close_scores(answer, expected)


class ZeroShotObjectDetection(PictureCase):
    complaint = "at least one label"

    @property
    def bad(self) -> list[Any]:
        return [handle_file(pictures(1, self.folder)[0]), "", 0.2]

    def inputs(self, count: int) -> list[list[Any]]:
        rows = enumerate(super().inputs(count))
        return [[*one, LABELS[i % 3], (0.3, 0.5)[i % 2]] for i, one in rows]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModelForZeroShotObjectDetection.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> list[str]:
        processor, model = self.parts
        labels = [label.strip() for label in inputs[1].split(",")]
        image = self.picture(inputs)
        with torch.no_grad():
            outputs = model(**processor(images=image, text=[labels], return_tensors="pt"))
        (found,) = processor.post_process_grounded_object_detection(
            outputs,
            threshold=inputs[2],
            target_sizes=[(image.height, image.width)],
            text_labels=[labels],
        )
        pairs = zip(found["text_labels"], found["scores"].tolist())
        return sorted(f"{label} {score:.2f}" for label, score in pairs)

    def same(self, answer: Any, expected: Any) -> bool:
        return sorted(entry["label"] for entry in answer["annotations"]) == expected


def shown(answer: Any) -> dict[str, np.ndarray]:
    """Where each label of an annotated image is."""
    return {
        entry["label"]: np.asarray(Image.open(entry["image"]).convert("RGBA"))[..., 3] > 0
        for entry in answer["annotations"]
    }


def same_places(answer: Any, expected: dict[str, np.ndarray]) -> bool:
    """Whether an annotated image shows each label where it is expected; a pixel may differ."""
    found = shown(answer)
    return found.keys() == expected.keys() and all(
        found[label].shape == expected[label].shape and (found[label] != expected[label]).sum() <= 1
        for label in found
    )


class ImageSegmentation(PictureCase):
    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoImageProcessor.from_pretrained(self.model),
            tf.AutoModelForSemanticSegmentation.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, np.ndarray]:
        processor, model = self.parts
        image = self.picture(inputs)
        with torch.no_grad():
            outputs = model(**processor(image, return_tensors="pt"))
        (classes,) = processor.post_process_semantic_segmentation(
            outputs, target_sizes=[(image.height, image.width)]
        )
        present = classes.unique().tolist()
        return {model.config.id2label[one]: (classes == one).numpy() for one in present}

    def same(self, answer: Any, expected: Any) -> bool:
        return same_places(answer, expected)


class MaskGeneration(PictureCase):
    complaint = "click on a thing"

    @property
    def bad(self) -> list[Any]:
        return [handle_file(pictures(1, self.folder)[0]), " ; "]

    def inputs(self, count: int) -> list[list[Any]]:
        points = ["3, 5", "12,17;20 , 9;1,1", "20, 20"]
        return [[*one, points[i % 3]] for i, one in enumerate(super().inputs(count))]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModelForMaskGeneration.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, np.ndarray]:
        processor, model = self.parts
        points = [[int(part) for part in point.split(",")] for point in inputs[1].split(";")]
        one = processor(self.picture(inputs), input_points=[points], return_tensors="pt")
        with torch.no_grad():
            outputs = model(pixel_values=one["pixel_values"], input_points=one["input_points"])
        (masks,) = processor.post_process_masks(
            outputs.pred_masks, one["original_sizes"], one["reshaped_input_sizes"]
        )
        scores = outputs.iou_scores[0, 0]
        return {f"object {scores.max():.2f}": masks[0, scores.argmax()].numpy()}

    def same(self, answer: Any, expected: Any) -> bool:
        return same_places(answer, expected)


class DepthEstimation(PictureCase):
    tolerance = 1.01 / 255  # a shade of 256: values near a border between two may round either way

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoImageProcessor.from_pretrained(self.model),
            tf.AutoModelForDepthEstimation.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> np.ndarray:
        processor, model = self.parts
        image = self.picture(inputs)
        with torch.no_grad():
            outputs = model(**processor(image, return_tensors="pt"))
        (found,) = processor.post_process_depth_estimation(
            outputs, target_sizes=[(image.height, image.width)]
        )
        depth = found["predicted_depth"].numpy()
        return (depth - depth.min()) / (depth.max() - depth.min()) * 255

    def same(self, answer: Any, expected: Any) -> bool:
        shades = np.asarray(Image.open(answer[1]), dtype=float)
        return shades.shape == expected.shape and bool(np.abs(shades - expected).max() <= 1)


class ImageFeatureExtraction(PictureCase):
    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoImageProcessor.from_pretrained(self.model),
            tf.AutoModel.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> np.ndarray:
        processor, model = self.parts
        with torch.no_grad():
            outputs = model(**processor(self.picture(inputs), return_tensors="pt"))
        vector = outputs.pooler_output[0]
        return (vector / vector.norm()).numpy()

    def same(self, answer: Any, expected: Any) -> bool:
        vector = np.asarray(answer)
        return vector.shape == expected.shape and bool(np.abs(vector - expected).max() < 1e-4)


class Clip(ZeroShotImageClassification):
    def expected(self, inputs: list[Any]) -> dict[str, float]:
        processor, model = self.parts
        labels = [label.strip() for label in inputs[1].split(",")]
        texts = [f"This is a photo of {label}." for label in labels]
        one = processor(images=self.picture(inputs), text=texts, padding=True, return_tensors="pt")
        with torch.no_grad():
            scores = model(**one).logits_per_image[0].softmax(0)
        return dict(zip(labels, scores.tolist()))


class Mask2Former(ImageSegmentation):
    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoImageProcessor.from_pretrained(self.model),
            tf.AutoModelForUniversalSegmentation.from_pretrained(self.model).eval(),
        )


class Vit(ImageFeatureExtraction):
    def expected(self, inputs: list[Any]) -> np.ndarray:
        processor, model = self.parts
        with torch.no_grad():
            outputs = model(**processor(self.picture(inputs), return_tensors="pt"))
        vector = outputs.last_hidden_state[0, 0]
        return (vector / vector.norm()).numpy()


CASES: dict[str, type[Case]] = {
    "zero-shot-image-classification": ZeroShotImageClassification,
    "zero-shot-object-detection": ZeroShotObjectDetection,
    "image-segmentation": ImageSegmentation,
    "mask-generation": MaskGeneration,
    "depth-estimation": DepthEstimation,
    "image-feature-extraction": ImageFeatureExtraction,
}

VARIANTS: dict[str, tuple[str, type[Case]]] = {
    "clip": ("zero-shot-image-classification", Clip),
    "mask2former": ("image-segmentation", Mask2Former),
    "vit": ("image-feature-extraction", Vit),
}
