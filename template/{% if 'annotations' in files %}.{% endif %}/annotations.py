"""Shows boxes or segments over a picture.

gr.AnnotatedImage takes each annotation as an array as large as the picture. The two
components here make small drawings, which the page stretches over the picture, so a
picture of any size is shown at the same little cost.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from gradio.components.annotated_image import AnnotatedImageData, Annotation
from gradio.data_classes import FileData
from gradio.processing_utils import save_bytes_to_cache
from PIL import ExifTags, Image, ImageDraw

SIDE = 1024  # pixels of a drawing's longer side, at most
RED = (255, 0, 0)  # the page turns it into a colour for each label
OPACITIES = bytes([0, 80, 160, 255])  # outside, inside a box, of a segment, of an edge
SEGMENT = 2

Layers = Iterator[tuple[Image.Image, str]]  # drawings of opacities, by number; labels


def boxed_image(**options: Any) -> gr.AnnotatedImage:
    """A component that takes the path of a picture and boxes with labels.

    A box is left, top, right and bottom in pixels of the upright picture.
    """
    return annotated_image(boxes, options)


def segmented_image(**options: Any) -> gr.AnnotatedImage:
    """A component that takes the path of a picture, that of a label map, and names.

    The map has the shape of the picture, but maybe fewer pixels. A pixel of it is 0
    where there is nothing, and n where the n-th name is.
    """
    return annotated_image(segments, options)


def annotated_image(
    layers: Callable[..., Layers], options: dict[str, Any]
) -> gr.AnnotatedImage:
    """A component that shows what `layers` makes of its value."""
    # on a full screen Gradio shows the picture alone
    component = gr.AnnotatedImage(**{"buttons": [], **options})

    def postprocess(value: tuple[Any, ...] | None) -> AnnotatedImageData | None:
        if value is None:
            return None
        annotations = [
            Annotation(image=stored(drawing, component.GRADIO_CACHE), label=label)
            for drawing, label in layers(*value)
        ]
        return AnnotatedImageData(
            image=FileData(path=value[0]), annotations=annotations
        )

    component.postprocess = postprocess  # type: ignore[method-assign]
    return component


def boxes(picture: str, found: list[tuple[list[int], str]]) -> Layers:
    """A drawing of each box."""
    width, height = upright_size(picture)
    scale = min(1, SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    for box, label in found:
        left, top, right, bottom = (side * scale for side in box)
        corners = [left, top, max(left, right), max(top, bottom)]
        drawing = Image.new("P", size)
        ImageDraw.Draw(drawing).rectangle(corners, fill=1, outline=3, width=3)
        yield drawing, label


def segments(picture: str, label_map: str, names: list[str]) -> Layers:
    """A drawing of each segment."""
    with Image.open(label_map) as numbers:
        for number, name in enumerate(names, start=1):
            yield numbers.point([SEGMENT * (one == number) for one in range(256)]), name


def upright_size(picture: str) -> tuple[int, int]:
    """Width and height of a picture when it is shown, without decoding it."""
    with Image.open(picture) as image:
        width, height = image.size
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) > 4
    return (height, width) if turned else (width, height)


def stored(drawing: Image.Image, folder: str) -> FileData:
    """A file in `folder` with the drawing, in red."""
    drawing.putpalette(RED * len(OPACITIES))
    content = io.BytesIO()
    drawing.save(content, "PNG", transparency=OPACITIES)
    return FileData(path=save_bytes_to_cache(content.getvalue(), "mask.png", folder))
