"""Uploads and results are deleted by age, whatever happens meanwhile."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))

from serving.old_files import delete_old_files


def page(*files: Path, kept: Path | None = None) -> Any:
    """What is looked at of a page of Gradio's."""
    component = SimpleNamespace(keep_in_cache={str(kept)} if kept else set())
    return SimpleNamespace(blocks={1: component}, temp_file_sets=[set(map(str, files))])


def upload(folder: Path, name: str) -> Path:
    path = folder / name / "file.png"
    path.parent.mkdir()
    path.write_bytes(b"x")
    return path


def test_what_is_old_goes_with_its_folder_and_the_rest_stays(tmp_path: Path) -> None:
    old, shared, kept = (upload(tmp_path, name) for name in ("old", "shared", "kept"))
    (shared.parent / "another.png").touch()
    gone = tmp_path / "gone" / "file.png"
    blocks = page(old, shared, kept, gone, kept=kept)
    delete_old_files(blocks, age=3600)
    assert all(path.exists() for path in (old, shared, kept))
    assert blocks.temp_file_sets[0] == {*map(str, (old, shared, kept))}
    time.sleep(1.1)
    new = upload(tmp_path, "new")
    blocks.temp_file_sets[0].add(str(new))
    delete_old_files(blocks, age=1)
    assert not old.parent.exists()
    assert os.listdir(shared.parent) == ["another.png"]
    assert kept.exists()
    assert new.exists()
    assert blocks.temp_file_sets[0] == {str(kept), str(new)}
    delete_old_files(blocks, age=None)
    assert not new.parent.exists()


@pytest.mark.parametrize("age", [0, 3600])
def test_files_that_come_in_meanwhile_are_no_error(
    tmp_path: Path, age: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The set grows and shrinks under it, as by visitors who upload and leave."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    blocks = page(*(upload(tmp_path, str(number)) for number in range(200)))
    known, over = blocks.temp_file_sets[0], threading.Event()

    def come_and_go() -> None:
        number = 0
        while not over.is_set():
            known.add(str(tmp_path / f"other {number}"))
            known.discard(str(tmp_path / f"other {number - 50}"))
            number += 1

    visitors = [threading.Thread(target=come_and_go) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    try:
        for _ in range(50):
            delete_old_files(blocks, age)
    finally:
        over.set()
        for visitor in visitors:
            visitor.join()
    assert len(os.listdir(tmp_path)) == (200 if age else 0)
