"""Changes several files of a folder at once: all of them or none, whatever happens in between.

New content is written beside the folder's files first, then the old files are noted for undoing,
and only then is one renamed over the other. Whoever is killed in the middle of those renames leaves
the note behind, and the next command puts the old files back.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from spaces_gen.check import space_checks
from spaces_gen.errors import UserError

NOTE = "note.json"
NEW, OLD, BACK = "new", "old", "back"


def undo_folder(root: Path) -> Path:
    """Where a change is prepared; it is never published."""
    return root / str(space_checks().UNDO)


def swap(
    root: Path,
    written: Mapping[str, bytes],
    deleted: Iterable[str],
    seen: Mapping[str, bytes | None],
) -> None:
    """Write and delete files; on any error the folder is as it was before.

    Args:
        written: content by path; a file that is there keeps its mode.
        seen: what the files held when the new content was made of them; None for no file.

    Raises:
        UserError: a file cannot be written, or somebody else is changing the folder.
    """
    deleted = list(deleted)
    paths = [*written, *deleted]
    if not paths:
        return
    with locked(root):
        put_back(root)
        work = undo_folder(root)
        if work.is_symlink() or work.exists():  # nothing is written into what others made
            raise UserError(f"{work.name} is in the way; delete it, then run the command again")
        try:
            check_writable(root, paths)
            prepare(root, work, written, deleted)
            check_unchanged(work, paths, seen)
            for path in written:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                os.replace(work / NEW / path, root / path)
            for path in deleted:
                (root / path).unlink()
            (work / NOTE).unlink()  # from here on it is done
        except OSError as error:
            put_back(root)
            name = Path(error.filename or "").name
            raise UserError(
                f"{name or 'a file'} could not be written ({error.strerror}); nothing was changed"
            ) from error
        except BaseException:
            put_back(root)
            raise
        for path in deleted:
            remove_empty(root, (root / path).parent)
        shutil.rmtree(work, ignore_errors=True)


def prepare(root: Path, work: Path, written: Mapping[str, bytes], deleted: list[str]) -> None:
    """Write the new files, keep the old ones, and note last how to undo it."""
    for path, data in written.items():
        new = work / NEW / path
        new.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if (root / path).exists():
            shutil.copymode(root / path, new)
    replaced = [path for path in (*written, *deleted) if (root / path).exists()]
    for path in replaced:
        old = work / OLD / path
        old.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, old)
    created = sorted(set(written) - set(replaced))
    part = work / f"{NOTE}.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump({"replaced": replaced, "created": created}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, work / NOTE)


def check_unchanged(work: Path, paths: Iterable[str], seen: Mapping[str, bytes | None]) -> None:
    """Refuse to replace a file that was edited in the meantime.

    Raises:
        UserError: with the first of them.
    """
    for path in paths:
        old = work / OLD / path
        if (old.read_bytes() if old.exists() else None) != seen.get(path):
            raise UserError(f"{path} has just been edited; nothing was changed, try again")


def recover(root: Path) -> bool:
    """Undo a change that was not finished; returns whether there was one.

    Raises:
        UserError: the old files cannot be put back, or somebody is at it.
    """
    if not undo_folder(root).is_dir():
        return False
    with locked(root):
        return put_back(root)


def put_back(root: Path) -> bool:
    """The same, for whoever has the lock."""
    work = undo_folder(root)
    if work.is_symlink() or not work.is_dir():
        return False
    note = work / NOTE
    try:
        if not note.exists():
            shutil.rmtree(work, ignore_errors=True)
            return False
        noted = json.loads(note.read_text(encoding="utf-8"))
        for path in noted["replaced"]:
            target = inside(root, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            # the old file itself stays until all are back
            part = inside(work, BACK)
            shutil.copy2(inside(work, f"{OLD}/{path}"), part)
            os.replace(part, target)
        for path in noted["created"]:
            target = inside(root, path)
            with contextlib.suppress(NotADirectoryError):  # there never was such a folder
                target.unlink(missing_ok=True)
            remove_empty(root, target.parent)
        note.unlink()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"an interrupted change of {root} could not be undone ({error}); the files as they "
            f"were are in {work / OLD}: copy them back and delete {work}"
        ) from error
    shutil.rmtree(work, ignore_errors=True)
    return True


def inside(folder: Path, path: str) -> Path:
    """A path in a folder; whoever wrote the note, no link on the way leads elsewhere.

    Raises:
        ValueError: one does.
    """
    target = folder / path
    whole = folder.resolve()
    straight = target.parent.resolve() == (whole / path).parent
    if target.is_symlink() or not straight or not target.resolve().is_relative_to(whole):
        raise ValueError(f"{path} leads elsewhere")
    return target


def check_writable(root: Path, paths: Iterable[str]) -> None:
    """Refuse files and folders that their owner protected.

    Raises:
        UserError: with the first of them.
    """
    for path in paths:
        for one in (root / path, *(root / path).parents):
            if not one.is_relative_to(root):
                break
            if one.exists() and not (one.stat().st_mode & stat.S_IWUSR and os.access(one, os.W_OK)):
                name = one.relative_to(root).as_posix()
                raise UserError(
                    f"{path if name == '.' else name} is read-only; make it writable "
                    "(chmod u+w), then run the command again; nothing was changed"
                )


def remove_empty(root: Path, folder: Path) -> None:
    """Remove a folder that has become empty, and those around it."""
    with contextlib.suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep others from changing the same folder.

    Raises:
        UserError: somebody is at it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"another command is changing {root}; try again after it") from error
        yield
    finally:
        os.close(handle)
