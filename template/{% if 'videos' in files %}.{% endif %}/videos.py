"""Reads the videos that visitors upload."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import av
from PIL import Image

from serving.errors import InputError

# none of them opens another file or address
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,gif"
MAX_PIXELS = 4_096 * 2_304  # of one frame
SHORTER_SIDE = 512  # pixels that frames keep; models take fewer


class Times(NamedTuple):
    """When frames are shown, in the stream's own unit; key frames need no other."""

    frames: list[int]
    keys: list[int]


def read_frames(path: str | None, count: int, max_seconds: int) -> list[Image.Image]:
    """Decode `count` frames of the video at `path`, spread evenly, upright, as RGB.

    A video of fewer frames gives some of them more than once. Never more than the frames
    that are asked for are held.

    Raises:
        InputError: there is none, it is too long or too large, or it is not a video.
    """
    if not path:
        raise InputError("Please record or upload a video first.")
    try:
        with av.open(path, options={"format_whitelist": FORMATS}) as container:
            stream = container.streams.video[0]
            if stream.width * stream.height > MAX_PIXELS:
                raise InputError("This video's frames are too large: 4K is the limit.")
            times = read_times(container, stream, max_seconds)
            last = len(times.frames) - 1
            wanted = [
                times.frames[place * last // max(1, count - 1)]
                for place in range(count)
            ]
            return list(decode(container, stream, wanted, times.keys))
    except InputError:
        raise
    except Exception as error:  # decoders of broken files raise many kinds
        raise InputError(
            "This file cannot be read as a video. Try an MP4 or WebM."
        ) from error


def read_times(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    max_seconds: int,
) -> Times:
    """When the frames of a stream are shown, without decoding them.

    Raises:
        InputError: the last comes more than `max_seconds` after the first.
    """
    times = Times([], [])
    limit = max_seconds / float(stream.time_base or 1)
    for packet in container.demux(stream):
        if not packet.size:  # the end
            continue
        times.frames.append(shown_at(packet))
        if packet.is_keyframe:
            times.keys.append(shown_at(packet))
        if times.frames[-1] - times.frames[0] > limit:
            raise InputError(
                f"This video is too long: {max_seconds} seconds are the limit."
            )
    times.frames.sort()  # they may be stored in another order
    times.keys.sort()
    return times


def decode(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    wanted: list[int],
    keys: list[int],
) -> Iterator[Image.Image]:
    """The frames of the times in `wanted`, which ascend.

    Goes to the last key frame before each, unless decoding on gets there sooner.
    """
    stream.codec_context.thread_count = 1  # several videos are read at the same time
    frames: Iterator[av.VideoFrame] = iter(())
    frame: av.VideoFrame | None = None
    for time in wanted:
        key = keys[max(0, bisect_right(keys, time) - 1)]
        if frame is None or key > shown_at(frame):
            container.seek(key, stream=stream)
            frames = container.decode(stream)
            frame = next(frames)
        while shown_at(frame) < time and (following := next(frames, None)):
            frame = following
        yield to_image(frame)  # the last one where the end is cut off


def shown_at(part: Any) -> int:
    """When a frame, or a packet's, is shown; old formats only say when it is decoded."""
    return part.dts if part.pts is None else part.pts


def to_image(frame: av.VideoFrame) -> Image.Image:
    """The frame as a picture, no larger than models need, upright."""
    scale = min(1.0, SHORTER_SIDE / min(frame.width, frame.height))
    width, height = round(scale * frame.width), round(scale * frame.height)
    picture = frame.to_image(width=width, height=height)
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
