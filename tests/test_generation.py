"""Options of what diffusers makes: none is ignored, and what is accepted is made."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from case_parts import pictures
from cases_generation import frames
from PIL import Image
from space_process import QuickSpace, RunningSpace


@pytest.fixture(scope="module")
def served(
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., RunningSpace]]:
    """Starts a Space of a model type when it is first asked for."""
    running: dict[tuple[str, str], RunningSpace] = {}
    with ExitStack() as stack:

        def get(model_type: str, model: str = "") -> RunningSpace:
            key = model_type, model or model_type
            if key not in running:
                folder = tmp_path_factory.mktemp("options") / "space"
                shutil.copytree(rendered(model_type=model_type), folder)
                settings = {"MODEL_ID": str(tiny_model(key[1])), "DTYPE": "float32"}
                if model_type != "text-to-video":
                    settings["MAX_INPUT"] = "50"
                space = QuickSpace(folder, CACHE_EXAMPLES="off", **settings)
                running[key] = stack.enter_context(space)
            return running[key]

        yield get


def ask(space: RunningSpace, picture: str = "", **given: Any) -> httpx.Response:
    address = f"{space.url}/api/predict"
    if not picture:
        return httpx.post(address, json={"randomize": False, **given}, timeout=120)
    fields = {name: (None, str(value)) for name, value in given.items()}
    content = Path(picture).read_bytes()
    files: dict[str, Any] = {"image": ("a.png", content), "randomize": (None, "false"), **fields}
    return httpx.post(address, files=files, timeout=120)


def refusal(response: httpx.Response) -> str:
    assert response.status_code == 422, response.text
    sentence: str = response.json()["detail"]
    return sentence


def media(response: httpx.Response) -> bytes:
    """The picture or video of an answer."""
    assert response.status_code == 200, response.text
    uri, _ = response.json()["result"]
    return base64.b64decode(uri.partition(",")[2])


def picture(response: httpx.Response) -> Image.Image:
    return Image.open(io.BytesIO(media(response)))


SD, LCM = "text-to-image", "image-to-image"  # which kind of tiny model each has


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        (SD, {"negative_prompt": "rain", "guidance": 1}, "needs a guidance above 1"),
        (SD, {"steps": 51}, "steps: Value 51 is greater than maximum value 50."),
        (SD, {"negative_prompt": "x" * 2001}, "2,000 characters"),
        (LCM, {"negative_prompt": "rain"}, "takes no negative prompt"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    served: Callable[..., RunningSpace], model: str, given: dict[str, Any], words: str
) -> None:
    space = served("text-to-image", model)
    assert words in refusal(ask(space, prompt="A cat", **{"seed": 1, "steps": 2, **given}))


def test_options_change_the_picture_and_their_defaults_do_not(
    served: Callable[..., RunningSpace],
) -> None:
    space = served("text-to-image")
    wanted = {"prompt": "A cat", "seed": 1, "steps": 2}
    plain = media(ask(space, **wanted))
    usual = {"negative_prompt": " ", "guidance": 0}
    assert media(ask(space, **wanted, **usual)) == plain
    for option in ({"negative_prompt": "rain"}, {"guidance": 2.5}, {"seed": 2}, {"steps": 3}):
        assert media(ask(space, **{**wanted, **option})) != plain, option


@pytest.mark.parametrize("model", [SD, LCM])
def test_every_strength_works_or_is_told_which_one_would(
    served: Callable[..., RunningSpace], tmp_path: Path, model: str
) -> None:
    """A sentence that names the least strength is right."""
    space = served("image-to-image", model)
    (path,) = pictures(1, tmp_path)
    told = 0
    strengths = (0.1, 0.34, 0.58, 1.0)
    for steps, tried in ((1, strengths), (3, strengths), (29, strengths[:3])):
        for strength in tried:
            wanted = {"prompt": "A cat", "seed": 1, "steps": steps}
            answer = ask(space, path, strength=strength, **wanted)
            if answer.status_code == 422:
                least = refusal(answer).split(" at least ")[1].split()[0]
                answer = ask(space, path, strength=least, **wanted)
                told += 1
            assert max(picture(answer).size) == 64, (steps, strength)
    assert told > 1


def test_a_picture_of_any_shape_is_redrawn_in_its_own_shape(
    served: Callable[..., RunningSpace], tmp_path: Path
) -> None:
    space = served("image-to-image")
    for size in [(640, 480), (30, 90), (1, 1), (2000, 20)]:
        path = tmp_path / "a.png"
        Image.new("RGB", size, "teal").save(path)
        answer = ask(space, str(path), prompt="A cat", strength=0.5, seed=1, steps=2)
        width, height = picture(answer).size
        assert max(width, height) == 64
        assert width % 16 == height % 16 == 0
        if max(size) < 4 * min(size):
            assert abs(width / height - size[0] / size[1]) < 0.25


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"frames": 10}, "Frames go from 9 to 81 in steps of 8."),
        ({"frames": 89}, "frames: Value 89 is greater than maximum"),
        ({"width": 200}, "multiples of 32"),
        ({"height": 96}, "height: Value 96 is less than minimum"),
        ({"width": 832, "height": 832}, "up to 399,360 pixels"),
        ({"steps": 50, "frames": 81}, "these are 4,050"),
    ],
)
def test_a_video_that_is_too_much_is_told_how_much_is_not(
    served: Callable[..., RunningSpace], given: dict[str, Any], words: str
) -> None:
    space = served("text-to-video")
    wanted = {"seed": 1, "steps": 1, "frames": 9, "width": 128, "height": 128, **given}
    assert words in refusal(ask(space, prompt="A cat", **wanted))


def test_a_video_has_the_size_and_length_that_was_asked_for(
    served: Callable[..., RunningSpace],
) -> None:
    space = served("text-to-video")
    wanted = {"seed": 1, "steps": 1, "frames": 17, "width": 160, "height": 128}
    made = frames(io.BytesIO(media(ask(space, prompt="A cat", **wanted))))
    assert made.shape == (17, 128, 160, 3)
