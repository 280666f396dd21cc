"""Cases of what models of diffusers make, and of a function of one's own."""

from __future__ import annotations

import io
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from case_parts import Case, texts
from gradio_client import handle_file
from PIL import Image

SIZES = [(64, 64), (64, 48), (48, 64)]  # as the tiny model has them, so that nothing is scaled


def options(inputs: list[Any]) -> dict[str, Any]:
    """What a pipeline is given for the last two inputs, if they say anything."""
    negative_prompt, guidance = inputs
    given: dict[str, Any] = {"negative_prompt": [negative_prompt]} if negative_prompt else {}
    return {**given, **({"guidance_scale": guidance} if guidance else {})}


def quiet(pipeline: Any) -> Any:
    """A pipeline without its progress bar."""
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class ImageToImage(Case):
    complaint = "takes no negative prompt"
    tolerance = 1.01 / 255  # a value of a pixel may be rounded the other way

    @property
    def bad(self) -> list[Any]:
        return [*self.inputs(1)[0][:-2], "rain", 0]

    def inputs(self, count: int) -> list[list[Any]]:
        folder = self.folder / "to-redraw"
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        for i, text in enumerate(texts(count)):
            chance = np.random.default_rng(i)
            blocks = Image.fromarray(chance.integers(0, 255, (4, 4, 3), dtype=np.uint8))
            path = folder / f"{i}.png"
            blocks.resize(SIZES[i % 3]).save(path)
            strength, guidance = (0.8, 0.5)[i % 2], (0, 3.0)[i % 2]
            found.append([handle_file(str(path)), text, strength, i, False, 3, "", guidance])
        return found

    @cached_property
    def pipeline(self) -> Any:
        from diffusers import AutoPipelineForImage2Image

        return quiet(AutoPipelineForImage2Image.from_pretrained(self.model))

    def expected(self, inputs: list[Any]) -> np.ndarray:
        image, prompt, strength, seed, _, steps, *more = inputs
        drawn = self.pipeline(
            [prompt],
            image=[Image.open(image["path"]).convert("RGB")],
            strength=strength,
            generator=[torch.Generator("cpu").manual_seed(seed)],
            num_inference_steps=steps,
            **options(more),
        )
        return np.asarray(drawn.images[0], dtype=int)

    def same(self, answer: Any, expected: Any) -> bool:
        picture = np.asarray(Image.open(answer[0]).convert("RGB"), dtype=int)
        return picture.shape == expected.shape and bool(np.abs(picture - expected).max() <= 1)


def frames(video: Path | io.BytesIO) -> np.ndarray:
    """Of an MP4, of shape (frames, height, width, 3)."""
    import av

    with av.open(video if isinstance(video, io.BytesIO) else str(video)) as file:
        return np.stack([one.to_ndarray(format="rgb24") for one in file.decode(video=0)])


def through_mp4(pixels: np.ndarray) -> np.ndarray:
    """Frames after they were written and read, with what is lost on the way."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as video:
        stream = video.add_stream("libx264", rate=16, options={"crf": "18"})
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for one in pixels:
            video.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="rgb24")))
        video.mux(stream.encode())
    file.seek(0)
    return frames(file)


class TextToVideo(Case):
    complaint = "describe a video"

    @property
    def bad(self) -> list[Any]:
        return ["", 0, False, 2, 9, 128, 128]

    def inputs(self, count: int) -> list[list[Any]]:
        return [
            [text, i, False, 2, 9, (128, 160)[i % 2], 128, ("", "rain")[i % 2], (0, 3.0)[i % 2]]
            for i, text in enumerate(texts(count))
        ]

    @cached_property
    def pipeline(self) -> Any:
        from diffusers import DiffusionPipeline

        return quiet(DiffusionPipeline.from_pretrained(self.model))

    def expected(self, inputs: list[Any]) -> np.ndarray:
        prompt, seed, _, steps, count, width, height, *more = inputs
        made = self.pipeline(
            [prompt],
            generator=[torch.Generator("cpu").manual_seed(seed)],
            num_inference_steps=steps,
            num_frames=count,
            width=width,
            height=height,
            output_type="np",
            **options(more),
        )
        return through_mp4((made.frames[0] * 255).round().astype(np.uint8))

    def same(self, answer: Any, expected: Any) -> bool:
        video = answer[0]["video"] if isinstance(answer[0], dict) else answer[0]
        found = frames(Path(video)).astype(int)
        return found.shape == expected.shape and bool(np.abs(found - expected).mean() < 1)


class Custom(Case):
    complaint = "type a text"

    @property
    def bad(self) -> list[Any]:
        return [" "]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[text] for text in texts(count)]

    def expected(self, inputs: list[Any]) -> str:
        (text,) = inputs
        words, sentences = len(text.split()), len(re.split(r"[.!?] ", text))
        first = f"{words} word{'s' * (words > 1)} in {sentences} sentence{'s' * (sentences > 1)}"
        return f"{first}\n{len(text)} characters\nabout 1 minute to read"

    def same(self, answer: Any, expected: Any) -> bool:
        return bool(answer == expected)


CASES: dict[str, type[Case]] = {
    "image-to-image": ImageToImage,
    "text-to-video": TextToVideo,
    "custom": Custom,
}
