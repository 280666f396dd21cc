"""The cases of the model types that read pictures, pages and videos, or enlarge pictures."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf
from case_parts import Case, broken_picture, close_scores, pictures, texts
from gradio_client import handle_file
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parent.parent
KINETICS = (
    ROOT / "template/{% if model_type == 'video-classification' %}.{% endif %}/kinetics400.txt"
)


def short(count: int) -> list[str]:
    """Different texts of a few words."""
    return [" ".join([*text.split()[:3], str(i)]) for i, text in enumerate(texts(count))]


def pages(count: int, folder: Path, lines: int = 6) -> list[str]:
    """Different pages of some lines of words, large enough to be read."""
    folder.mkdir(parents=True, exist_ok=True)
    font = ImageFont.load_default(size=24)
    paths = []
    for i, text in enumerate(texts(count)):
        words = text.split() * 3
        page = Image.new("RGB", (700 + 40 * (i % 3), 60 + 50 * lines), "white")
        for line in range(lines):
            row = " ".join(words[6 * line + i % 3 : 6 * line + i % 3 + 6])
            ImageDraw.Draw(page).text((30, 30 + 50 * line), row, "black", font)
        path = folder / f"{i}.png"
        page.save(path)
        paths.append(str(path))
    return paths


def videos(count: int, folder: Path) -> list[str]:
    """Different videos of different sizes, of half a second to two seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i in range(count):
        noise = np.random.default_rng(i)
        height, width = 48 + 16 * (i % 3), 48 + 16 * (i % 4)
        first, last = (noise.integers(0, 255, (4, 4, 3)) for _ in range(2))
        length = 5 + 3 * (i % 6)
        shades = [first + (last - first) * step / length for step in range(length)]
        path = folder / f"{i}.mp4"
        write_video(
            path,
            [
                Image.fromarray(one.astype(np.uint8)).resize((width, height), Image.NEAREST)
                for one in shades
            ],
        )
        paths.append(str(path))
    return paths


def write_video(
    path: Path,
    frames: list[Image.Image],
    rate: int = 10,
    codec: str = "libx264",
    turned: int = 0,
    **options: str,
) -> None:
    """A video that says how far to the left it is to be turned; `options` are the encoder's."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = frames[0].size
        if turned:
            stream.set_display_rotation(turned)
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_image(frame)))
        container.mux(stream.encode())


class SuperResolution(Case):
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
            tf.AutoModelForImageToImage.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> np.ndarray:
        processor, model = self.parts
        image = Image.open(inputs[0]["path"]).convert("RGB")
        with torch.no_grad():
            drawn = model(**processor(image, return_tensors="pt")).reconstruction[0]
        shades = drawn.clamp(0, 1).mul(255).permute(1, 2, 0).numpy()
        scale = model.config.upscale
        return np.asarray(shades[: scale * image.height, : scale * image.width])

    def same(self, answer: Any, expected: Any) -> bool:
        picture = np.asarray(Image.open(answer[1]).convert("RGB"), dtype=float)
        return picture.shape == expected.shape and bool(np.abs(picture - expected).max() < 1)


class ImageToText(SuperResolution):
    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModelForImageTextToText.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> str:
        processor, model = self.parts
        image = Image.open(inputs[0]["path"]).convert("RGB")
        with torch.no_grad():
            tokens = model.generate(**processor(image, return_tensors="pt"), max_new_tokens=64)
        text: str = processor.decode(tokens[0], skip_special_tokens=True)
        return text

    def same(self, answer: Any, expected: Any) -> bool:
        return bool(answer == expected)


class VisualQuestionAnswering(SuperResolution):
    complaint = "type a question"

    @property
    def bad(self) -> list[Any]:
        return [self.inputs(1)[0][0], " "]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[*one, text] for one, text in zip(super().inputs(count), short(count))]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModelForVisualQuestionAnswering.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        processor, model = self.parts
        image = Image.open(inputs[0]["path"]).convert("RGB")
        with torch.no_grad():
            logits = model(**processor(image, inputs[1], return_tensors="pt")).logits
        return {
            model.config.id2label[i]: score for i, score in enumerate(logits[0].sigmoid().tolist())
        }

    def same(self, answer: Any, expected: Any) -> bool:
        return close_scores(answer, expected)


class DocumentQuestionAnswering(Case):
    """Compares with what the pipeline of transformers makes of the same page."""

    complaint = "No words were found"

    @property
    def bad(self) -> list[Any]:
        path = self.folder / "empty.png"
        Image.new("RGB", (300, 200), "white").save(path)
        return [handle_file(str(path)), "What is it?"]

    def inputs(self, count: int) -> list[list[Any]]:
        # some questions about each page; it is read once, which takes longer than to answer
        paths = pages(4, self.folder / "pages")
        return [
            [handle_file(paths[i % 4]), f"Where is {text}?"] for i, text in enumerate(short(count))
        ]

    @cached_property
    def pipeline(self) -> Any:
        return tf.pipeline("document-question-answering", model=str(self.model), dtype="float32")

    def expected(self, inputs: list[Any]) -> tuple[str, float]:
        image = Image.open(inputs[0]["path"]).convert("RGB")
        (best,) = self.pipeline(image, inputs[1], max_seq_len=512, doc_stride=128)
        return best["answer"], best["score"]

    def same(self, answer: Any, expected: Any) -> bool:
        best = answer[0]["confidences"][0]
        text, score = expected
        return bool(best["label"] == text and abs(best["confidence"] - score) < 1e-4)


class VideoClassification(Case):
    complaint = "cannot be read"

    @property
    def bad(self) -> list[Any]:
        path = self.folder / "broken.mp4"
        path.write_bytes(b"\x00\x00\x00\x18ftypmp42 but no video")
        return [handle_file(str(path))]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[handle_file(path)] for path in videos(count, self.folder / "videos")]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoImageProcessor.from_pretrained(self.model),
            tf.AutoModelForVideoClassification.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        import av

        processor, model = self.parts
        with av.open(inputs[0]["path"]) as container:
            every = [frame.to_image() for frame in container.decode(video=0)]
        places = np.linspace(0, len(every) - 1, model.config.num_frames, dtype=int)
        inputs = processor([every[place] for place in places], return_tensors="pt")
        with torch.no_grad():
            scores = model(**inputs).logits.softmax(-1)[0]
        names = KINETICS.read_text(encoding="utf-8").splitlines()
        return dict(zip(names, scores.tolist()))

    def same(self, answer: Any, expected: Any) -> bool:
        return close_scores(answer, expected)


CASES: dict[str, type[Case]] = {
    "image-super-resolution": SuperResolution,
    "image-to-text": ImageToText,
    "visual-question-answering": VisualQuestionAnswering,
    "document-question-answering": DocumentQuestionAnswering,
    "video-classification": VideoClassification,
}
