"""Videos are read frame for frame, whatever their length and form, and never more than allowed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_documents import write_video
from PIL import Image

sys.path.append(str(Path(__file__).parent.parent / "template"))

from serving.errors import InputError

TEMPLATE = Path(__file__).parent.parent / "template"


def module(folder: str, name: str) -> Any:
    """A module of one of the template's folders that only some Spaces get."""
    spec = importlib.util.spec_from_file_location(name, TEMPLATE / folder / f"{name}.py")
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


videos = module("{% if 'videos' in files %}.{% endif %}", "videos")


def shades(count: int, size: tuple[int, int] = (64, 48)) -> list[Image.Image]:
    """Different frames: the greys of their left and right half say which of them each is."""
    return [
        Image.fromarray(np.array([[i // 10, i % 10]], dtype=np.uint8) * 20 + 20)
        .resize(size, Image.Resampling.NEAREST)
        .convert("RGB")
        for i in range(count)
    ]


def numbers(frames: list[Image.Image]) -> list[int]:
    """Which of `shades` they are."""
    greys = [np.asarray(frame.convert("L"), dtype=float) for frame in frames]
    halves = [(grey[:, :20].mean(), grey[:, -20:].mean()) for grey in greys]
    return [10 * round((left - 20) / 20) + round((right - 20) / 20) for left, right in halves]


@pytest.mark.parametrize(
    "options",
    [
        {"g": "1"},
        {"g": "7", "bf": "2"},
        {"g": "250", "bf": "3"},
        {"g": "10", "x264-params": "open-gop=1:bframes=3:b-adapt=0"},
    ],
    ids=["key frames only", "short groups", "one group", "open groups"],
)
def test_the_frames_asked_for(tmp_path: Path, options: dict[str, str]) -> None:
    path = tmp_path / "video.mp4"
    write_video(path, shades(100), rate=25, **options)
    for count in (1, 2, 8, 32, 100):
        found = numbers(videos.read_frames(str(path), count, 60))
        assert found == [place * 99 // max(1, count - 1) for place in range(count)]


def test_a_video_of_few_frames_gives_some_twice(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    write_video(path, shades(3))
    assert numbers(videos.read_frames(str(path), 6, 60)) == [0, 0, 0, 1, 1, 2]


@pytest.mark.parametrize("name", ["video.webm", "video.mkv", "video.avi", "video.mov", "video.gif"])
def test_other_containers(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    codecs = {".webm": "libvpx-vp9", ".avi": "mpeg4", ".gif": "gif"}
    write_video(path, shades(40), rate=20, codec=codecs.get(path.suffix, "libx264"))
    assert numbers(videos.read_frames(str(path), 4, 60)) == [0, 13, 26, 39]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_upright_as_the_phone_was_held(tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "video.mp4"
    write_video(path, shades(9), turned=degrees)
    (frame,) = videos.read_frames(str(path), 1, 60)
    assert frame.size == ((64, 48) if degrees == 180 else (48, 64))
    assert numbers([frame.rotate(-degrees, expand=True)]) == [0]
    *_, last = videos.read_frames(str(path), 9, 60)
    assert numbers([last.rotate(-degrees, expand=True)]) == [8]


def test_what_is_cut_off_at_the_end_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "video.webm"
    write_video(path, shades(40), codec="libvpx-vp9", g="5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    first, *_, last = numbers(videos.read_frames(str(path), 4, 60))
    assert first == 0
    assert 20 < last < 39


def test_too_long(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    write_video(path, shades(60), rate=10)
    with pytest.raises(InputError, match="too long: 5 seconds are the limit"):
        videos.read_frames(str(path), 4, 5)
    assert len(videos.read_frames(str(path), 4, 6)) == 4


def test_large_frames_are_made_smaller_and_larger_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    write_video(path, shades(3, (1536, 1024)))
    assert {frame.size for frame in videos.read_frames(str(path), 3, 5)} == {(768, 512)}
    write_video(path, shades(1, (4096, 2320)))
    with pytest.raises(InputError, match="4K is the limit"):
        videos.read_frames(str(path), 3, 5)


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    """A playlist that is called a video is not followed."""
    write_video(tmp_path / "secret.mp4", shades(5))
    for name, text in {
        "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        "concat.mp4": "ffconcat version 1.0\nfile secret.mp4\n",
    }.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="cannot be read"):
            videos.read_frames(str(path), 4, 60)


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="upload a video first"):
        videos.read_frames(None, 4, 60)
    path = tmp_path / "video.mp4"
    write_video(path, shades(50))
    whole = path.read_bytes()
    path.write_bytes(whole + (7).to_bytes(8, "little"))
    assert len(videos.read_frames(str(path), 4, 60)) == 4
    for broken in (b"", b"no video", whole[:100], whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="cannot be read"):
            videos.read_frames(str(path), 4, 60)
