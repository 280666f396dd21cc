"""The model: descriptions in, videos out. Put your own code here."""

import io
from typing import Any, NamedTuple

import av
import numpy as np
import torch
from diffusers import DiffusionPipeline

from generation import Wish, arguments, checked_wish
from serving.errors import InputError
from serving.loading import load_pipeline
from serving.runtime import runtime
from serving.values import Media

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
MAX_STEPS = 50
FRAME_RATE = 16  # a second
FRAMES = range(
    9, 82, 8
)  # models compress four or eight frames into one, after the first
SIDE_STEP = 32  # pixels, which sides are multiples of
MAX_PIXELS = 832 * 480  # of a frame

pipeline: Any


class Item(NamedTuple):
    """One request; width and height in pixels."""

    wish: Wish
    frames: int
    width: int
    height: int


def load() -> None:
    """Load the weights, once, before the first request."""
    global pipeline
    kind = DiffusionPipeline.load_config(runtime.model_id)["_class_name"]
    # what turns the result of Wan into pictures needs more precision
    parts = {"vae": torch.float32} if kind.startswith("Wan") else None
    pipeline = load_pipeline(DiffusionPipeline, parts)


def prepare(
    prompt: str,
    seed: int,
    steps: int,
    frames: int,
    width: int,
    height: int,
    negative_prompt: str = "",
    guidance: float = 0,
) -> Item:
    """Check one request."""
    wish = Wish(prompt, negative_prompt, seed, steps, guidance)
    wish = checked_wish(pipeline, wish, MAX_STEPS, "Please describe a video first.")
    if frames not in FRAMES:
        first, last, step = FRAMES[0], FRAMES[-1], FRAMES.step
        raise InputError(f"Frames go from {first} to {last} in steps of {step}.")
    if width % SIDE_STEP or height % SIDE_STEP:
        raise InputError(f"Width and height are multiples of {SIDE_STEP} pixels.")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"This video is too large: width times height goes up to {MAX_PIXELS:,} pixels."
        )
    item = Item(wish, int(frames), int(width), int(height))
    most = runtime.tier.max_input
    if size(item) > most:
        raise InputError(
            f"This takes too long here: steps times frames go up to {most:,}, and these "
            f"are {size(item):,}. Please take fewer of either."
        )
    return item


def size(item: Item) -> int:
    """Steps times frames: more of either takes longer."""
    return item.wish.steps * item.frames


def group(item: Item) -> tuple[Any, ...]:
    """Only videos of equal size and length, with equal options, share a batch."""
    return item.frames, item.width, item.height, item.wish.group


def predict(batch: list[Item]) -> list[Media]:
    """Make a batch; each video has a generator of its own and ignores the others."""
    first = batch[0]
    made = pipeline(
        num_frames=first.frames,
        width=first.width,
        height=first.height,
        output_type="np",
        **arguments([item.wish for item in batch]),
    )
    return [encode(frames) for frames in made.frames]


def encode(frames: np.ndarray) -> Media:
    """The MP4 of frames from 0 to 1, of shape (frames, height, width, 3)."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as video:
        stream = video.add_stream("libx264", rate=FRAME_RATE, options={"crf": "18"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"  # the one that all browsers show
        for pixels in (frames * 255).round().astype(np.uint8):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        video.mux(stream.encode())
    return Media(file.getvalue(), ".mp4")
