"""What the model types that see share: drawings over pictures, labels, and other architectures."""

from __future__ import annotations

import base64
import io
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tiny_vision
from cases import Case
from cases_vision import VARIANTS
from gradio_client import Client
from PIL import Image
from space_process import QuickSpace
from tiny_parts import isolated_torch

ROOT = Path(__file__).parent.parent
for name in ("annotations", "labels"):
    sys.path.append(str(ROOT / "template" / f"{{% if '{name}' in files %}}.{{% endif %}}"))
sys.path.append(str(ROOT / "template"))

import annotations as drawn  # noqa: E402
from labels import separated  # noqa: E402
from serving.errors import InputError  # noqa: E402

UPRIGHT, ON_ITS_SIDE = 1, 6  # orientations, as EXIF tells them


@pytest.fixture
def photo(tmp_path: Path) -> Callable[..., str]:
    """Stores a picture of some size, as a camera in some orientation does."""

    def get(size: tuple[int, int], orientation: int = UPRIGHT) -> str:
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / "photo.jpg"
        Image.new("RGB", size).save(path, exif=exif)
        return str(path)

    return get


def layers(component: Any, *value: Any) -> list[tuple[np.ndarray, str]]:
    """The opacities of each drawing that a component makes of its value, and the labels."""
    shown = component.postprocess(value)
    assert shown.image.path == value[0]
    return [
        (np.asarray(Image.open(one.image.path).convert("RGBA"))[..., 3], one.label)
        for one in shown.annotations
    ]


def test_a_box_is_where_it_was_found(photo: Callable[..., str]) -> None:
    component = drawn.boxed_image()
    ((drawing, label),) = layers(component, photo((100, 60)), [([10, 20, 50, 40], "cat 0.98")])
    assert label == "cat 0.98"
    assert drawing.shape == (60, 100)
    inside = drawing[23:38, 13:48]
    assert len(np.unique(inside)) == 1
    assert 0 < inside[0, 0] < drawing[20, 10] == drawing[40, 50] == 255
    assert np.count_nonzero(drawing) == 21 * 41


@pytest.mark.parametrize(("orientation", "shape"), [(UPRIGHT, (60, 100)), (ON_ITS_SIDE, (100, 60))])
def test_a_drawing_has_the_shape_of_the_picture_as_it_is_seen(
    orientation: int, shape: tuple[int, int], photo: Callable[..., str]
) -> None:
    path = photo((100, 60), orientation)
    ((drawing, _),) = layers(drawn.boxed_image(), path, [([0, 0, 9, 9], "cat")])
    assert drawing.shape == shape


def test_drawings_over_a_large_picture_are_small_and_quick(photo: Callable[..., str]) -> None:
    path = photo((8000, 4000))
    found = [([8 * i, 8 * i, 7999, 3999], f"cat {i}") for i in range(50)]
    began = time.process_time()
    drawings = layers(drawn.boxed_image(), path, found)
    assert time.process_time() - began < 5  # gr.AnnotatedImage takes minutes and 50 GB
    assert {drawing.shape for drawing, _ in drawings} == {(512, 1024)}
    assert drawings[25][0][25, 25] == 255
    assert drawings[25][0][24, 24] == 0


@pytest.mark.parametrize("box", [[120, 70, 100, 60], [0, 0, 0, 0], [50, 20, 40, 10]])
def test_a_box_without_an_inside_does_no_harm(box: list[int], photo: Callable[..., str]) -> None:
    assert len(layers(drawn.boxed_image(), photo((100, 60)), [(box, "cat")])) == 1


def test_each_segment_is_drawn_where_the_map_has_its_number(
    photo: Callable[..., str], tmp_path: Path
) -> None:
    numbers = np.random.default_rng(0).integers(0, 4, (30, 50), dtype=np.uint8)
    path = tmp_path / "map.png"
    Image.fromarray(numbers).save(path)
    drawings = layers(drawn.segmented_image(), photo((100, 60)), str(path), ["a", "b", "c"])
    assert [label for _, label in drawings] == ["a", "b", "c"]
    for number, (drawing, _) in enumerate(drawings, start=1):
        assert ((drawing > 0) == (numbers == number)).all()


def test_nothing_is_shown_as_nothing() -> None:
    assert drawn.boxed_image().postprocess(None) is None
    assert drawn.segmented_image().get_block_name() == "annotatedimage"


def test_labels_are_separated_by_commas() -> None:
    assert separated(" a cat,dog ,, a cat,\n猫 ") == ["a cat", "dog", "猫"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "at least one label"),
        (" , ,\n", "at least one label"),
        (", ".join(map(str, range(21))), "20 are the limit"),
        ("cat, " + "x" * 101, "100 characters are the limit"),
    ],
)
def test_labels_that_cannot_be_used_are_explained(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        separated(text)


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_architectures_are_answered_as_they_are_meant(
    variant: str, rendered: Callable[..., Path], tmp_path: Path
) -> None:
    """Models of the same tag that are called, or read, in another way."""
    model_type, kind = VARIANTS[variant]
    model, space = tmp_path / "model", tmp_path / "space"
    model.mkdir()
    with isolated_torch():
        tiny_vision.VARIANTS[variant](model)
    shutil.copytree(rendered(model_type=model_type), space)
    one: Case = kind(model, tmp_path)
    with QuickSpace(space, MODEL_ID=str(model), CACHE_EXAMPLES="off") as running:
        client = Client(running.url, verbose=False, download_files=str(tmp_path))
        for arguments in one.inputs(3):
            answer = client.predict(*arguments, api_name="/predict")
            assert one.same(answer, one.expected(arguments)), (arguments, answer)


def test_narrow_pictures_are_refused_and_maps_of_large_ones_are_smaller(
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    photo: Callable[..., str],
    tmp_path: Path,
) -> None:
    """A very narrow one has far more pixels for the depth model than others."""
    space = tmp_path / "space"
    shutil.copytree(rendered(model_type="depth-estimation"), space)
    model = tiny_model("depth-estimation")
    with QuickSpace(space, MODEL_ID=str(model), CACHE_EXAMPLES="off") as running:

        def ask(size: tuple[int, int]) -> httpx.Response:
            files = {"image": ("photo.jpg", Path(photo(size)).read_bytes())}
            return httpx.post(f"{running.url}/api/predict", files=files, timeout=120)

        refused = ask((1000, 200))
        assert refused.status_code == 422
        assert "too narrow" in refused.json()["detail"]
        picture, depth = ask((3000, 1500)).json()["result"]
        assert picture.endswith("photo.jpg")
        data = io.BytesIO(base64.b64decode(depth.split(",")[1]))
        with Image.open(data) as grey:
            assert (grey.mode, grey.size) == ("L", (1024, 512))
