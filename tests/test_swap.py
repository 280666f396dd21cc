"""Several files are changed at once: all of them or none, whatever happens in between."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import faults
import pytest
from space_checks import check
from upgrading import UNDO, Tree, put, take

from spaces_gen.errors import UserError
from spaces_gen.upgrading.swap import recover, swap

OLD: Tree = {
    "README.md": b"old\n" * 9,
    "app.py": b"1\n",
    "deep/er/a.txt": b"a\n",
    "gone/b.txt": b"b\n",
}
WRITTEN: Tree = {"README.md": b"new\n", "deep/er/a.txt": b"A\n", "new/c.txt": b"c\n", "d.txt": b""}
DELETED = ["app.py", "gone/b.txt"]
NEW = {path: data for path, data in {**OLD, **WRITTEN}.items() if path not in DELETED}
MODES = {"README.md": 0o600, "deep/er/a.txt": 0o755}
DONE, FAILED, INTERRUPTED = 0, 1, 2


def change(folder: Path) -> None:
    swap(folder, WRITTEN, DELETED, {path: OLD.get(path) for path in (*WRITTEN, *DELETED)})


def child(work: Callable[[], object]) -> int:
    """Start a child process; returns its id. Its exit code says how the work ended."""
    process = os.fork()
    if process:
        return process
    code = 9
    try:
        work()
        code = DONE
    except UserError as error:
        code = FAILED if "\n" not in str(error) else 8
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        os._exit(code)


def ended(process: int) -> int:
    """The exit code of a child, or the signal that ended or stopped it, below 0."""
    _, status = os.waitpid(process, os.WUNTRACED)
    return -os.WSTOPSIG(status) if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Makes a folder as it is before the change."""
    number = itertools.count()

    def make() -> Path:
        folder = put(OLD, tmp_path / str(next(number)))
        for path, mode in MODES.items():
            (folder / path).chmod(mode)
        return folder

    yield make
    shutil.rmtree(tmp_path)


def visible(folder: Path) -> Tree:
    """All files but those that a change is prepared with."""
    return {path: data for path, data in take(folder).items() if not path.startswith(UNDO)}


def check_modes(folder: Path) -> None:
    for path, mode in MODES.items():
        assert (folder / path).stat().st_mode & 0o777 == mode, path


def directories(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_dir()}


def faulty(folder: Path, action: str, nth: int) -> Callable[[], None]:
    """A change of the folder that is disturbed at a step; ends with DONE only if it was not."""

    def work() -> None:
        disturbed = faults.arm(action, nth)
        change(folder)
        if disturbed():
            os._exit(7)

    return work


def killed(folder: Path, nth: int) -> Callable[[], None]:
    """A change of the folder that is killed at a move."""

    def work() -> None:
        faults.arm("kill", nth, faults.MOVES)
        change(folder)

    return work


def test_killed_at_any_step_the_next_command_puts_everything_back(
    folders: Callable[[], Path],
) -> None:
    """And until then the checks tell that old and new files may be mixed."""
    before = directories(folders())
    states = set()
    for nth in itertools.count():
        folder = folders()
        code = ended(child(faulty(folder, "kill", nth)))
        if code == DONE:
            break
        assert code == -signal.SIGKILL
        left = visible(folder)
        state = "old" if left == OLD else "new" if left == NEW else "mixed"
        states.add(state)
        if state == "mixed":
            assert [one.level for one in check(folder) if one.path == UNDO] == ["error"], nth
        recover(folder)
        after = take(folder)
        assert after in (OLD, NEW), f"step {nth}"
        assert state != "new" or after == NEW or (folder / UNDO).exists() is False
        check_modes(folder)
        if after == OLD:
            assert directories(folder) == before, f"step {nth}"
            change(folder)
        assert take(folder) == NEW, f"step {nth}"
        check_modes(folder)
    assert nth > 30
    assert states == {"old", "mixed", "new"}


@pytest.mark.parametrize(("action", "expected"), [("full", FAILED), ("interrupt", INTERRUPTED)])
def test_after_an_error_at_any_step_the_folder_is_as_before(
    action: str, expected: int, folders: Callable[[], Path]
) -> None:
    """Also when it was the last one: then the change is done, and said to be."""
    before = directories(folders())
    codes = []
    for nth in itertools.count():
        folder = folders()
        code = ended(child(faulty(folder, action, nth)))
        if code == DONE:
            break
        codes.append(code)
        assert code in (expected, 7), f"step {nth}"
        after = visible(folder)
        if code == FAILED:
            assert after == OLD, f"step {nth}"
        if after == OLD:
            assert take(folder) == OLD, f"step {nth} leaves something behind"
            assert directories(folder) == before, f"step {nth} leaves a folder behind"
        else:
            assert after == NEW, f"step {nth}"
        check_modes(folder)
    assert codes.count(expected) > 20


def test_killed_while_putting_back_it_is_put_back_the_next_time(
    folders: Callable[[], Path],
) -> None:
    def half(folder: Path) -> Path:
        assert ended(child(killed(folder, 3))) == -signal.SIGKILL
        return folder

    def work(folder: Path, nth: int) -> Callable[[], None]:
        def run() -> None:
            disturbed = faults.arm("kill", nth)
            recover(folder)
            assert not disturbed()

        return run

    for nth in itertools.count():
        folder = half(folders())
        assert visible(folder) not in (OLD, NEW)
        if ended(child(work(folder, nth))) == DONE:
            break
        recover(folder)
        assert take(folder) == OLD, f"step {nth}"
        check_modes(folder)
    assert nth > 5


def test_a_second_command_leaves_a_running_change_alone(folders: Callable[[], Path]) -> None:
    """It is refused, or waits, or does nothing; the first one goes on as if alone."""
    for nth in itertools.count():
        folder = folders()
        first = child(faulty(folder, "stop", nth))
        code = ended(first)
        if code == DONE:
            break
        assert code == -signal.SIGSTOP
        second = ended(child(lambda: recover(folder)))  # noqa: B023
        assert second in (DONE, FAILED)
        os.kill(first, signal.SIGCONT)
        assert ended(first) == 7, f"the first one was disturbed at step {nth}"
        assert take(folder) == NEW, f"step {nth}"
    assert nth > 30


def test_two_commands_at_once_never_leave_a_mixture(folders: Callable[[], Path]) -> None:
    """Each of them stopped at any of its moves, then the first goes on before the second."""

    def paused(folder: Path, nth: int, work: Callable[[Path], object]) -> int:
        def run() -> None:
            disturbed = faults.arm("stop", nth, faults.MOVES)
            work(folder)
            if disturbed():
                os._exit(7)

        return child(run)

    for nth in itertools.count():
        for mth in itertools.count():
            folder = folders()
            first = paused(folder, nth, change)
            first_code = ended(first)
            second = paused(folder, mth, recover)
            second_code = ended(second)
            for process, code in ((first, first_code), (second, second_code)):
                if code < 0:
                    os.kill(process, signal.SIGCONT)
                    ended(process)
            recover(folder)
            assert take(folder) in (OLD, NEW), (nth, mth)
            if second_code >= 0:
                break
        if first_code >= 0:
            break
    assert nth > 5


def test_a_file_that_was_edited_in_the_meantime_is_not_replaced(
    folders: Callable[[], Path],
) -> None:
    for path in (*WRITTEN, *DELETED):
        folder = folders()
        put({path: b"edited\n"}, folder)
        with pytest.raises(UserError, match=f"{path} has just been edited; nothing was changed"):
            change(folder)
        assert take(folder) == {**OLD, path: b"edited\n"}


def test_no_file_of_the_owner_is_used_as_a_temporary_one(folders: Callable[[], Path]) -> None:
    """Whatever it is called."""
    own = {f"{path}{end}": b"mine\n" for path in OLD for end in (".part", ".tmp", ".new", "~")}
    for nth in range(4):
        folder = put(own, folders())
        assert ended(child(killed(folder, nth))) == -signal.SIGKILL
        recover(folder)
        assert take(folder) == {**OLD, **own}


def test_no_link_leads_a_change_out_of_the_folder(
    folders: Callable[[], Path], tmp_path: Path
) -> None:
    """Not one at the place where a change is prepared, whoever committed it."""
    outside = put({"mine.txt": b"mine\n"}, tmp_path / "outside")
    folder = folders()
    (folder / UNDO).symlink_to(outside)
    with_link = take(folder)
    try:
        change(folder)
    except UserError:
        assert take(folder) == with_link
    else:
        assert visible(folder) == NEW
    assert take(outside) == {"mine.txt": b"mine\n"}


NOTE = b'{"replaced": ["README.md"], "created": []}'


def test_a_note_that_somebody_committed_writes_nothing_outside(
    folders: Callable[[], Path], tmp_path: Path
) -> None:
    """Neither through a link beside the file that is put back."""
    outside = put({"mine.txt": b"mine\n"}, tmp_path / "outside")
    folder = folders()
    put({f"{UNDO}/note.json": NOTE, f"{UNDO}/old/README.md": b"theirs\n"}, folder)
    (folder / "README.md.part").symlink_to(outside / "mine.txt")
    try:
        recover(folder)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
    assert take(outside) == {"mine.txt": b"mine\n"}


def test_a_note_that_somebody_committed_reads_nothing_outside(
    folders: Callable[[], Path], tmp_path: Path
) -> None:
    """What lies there would be published with the Space."""
    outside = put({"secret.txt": b"a secret\n"}, tmp_path / "outside")
    folder = put({f"{UNDO}/note.json": NOTE, f"{UNDO}/old/x": b""}, folders())
    (folder / UNDO / "old" / "README.md").symlink_to(outside / "secret.txt")
    try:
        recover(folder)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
    assert b"a secret\n" not in take(folder).values()


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"[]",
        b"{}",
        b'{"replaced": ["../out"], "created": []}',
        b'{"replaced": [], "created": ["../out"]}',
        b'{"replaced": [], "created": ["/tmp/out"]}',
        b'{"replaced": [1], "created": []}',
        b'{"replaced": ["README.md"], "created": []}',
        b"\xff",
    ],
)
def test_a_damaged_note_is_refused_in_one_line(
    note: bytes, folders: Callable[[], Path], tmp_path: Path
) -> None:
    put({"out": b"out\n"}, tmp_path)
    folder = put({f"{UNDO}/note.json": note}, folders())
    with pytest.raises(UserError) as caught:
        recover(folder)
    assert "\n" not in str(caught.value)
    assert "could not be undone" in str(caught.value)
    assert visible(folder) == OLD
    assert (tmp_path / "out").read_bytes() == b"out\n"
