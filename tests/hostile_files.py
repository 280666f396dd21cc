"""Files that no honest visitor uploads: broken, lying, enormous once opened, or two in one."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

SVG = b"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script>
<image href="file:///etc/passwd"/><text>&x;</text></svg>"""
HTML = b"<html><script>document.title='pwned'</script></html>"
PLAYLIST = """#EXTM3U
#EXT-X-TARGETDURATION:1
#EXT-X-MEDIA-SEQUENCE:0
#EXTINF:1.0,
{}
#EXT-X-ENDLIST
"""


class Upload(NamedTuple):
    """A file as a visitor sends it; `name` as it stands in the request."""

    name: str
    content: bytes


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png(width: int, height: int, pixels: bytes, *more: bytes, depth: int = 1) -> bytes:
    """A grey PNG that says it is so large; `pixels` are compressed rows."""
    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", head), *more, chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file."""
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def gif(frames: int, width: int = 64, height: int = 64) -> bytes:
    """A GIF of equal frames of one pixel each."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    one = b"\x21\xf9\x04\0\1\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    return head + (one + b"\x02\x02\x44\x01\x00") * frames + b";"


def archive() -> bytes:
    """A ZIP that names a place outside."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../../tmp/escaped", b"\0" * 10_000_000)
    return data.getvalue()


def tiff(width: int, height: int, following: int = 0) -> bytes:
    """A TIFF that says it is so large; its directory is followed by the one at an offset."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 4, height), (279, 4, 2**31 - 1)]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body + struct.pack("<I", following)


@cache
def images() -> Mapping[str, Upload]:
    """Pictures."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    good = Image.fromarray(noise)
    whole, jpeg = saved(good, "PNG"), saved(good, "JPEG")
    rows = zlib.compress(b"\0" * (2501 * 20_000), 9)
    odd = Image.Exif()
    odd[0x0112] = 99
    wild = np.array([[np.nan, np.inf], [-np.inf, 1e38]], dtype=np.float32)
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 50_000_000, 9))
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(b"\0" * 50_000_000, 9))
    small = zlib.compress(b"\0\0")
    contents = {
        "nothing": b"",
        "one byte": b"\x89",
        "a text": b"this is no picture",
        "a page of HTML": HTML,
        "an archive": archive(),
        "a program": b"\x7fELF\x02\x01\x01" + b"\0" * 500,
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "PDF": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n",
        "drawn with script": SVG,
        "a cut PNG": whole[: len(whole) // 2],
        "a cut JPEG": jpeg[: len(jpeg) // 2],
        "a PNG with a wrong sum": whole[:60] + bytes([whole[60] ^ 255]) + whole[61:],
        "a PNG that is HTML too": whole + HTML,
        "a GIF that is an archive too": saved(good, "GIF") + archive(),
        "says 2**31 pixels wide": png(2**31 - 1, 2**31 - 1, small),
        "says 0 pixels": png(0, 0, small),
        "says 16,000 x 16,000": png(16_000, 16_000, small),
        "20,000 x 20,000": png(20_000, 20_000, rows),
        "1 x 100,000": png(1, 100_000, zlib.compress(b"\0\x80" * 100_000)),
        "100,000 x 1": png(100_000, 1, zlib.compress(b"\0" + b"\xaa" * 12_500)),
        "3 x 900,000": png(3, 900_000, zlib.compress(b"\0\x80" * 900_000)),
        "1 x 1": saved(Image.new("RGB", (1, 1)), "PNG"),
        "a text of 50 MB inside": png(1, 1, small, text),
        "a profile of 50 MB inside": png(1, 1, small, profile),
        "more than the rows": png(8, 8, zlib.compress(b"\0" * 50_000_000, 9)),
        "10,000 frames": gif(10_000),
        "a GIF of 65,535 x 65,535": gif(2, 65_535, 65_535),
        "a BMP of 2**30": b"BM" + struct.pack("<IIIIiiHHIIiiII", *BMP),
        "a TIFF of 2**31": tiff(2**31 - 1, 2**31 - 1),
        "a TIFF in circles": tiff(4, 4, 8),
        "a TIFF of NaN": saved(Image.fromarray(wild), "TIFF"),
        "turned in no known way": saved(good, "JPEG", exif=odd.tobytes()),
        "for printing": saved(good.convert("CMYK"), "JPEG"),
        "16 bits": saved(Image.fromarray(noise[..., 0].astype(np.uint16) * 257), "PNG"),
        "half transparent": saved(good.convert("LA"), "PNG"),
        "with a palette": saved(good.convert("P"), "PNG", transparency=0),
        "a cut WebP": saved(good, "WEBP")[:80],
    }
    return {
        **{name: Upload("a.png", content) for name, content in contents.items()},
        **{f"called {ascii(name)[:24]}": Upload(name, whole) for name in NAMES},
        "an SVG called so": Upload("a.svg", SVG),
        "HTML called a JPEG": Upload("a.jpg", HTML),
    }


BMP = (62, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0)
NAMES = (
    "../../etc/passwd",
    "..\\..\\tuning.py",
    "/etc/cron.d/evil.png",
    "a\0b.png",
    "<script>alert(1)</script>.png",
    "a" * 300 + ".png",
    "\u202egnp.exe",
    ".png",
    "..",
    "a%00b.png",
    "$(id)`id`;id|id.png",
    "model.py",
    "a%03d.png",
)


def wav(
    data: bytes,
    rate: int = 16_000,
    channels: int = 1,
    bits: int = 16,
    kind: int = 1,
    said: int | None = None,
) -> bytes:
    """A WAV whose header may lie about the length of its data."""
    size = channels * bits // 8
    length = len(data) if said is None else said
    form = (kind, channels, rate & 0xFFFFFFFF, rate * size & 0xFFFFFFFF, size & 0xFFFF, bits)
    head = b"fmt \x10\0\0\0" + struct.pack("<HHIIHH", *form)
    parts = b"WAVE" + head + b"data" + struct.pack("<I", length & 0xFFFFFFFF) + data
    return b"RIFF" + struct.pack("<I", (36 + length) & 0xFFFFFFFF) + parts


@cache
def recordings() -> Mapping[str, Upload]:
    """Recordings."""
    tone = (np.sin(np.arange(16_000) / 9) * 9_000).astype(np.int16).tobytes()
    floats = np.array([np.nan, np.inf, -np.inf, 1e38, 0.5] * 3_200, dtype=np.float32).tobytes()
    good = wav(tone)
    contents = {
        "nothing": b"",
        "a text": b"this is no recording",
        "HTML": HTML,
        "an archive": archive(),
        "only RIFF": b"RIFF",
        "no data": good[:36],
        "no samples": wav(b""),
        "one sample": wav(b"\0\0"),
        "silence": wav(b"\0" * 32_000),
        "half a sample": wav(tone + b"\1"),
        "cut": good[: len(good) // 2],
        "WAV and HTML": good + HTML,
        "NaN and infinite": wav(floats, bits=32, kind=3),
        "says 2**31 bytes": wav(tone, said=2**31),
        "says 2**32 - 1 bytes": wav(tone, said=2**32 - 1),
        "says 8 hours": wav(tone, said=8 * 3_600 * 32_000),
        "0 Hz": wav(tone, rate=0),
        "1 Hz": wav(tone, rate=1),
        "1 Hz, 20 samples": wav(b"\0\x10" * 20, rate=1),
        "1 MHz": wav(tone * 40, rate=1_000_000),
        "a prime of MHz": wav(tone * 40, rate=1_000_003),
        "a prime of 4 MHz": wav(b"\x70" * 2_000_000, rate=4_000_037, bits=8),
        "2**32 - 1 Hz": wav(tone, rate=2**32 - 1),
        "no channel": wav(tone, channels=0),
        "64 channels": wav(tone * 8, channels=64),
        "65,535 channels": wav(tone * 8, channels=65_535),
        "0 bits": wav(tone, bits=0),
        "7 bits": wav(tone, bits=7),
        "64 bits": wav(tone, bits=64, kind=3),
        "squeezed": wav(tone, bits=4, kind=2),
        "of no known kind": wav(tone, kind=0xABCD),
        "MP3 of noise": b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\x64" + b"\x55" * 5_000,
        "Ogg of nothing": b"OggS" + b"\0" * 500,
        "a list of files": PLAYLIST.format("file:///etc/passwd").encode(),
    }
    return {
        **{name: Upload("a.wav", content) for name, content in contents.items()},
        **{f"called {ascii(name)[:24]}": Upload(name, good) for name in NAMES[:6]},
        "a playlist": Upload("a.m3u8", PLAYLIST.format("file:///etc/passwd").encode()),
        "a concatenation": Upload("a.mp3", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
    }


def videos(good: bytes) -> Mapping[str, Upload]:
    """Videos; `good` is an MP4."""
    at = good.find(b"mvhd")
    long = good[: at + 20] + b"\x7f\xff\xff\xff" + good[at + 24 :]
    at = good.find(b"tkhd")
    wide = good[: at + 80] + b"\xff\xff\xff\xff" * 2 + good[at + 88 :]
    samples = good.find(b"stsz")
    many = good[: samples + 12] + b"\x7f\xff\xff\xff" + good[samples + 16 :]
    contents = {
        "nothing": b"",
        "a text": b"this is no video",
        "HTML": HTML,
        "an archive": archive(),
        "only its kind": b"\0\0\0\x18ftypmp42",
        "cut": good[: len(good) // 2],
        "without its beginning": good[40:],
        "MP4 and HTML": good + HTML,
        "says days": long,
        "says 65,535 pixels": wide,
        "says 2**31 frames": many,
        "noise in the frames": good.replace(good[60:160], b"\xff" * 100),
        "a picture": images()["1 x 1"].content,
        "10,000 frames": gif(10_000),
        "huge frames": gif(3, 65_535, 65_535),
        "a recording": wav(b"\0\1" * 16_000),
        "a list of files": PLAYLIST.format("file:///etc/passwd").encode(),
        "drawn": SVG,
    }
    return {
        **{name: Upload("a.mp4", content) for name, content in contents.items()},
        **{f"called {ascii(name)[:24]}": Upload(name, good) for name in NAMES[:6]},
        "a playlist": Upload("a.m3u8", PLAYLIST.format("file:///etc/passwd").encode()),
        "a concatenation": Upload("a.txt", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
        "a GIF called so": Upload("a.gif", gif(40)),
    }


def read(path: str | Path) -> Upload:
    """An honest file."""
    return Upload(Path(path).name, Path(path).read_bytes())
