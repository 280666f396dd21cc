"""The storage of Xet: a folder that the client's own library writes to, in place of a service."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# How a shard, the index of what was uploaded, begins; then come records of equal length.
_MAGIC = b"HFRepoMetaData\0"
_RECORD = 48
_END = b"\xff" * 32
_WITH_VERIFICATION = 1 << 31
_WITH_SHA256 = 1 << 30


class _File(NamedTuple):
    """A file that a shard speaks of."""

    sha256: str
    xet_hash: str
    size: int


class Cas:
    """A content-addressed store at `folder`, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def url(self) -> str:
        return f"local://{self.folder}"

    def content(self, oid: str) -> bytes | None:
        """A file by its SHA-256; None when nobody uploaded it."""
        for shard in sorted(self.folder.rglob("*.mdb")):
            for file in _files(shard.read_bytes()):
                if file.sha256 == oid:
                    return self._read(file)
        return None

    def _read(self, file: _File) -> bytes:
        import hf_xet  # type: ignore[import-untyped]  # here, as it starts threads

        info = hf_xet.XetFileInfo(file.xet_hash, file.size)
        with hf_xet.XetSession().new_download_stream_group(endpoint=self.url) as group:
            return b"".join(group.download_stream(info))


def _files(shard: bytes) -> Iterator[_File]:
    """The files of a shard: each has a header, its segments, and what the header's flags say."""
    if not shard.startswith(_MAGIC):
        return
    position = _RECORD
    while shard[position : position + 32] != _END:
        xet_hash = _hex(shard[position : position + 32])
        flags, count = struct.unpack_from("<II", shard, position + 32)
        position += _RECORD
        sizes = [
            struct.unpack_from("<I", shard, position + index * _RECORD + 36)[0]
            for index in range(count)
        ]
        position += count * _RECORD * (2 if flags & _WITH_VERIFICATION else 1)
        if flags & _WITH_SHA256:
            yield _File(_hex(shard[position : position + 32]), xet_hash, sum(sizes))
            position += _RECORD


def _hex(data: bytes) -> str:
    """A hash as people write it: four words, each stored with its last byte first."""
    return "".join(data[start : start + 8][::-1].hex() for start in range(0, 32, 8))
