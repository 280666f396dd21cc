"""`spaces-gen upgrade` and `diff` on a folder: another tier, with the owner's edits kept."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from space_checks import check
from upgrading import (
    ANSWERS,
    BATCHER,
    NEW_FILE,
    Tree,
    as_tree,
    commit,
    edited,
    fresh,
    git,
    made,
    outer,
    put,
    refusal,
    renders_once,
    run,
    run_here,
    succeeded,
    take,
)

from spaces_gen.errors import UserError
from spaces_gen.fit import fit, suggestion
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.upgrading.files import Folder
from spaces_gen.upgrading.merge import merge
from spaces_gen.upgrading.swap import swap
from spaces_gen.upgrading.values import active_row, rows_by_flavor

pytestmark = pytest.mark.usefixtures(renders_once.__name__)

T4 = ("--hardware", "t4-small")
EDITED_SPACE = Path(__file__).parent / "edited_space"
CPU, ON_T4 = fresh(hardware="cpu-basic"), fresh(hardware="t4-small")
OF_THE_TIER = {name for name in CPU if CPU[name] != ON_T4[name]}


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A Space for the free CPU that nobody edited."""
    return put(CPU, tmp_path / "space")


def change(space: Path, hardware: str = "t4-small", *more: str) -> str:
    """What `upgrade` says, here in this process."""
    return succeeded(run_here("upgrade", space, "--hardware", hardware, *more))


def not_changed(space: Path, hardware: str = "t4-small", *more: str) -> str:
    """The one line with which `upgrade` refuses; the folder is as it was."""
    before = take(space)
    said = refusal(run_here("upgrade", space, "--hardware", hardware, *more))
    assert take(space) == before
    return said


# -- where a Space may lie -------------------------------------------------------------------------


def test_in_a_folder_of_no_repository(space: Path) -> None:
    said = succeeded(run("upgrade", space, *T4))
    assert take(space) == ON_T4
    for name in OF_THE_TIER:
        assert f"~ {name}" in said
    assert "is for t4-small now" in said
    assert "nothing to change" in change(space)
    assert take(space) == ON_T4


def test_in_a_repository_with_uncommitted_changes(space: Path) -> None:
    """What is staged, not committed or not tracked stays so; only files change."""
    commit(space)
    put(edited(CPU, "app.py", "lines=5", "lines=7"), space)
    git(space, "add", "app.py")
    files = edited(take(space), "README.md", "## What is where", "## Where is what?")
    put({**files, "own.py": b"OWN = 1\n"}, space)
    before = git(space, "diff", "--cached"), git(space, "log")
    change(space)
    assert (git(space, "diff", "--cached"), git(space, "log")) == before
    expected = edited(ON_T4, "app.py", "lines=5", "lines=7")
    expected = edited(expected, "README.md", "## What is where", "## Where is what?")
    assert take(space) == {**expected, "own.py": b"OWN = 1\n"}


def test_in_a_folder_of_a_larger_repository(tmp_path: Path) -> None:
    """Also where a git hook of it calls, whose variables point to that repository."""
    large = put({"README.md": b"large\n", "tuning.py": b"large\n"}, tmp_path / "large")
    space = put(CPU, large / "spaces" / "mine")
    commit(large)
    git_folder = str(large / ".git")
    hook = {"GIT_DIR": git_folder, "GIT_INDEX_FILE": f"{git_folder}/index"}
    succeeded(run("upgrade", "spaces/mine", *T4, cwd=large, env=hook))
    assert take(space) == ON_T4
    changed = git(large, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert sorted(changed) == sorted(f" M spaces/mine/{name}" for name in OF_THE_TIER)


def test_from_within_the_folder_and_through_a_link_to_it(
    space: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(space)
    succeeded(run_here("upgrade", *T4))
    assert take(space) == ON_T4
    link = space.parent / "link"
    link.symlink_to(space)
    change(link, "cpu-basic")
    assert take(space) == CPU


def test_what_cannot_be_is_refused_in_one_line(space: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ((tmp_path / "none", *T4), "there is no folder"),
        ((space, "--hardware", "t5"), "'t5' is not allowed; choose one of cpu-basic"),
        ((space, "--data", "colour=red"), "no such question"),
        ((space, "--data", "emoji=:)"), "is not one emoji"),
    ):
        assert words in refusal(run_here("upgrade", *arguments))
    done = run_here("upgrade", space)
    assert done.returncode == 2
    assert "say what is to change" in done.stderr
    assert take(space) == CPU


# -- clashes ---------------------------------------------------------------------------------------

CLASHING = edited(CPU, "tuning.py", 'TIER = "cpu-basic"', 'TIER = "mine"')


def line_of(files: Tree, path: str, text: str) -> int:
    """The number of the line in which a text stands."""
    return next(n for n, line in enumerate(files[path].decode().split("\n"), 1) if text in line)


def test_a_clash_stops_shows_both_sides_and_changes_nothing(space: Path) -> None:
    files = edited(
        CLASHING, "README.md", "# Text classification", "# Mine\n\n# Text classification"
    )
    put(files, space)
    for more in ((), ("--dry-run",)):
        done = run_here("upgrade", space, *T4, *more)
        assert done.returncode == 1
        assert f"tuning.py:{line_of(files, 'tuning.py', 'TIER = ')} " in done.stdout
        yours, now = done.stdout.index('TIER = "mine"'), done.stdout.index('TIER = "t4-small"')
        assert yours < now
        assert take(space) == files
    stopped = refusal(run("upgrade", space, *T4))
    assert "nothing was changed" in stopped
    assert "--conflict inline" in stopped


def test_markers_are_written_on_demand_and_then_refused_until_resolved(space: Path) -> None:
    put(CLASHING, space)
    said = refusal(run_here("upgrade", space, *T4, "--conflict", "inline"))
    assert "look for <<<<<<< in tuning.py" in said
    marked = take(space)
    text = marked["tuning.py"].decode()
    both = '<<<<<<< yours\nTIER = "mine"\n=======\nTIER = "t4-small"\n>>>>>>> generated now\n'
    assert text.count(both) == 1
    resolved = text.replace(both, 'TIER = "t4-small"\n')
    assert resolved.encode() == ON_T4["tuning.py"]
    assert {**marked, "tuning.py": resolved.encode()} == ON_T4
    assert {one.path for one in check(space) if "conflict marker" in one.message} == {"tuning.py"}
    done = run_here("check", space)
    assert done.returncode == 1
    assert "tuning.py:" in done.stdout
    done = run_here("publish", space, "--repo-id", "me/demo")
    assert done.returncode == 1
    assert "conflict marker" in done.stdout + done.stderr
    assert "not upgraded: tuning.py:" in not_changed(space, "a10g-small")
    (space / "tuning.py").write_text(resolved)
    change(space, "a10g-small")
    assert take(space) == fresh(hardware="a10g-small")


def test_a_binary_in_place_of_a_text_is_never_replaced(space: Path) -> None:
    put({"requirements.txt": b"\x89PNG\0\0"}, space)
    files = take(space)
    done = run_here("upgrade", space, *T4)
    assert "nothing was changed" in refusal(done)
    assert "requirements.txt was replaced here" in done.stdout
    assert take(space) == files
    done = run_here("upgrade", space, *T4, "--conflict", "inline")
    assert "the files named above are as they were" in refusal(done)
    assert take(space) == {**ON_T4, "requirements.txt": b"\x89PNG\0\0"}


@pytest.mark.parametrize("inline", [False, True])
def test_a_link_is_no_way_out_of_the_space(inline: bool, space: Path, tmp_path: Path) -> None:
    outside = put({"card.md": CPU["README.md"]}, tmp_path / "outside")
    (space / "README.md").unlink()
    (space / "README.md").symlink_to(outside / "card.md")
    before = take(space)
    more = ("--conflict", "inline") if inline else ()
    assert "clash" in refusal(run_here("upgrade", space, *T4, *more))
    assert take(outside) == {"card.md": CPU["README.md"]}
    link = before["README.md"]
    assert take(space) == ({**ON_T4, "README.md": link} if inline else before)


def test_a_link_that_the_tier_does_not_touch_is_left_alone(space: Path, tmp_path: Path) -> None:
    outside = put({"app.py": CPU["app.py"]}, tmp_path / "outside")
    (space / "app.py").unlink()
    (space / "app.py").symlink_to(outside / "app.py")
    link = take(space)["app.py"]
    change(space)
    assert take(space) == {**ON_T4, "app.py": link}
    assert take(outside) == {"app.py": CPU["app.py"]}


def test_a_folder_that_is_a_link_is_no_way_out_either(space: Path, tmp_path: Path) -> None:
    """Whether a file is to be changed, made or deleted behind it."""
    old, new = fresh(version="v0.0.1"), fresh(version="v0.0.2")
    put(old, space)
    outside = tmp_path / "outside"
    shutil.move(space / "serving", outside)
    (space / "serving").symlink_to(outside)
    before = take(space), take(outside)
    result = merge(as_tree(old), as_tree(new), Folder(space))
    clashes = {clash.path: clash.reason for clash in result.clashes}
    assert clashes.keys() >= {BATCHER, NEW_FILE}
    assert "lies behind the link serving" in clashes[BATCHER]
    written = {**result.written, **{one.path: one.marked for one in result.clashes if one.marked}}
    assert not [path for path in (*written, *result.deleted) if path.startswith("serving/")]
    swap(space, written, result.deleted, result.seen)
    assert take(outside) == before[1]


def test_a_folder_in_place_of_a_file_is_a_clash(space: Path) -> None:
    (space / "tuning.py").unlink()
    put({"tuning.py/mine.txt": b"mine\n"}, space)
    assert "1 file clashes" in not_changed(space)
    said = refusal(run_here("upgrade", space, *T4, "--conflict", "inline"))
    assert "are as they were" in said
    expected = {name: data for name, data in ON_T4.items() if name != "tuning.py"}
    assert take(space) == {**expected, "tuning.py/mine.txt": b"mine\n"}


def test_a_file_in_place_of_a_folder_is_refused_in_one_line(space: Path) -> None:
    """Where the new version has another file in it."""
    old, new = fresh(version="v0.0.1"), fresh(version="v0.0.2")
    put(old, space)
    shutil.rmtree(space / "serving")
    put({"serving": b"mine\n"}, space)
    before = take(space)
    result = merge(as_tree(old), as_tree(new), Folder(space))
    if not result.clashes:
        with pytest.raises(UserError, match="nothing was changed"):
            swap(space, result.written, result.deleted, result.seen)
        assert take(space) == before


def test_an_answers_file_that_is_a_link_is_told_as_one(space: Path, tmp_path: Path) -> None:
    shutil.move(space / ANSWERS, tmp_path / "answers.yml")
    (space / ANSWERS).symlink_to(tmp_path / "answers.yml")
    assert "link" in not_changed(space).replace(str(space), "")
    assert (tmp_path / "answers.yml").read_bytes() == CPU[ANSWERS]


@pytest.mark.parametrize("name", ["README.md", "."])
def test_a_read_only_file_is_named_and_nothing_changes(name: str, space: Path) -> None:
    mode = (space / name).stat().st_mode
    (space / name).chmod(mode & ~0o222)
    try:
        said = not_changed(space)
    finally:
        (space / name).chmod(mode)
    assert "is read-only" in said
    assert "README.md" in said or name == "."
    change(space)
    assert take(space) == ON_T4


def test_modes_stay_as_they_are(space: Path) -> None:
    modes = {"app.py": 0o755, "tuning.py": 0o755, "README.md": 0o600, "requirements.txt": 0o664}
    for name, mode in modes.items():
        (space / name).chmod(mode)
    change(space)
    assert take(space) == ON_T4
    for name, mode in modes.items():
        assert (space / name).stat().st_mode & 0o777 == mode


# -- interrupted -----------------------------------------------------------------------------------


def disturbed(action: str, nth: int, space: Path) -> subprocess.Popen[str]:
    """`spaces-gen upgrade` in which the n-th move of a file is disturbed."""
    faults = str(Path(__file__).parent / "faults.py")
    return subprocess.Popen(
        [sys.executable, faults, action, str(nth), "upgrade", str(space), *T4],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**outer(), "NO_COLOR": "1"},
    )


def test_after_a_kill_in_the_middle_the_next_command_puts_everything_back(space: Path) -> None:
    put({"own.py": b"OWN = 1\n"}, space)
    process = disturbed("kill", 3, space)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    mixed = take(space)
    assert CPU[ANSWERS] != mixed[ANSWERS] == ON_T4[ANSWERS]
    assert mixed["tuning.py"] == CPU["tuning.py"]
    done = run_here("check", space)
    assert done.returncode == 1
    assert "old and new files may be mixed" in done.stdout
    said = succeeded(run_here("diff", space, *T4))
    assert "interrupted change" in said
    assert take(space) == {**CPU, "own.py": b"OWN = 1\n"}
    assert check(space) == []
    change(space)
    assert take(space) == {**ON_T4, "own.py": b"OWN = 1\n"}


def test_control_c_in_the_middle_leaves_the_space_as_it_was(space: Path) -> None:
    process = disturbed("interrupt", 3, space)
    _, said = process.communicate()
    assert process.returncode != 0
    assert "Traceback" not in said
    assert said.strip().count("\n") == 0
    assert take(space) == CPU


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a small disk needs more rights")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_on_a_full_disk_the_space_stays_as_it_was(small_disk: Path) -> None:
    """The disk fills up with the first new file, in the middle, or with the last one."""
    page = 4096
    for pages in (0, 1, 4, 8):
        space = put(CPU, small_disk / str(pages))
        filler = small_disk / "filler"
        free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize
        filler.write_bytes(b"x" * (free - pages * page))
        said = not_changed(space)
        assert "No space left on device" in said
        assert take(space) == CPU
        filler.unlink()
        change(space)
        assert take(space) == ON_T4
        shutil.rmtree(space)


def test_two_upgrades_at_once_end_as_one_of_them(space: Path) -> None:
    """The first one stands still in the middle while the second one is called."""
    first = disturbed("stop", 2, space)
    while not re.search(
        r"^State:\s+T", Path(f"/proc/{first.pid}/status").read_text(), re.MULTILINE
    ):
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    try:
        second = run_here("upgrade", space, "--hardware", "a10g-small")
        assert "another command is changing" in refusal(second)
        run_here("diff", space, "--hardware", "a10g-small")
    finally:
        first.send_signal(signal.SIGCONT)
    out, err = first.communicate()
    assert first.returncode == 0, out + err
    assert take(space) == ON_T4


# -- measured values -------------------------------------------------------------------------------

MODEL = load_model_types()["text-classification"].model_id
MEASURED = {"max_batch_size": 48, "time_limit": 77, "source": "measured 2026-11-20 on a T4"}


def test_measured_values_come_back_with_their_tier(space: Path) -> None:
    shutil.rmtree(space)
    answers = {"hardware": "t4-small", "measured": {MODEL: {"t4-small": MEASURED}}}
    there = made(answers, space)
    assert row_of(there, "t4-small").items() >= MEASURED.items()
    change(space, "cpu-basic")
    away = take(space)
    assert row_of(away, "cpu-basic")["source"] == "estimated"
    assert row_of(away, "t4-small").items() >= MEASURED.items(), "for forks on a T4"
    change(space, "t4-small", "--data", "model_id=me/other", "--data", "model_parameters=67")
    other = take(space)
    assert row_of(other, "t4-small") == row_of(ON_T4, "t4-small")
    assert yaml.safe_load(other[ANSWERS])["measured"] == {MODEL: {"t4-small": MEASURED}}
    change(space, "t4-small", "--data", f"model_id={MODEL}", "--data", "model_parameters=67")
    back = take(space)
    assert {**back, "README.md": b""} == {**there, "README.md": b""}
    active = active_row(back["tuning.py"])
    assert active is not None
    assert active["source"] == MEASURED["source"]


def row_of(files: Tree, flavor: str) -> dict[str, object]:
    return rows_by_flavor(files["tuning.py"])[flavor]


@pytest.mark.parametrize(
    "measured",
    [
        {MODEL: {"t4-small": {"max_batch_size": -1}}},
        {MODEL: {"t5": MEASURED}},
        {MODEL: {"t4-small": {"flavor": "cpu-basic"}}},
        {MODEL: {"t4-small": {"source": "a\nb"}}},
        {MODEL: {"t4-small": 7}},
        {MODEL: 7},
        [1],
        "x",
    ],
)
def test_damaged_measured_values_are_refused_in_one_line(measured: object, space: Path) -> None:
    answers = yaml.safe_load((space / ANSWERS).read_text())
    (space / ANSWERS).write_text(yaml.safe_dump({**answers, "measured": measured}))
    said = not_changed(space).replace(str(space), "")
    assert "measured: " in said


# -- what fits, and how it is shown ----------------------------------------------------------------


def test_a_tier_that_is_too_small_is_refused_with_bytes_and_the_smallest_that_fits(
    tmp_path: Path,
) -> None:
    space = tmp_path / "space"
    large = {"model_type": "text-generation", "model_parameters": 20000, "hardware": "a100x4"}
    files = made(large, space)
    for verb in ("upgrade", "diff"):
        said = refusal(run_here(verb, space, *T4))
        for words in ("20000M parameters", "40.0 GB", "of 16 GB", "smallest that it fits is"):
            assert words in said
    assert take(space) == files
    (smallest,) = re.findall(r"smallest that it fits is ([\w-]+)", said)
    change(space, smallest)
    assert f'TIER = "{smallest}"' in (space / "tuning.py").read_text()


def test_the_suggested_tier_is_the_smallest_of_those_that_fit() -> None:
    from spaces_gen.estimate import largest_model

    tiers = load_tiers()
    for model_type in load_model_types().values():
        for size in (10, 500, 3000, 9000, 20000, 60000, 200000):
            fitting = {
                one.key: one for one in tiers.values() if size <= largest_model(one, model_type)
            }
            for tier in tiers.values():
                if tier.key in fitting:
                    continue
                found = re.search(r"fits is ([\w-]+) ", suggestion(tier, model_type, size))
                if found is None:
                    assert not fitting
                    continue
                best = fitting[found[1]]
                alike = [
                    one for one in fitting.values()
                    if bool(one.gpu) == bool(tier.gpu) and one.zero_gpu == tier.zero_gpu
                ]  # fmt: skip
                assert fit(best, model_type, size).available == min(
                    fit(one, model_type, size).available
                    for one in (alike or fitting.values())
                    if one.zero_gpu == best.zero_gpu
                )


def test_a_diff_shows_lines_and_values_and_writes_nothing(space: Path) -> None:
    put(
        edited(
            CPU,
            "tuning.py",
            '"cpu-basic",      "",             0,  0,   2',
            '"cpu-basic",      "",             0,  0,   3',
        ),
        space,
    )
    files = take(space)
    said = succeeded(run_here("diff", space, *T4))
    assert take(space) == files
    assert "--- a/tuning.py" in said
    assert "+++ b/tuning.py" in said
    assert '\n-TIER = "cpu-basic"\n+TIER = "t4-small"\n' in said
    assert "-suggested_hardware: cpu-basic\n+suggested_hardware: t4-small\n" in said
    assert "@@ -" in said
    old, new = row_of(CPU, "cpu-basic"), row_of(ON_T4, "t4-small")
    for name in ("dtype", "workers", "max_batch_size", "max_batch_cost", "max_size", "time_limit"):
        assert re.search(rf"^ *{name} +{old[name]} +{new[name]} *$", said, re.MULTILINE), name
    assert re.search(r"^ *source +estimated +estimated *$", said, re.MULTILINE)
    assert re.search(r"^ *hardware +cpu-basic +t4-small *$", said, re.MULTILINE)
    assert re.search(
        r"^ *memory \(estimated\) +[\d.]+ of 16 GB +[\d.]+ of 16 GB", said, re.MULTILINE
    )
    assert re.search(r"^ *requests/s \(estimated\) +[\d.]+ +[\d.]+", said, re.MULTILINE)
    assert re.search(r"^ *price per hour +free +\$0\.40", said, re.MULTILINE)
    assert "\x1b" not in said


def test_a_diff_with_a_clash_shows_it_and_exits_with_1(space: Path) -> None:
    put(CLASHING, space)
    done = run_here("diff", space, *T4)
    assert done.returncode == 1
    assert "was changed on both sides" in done.stdout
    assert "t4-small" in done.stdout
    assert take(space) == CLASHING


def test_a_dry_run_writes_nothing(space: Path) -> None:
    said = change(space, "t4-small", "--dry-run")
    assert "~ tuning.py" in said
    assert "nothing was written" in said
    assert take(space) == CPU


# -- a Space as an owner leaves it -----------------------------------------------------------------


def edited_space(folder: Path) -> Tree:
    """The Space of tests/edited_space, on the free CPU; returns its files."""
    put(CPU, folder)
    for path in EDITED_SPACE.rglob("*"):
        name = path.relative_to(EDITED_SPACE)
        if path.suffix == ".patch":
            git(folder, "apply", "-C1", str(path))
        elif path.is_file() and path.name != "ruff.toml" and "__pycache__" not in name.parts:
            put({name.as_posix(): path.read_bytes()}, folder)
    return take(folder)


def lines_of(data: bytes) -> list[str]:
    return data.decode().splitlines()


def test_an_edited_space_keeps_every_edit_on_its_way_through_all_tiers(tmp_path: Path) -> None:
    space = tmp_path / "space"
    first = edited_space(space)
    assert {name for name in CPU if first[name] != CPU[name]} == {
        "README.md", "app.py", "model.py", "requirements.txt", "examples/examples.json"
    }  # fmt: skip
    tiers = [*load_tiers(), "cpu-basic"]
    for before, after in itertools.pairwise(tiers):
        base, theirs = (as_tree(fresh(hardware=tier)) for tier in (before, after))
        result = merge(base, theirs, Folder(space))
        assert (result.clashes, result.kept, result.deleted) == ([], [], []), after
        swap(space, result.written, result.deleted, result.seen)
        assert check(space) == [], after
        now = take(space)
        assert now.keys() == first.keys()
        for name in first.keys() - OF_THE_TIER:
            assert now[name] == first[name]
        for name in OF_THE_TIER - {ANSWERS}:
            tier_lines = dict(zip(lines_of(CPU[name]), lines_of(theirs[name].data)))
            assert lines_of(now[name]) == [
                tier_lines.get(line, line) for line in lines_of(first[name])
            ]
        assert now[ANSWERS] == theirs[ANSWERS].data
    assert take(space) == first


def test_an_edited_space_with_the_command_itself(tmp_path: Path) -> None:
    space = tmp_path / "space"
    first = edited_space(space)
    change(space, "zero-a10g")
    assert "0 errors, 0 warnings" in succeeded(run_here("check", space))
    there = take(space)
    assert there["tuning.py"] == fresh(hardware="zero-a10g")["tuning.py"]
    assert b"torch==2.8.0" in there["requirements.txt"]
    assert b"whl/cpu" not in there["requirements.txt"]
    change(space, "cpu-basic")
    assert take(space) == first
