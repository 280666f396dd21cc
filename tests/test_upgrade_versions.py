"""Spaces of other versions of the template than that of this package, however they were made."""

# ruff: noqa: F401, F811 (the fixture `server` is imported, and then a parameter)

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest
import yaml
from upgrading import (
    ANSWERS,
    BATCHER,
    DROPPED_FILE,
    NEW_FILE,
    PUBLIC,
    TEAM,
    VERSIONS,
    Server,
    Tree,
    commit,
    edited,
    fresh,
    git,
    put,
    refusal,
    renders_once,
    run,
    run_here,
    server,
    succeeded,
    take,
)

T4 = ("--hardware", "t4-small")
FIRST, SECOND, THIRD = VERSIONS
EXAMPLES = "examples/examples.json"
pytestmark = pytest.mark.usefixtures(renders_once.__name__)


def of_the_public_one(files: Tree, version: str | None = None) -> Tree:
    """The files as a Space has them that was made from the public address."""
    answers = files[ANSWERS].replace(f"{TEAM}.git".encode(), PUBLIC.encode())
    if version:
        answers = re.sub(rb"_commit: .*", f"_commit: {version}".encode(), answers)
    return {**files, ANSWERS: answers}


def with_edits(files: Tree) -> Tree:
    """The files with edits that touch no line of a version or a tier."""
    files = edited(files, "app.py", "num_top_classes=5", "num_top_classes=3")
    files = edited(files, BATCHER, "import gc\n", "import gc  # mine\n")
    files = edited(files, "README.md", "## What is where", "## Mine\n\nText.\n\n## What is where")
    return {**files, "own.py": b"OWN = 1\n", EXAMPLES: b'[["Mine."]]\n'}


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A Space of the first version, that its owner edited."""
    return put(with_edits(fresh(version=FIRST)), tmp_path / "space")


# -- plain Copier beside it ------------------------------------------------------------------------


def test_spaces_of_plain_copier_and_of_this_package_are_the_same(
    server: Server,
    tmp_path: Path,
) -> None:
    """Which the other tests take for granted; and the versions differ from the one at hand."""
    arguments = ("copy", "--defaults", "--quiet", f"--vcs-ref={FIRST}", f"{TEAM}.git", "space")
    server.copier(tmp_path, *arguments)
    assert take(tmp_path / "space") == fresh(version=FIRST)
    here = fresh()
    for version in VERSIONS:
        differing = {name for name in here if here[name] != fresh(version=version).get(name)}
        assert differing - {ANSWERS} or DROPPED_FILE in fresh(version=version)


def random_edits(files: Tree, seed: int) -> Tree:
    """Lines inserted, deleted and changed in any text, far from those that a version changes.

    All of it in UTF-8: plain Copier drops other bytes.
    """
    chance = random.Random(seed)
    safe = {name for name in files if name not in (ANSWERS, EXAMPLES, DROPPED_FILE)}
    safe -= {name for name in safe if fresh(version=SECOND).get(name) != fresh(version=FIRST)[name]}
    safe -= {"tuning.py", "requirements.txt", ".gitignore", ".gitattributes"}
    result = with_edits(files)
    for number, name in enumerate(chance.sample(sorted(safe), 6)):
        lines = files[name].split(b"\n")
        at = chance.randrange(len(lines))
        word = chance.choice([b"# mine", b"\xc3\xa9", b"mine\r", b""])
        lines[at : at + chance.randrange(3)] = [b"%s %d" % (word, number)] * chance.randrange(3)
        result[name] = b"\n".join(lines)
    lines = result["tuning.py"].split(b"\n")
    place = lines.index(b'TIER = "cpu-basic"') + chance.choice([-6, -4, 3, 5])
    result["tuning.py"] = b"\n".join([*lines[:place], b"# mine", *lines[place:]])
    result["requirements.txt"] = files["requirements.txt"].replace(
        b"torch>=2.8,<3", b"torch==2.8.0"
    )
    return result


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (T4, ("--vcs-ref=:current:", "--data", "hardware=t4-small")),
        (
            ("--to-version", "latest", "--hardware", "zero-a10g"),
            (f"--vcs-ref={THIRD}", "--data", "hardware=zero-a10g"),
        ),
    ],
    ids=["tier", "tier and version"],
)
def test_copier_update_comes_to_the_same_result(
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    server: Server,
    tmp_path: Path,
) -> None:
    """Byte for byte, on a Space in git that its owner edited."""
    files = random_edits(fresh(version=FIRST), seed=len(ours))
    one, other = (put(files, tmp_path / name) for name in ("one", "other"))
    commit(other)
    succeeded(run("upgrade", one, *ours, env=server.variables))
    server.copier(other, "update", "--defaults", "--quiet", *theirs)
    assert take(one) == take(other)
    assert take(one) != files


# -- the version that was recorded -----------------------------------------------------------------


def test_a_tier_is_changed_at_the_recorded_version(
    server: Server,
    space: Path,
) -> None:
    succeeded(run_here("upgrade", space, *T4, env=server.variables))
    assert take(space) == with_edits(fresh(hardware="t4-small", version=FIRST))
    succeeded(run_here("upgrade", space, "--hardware", "cpu-basic", env=server.variables))
    assert take(space) == with_edits(fresh(version=FIRST))


def test_a_space_of_the_public_template_whose_version_is_not_among_the_tags_of_this_checkout(
    server: Server,
    tmp_path: Path,
) -> None:
    space = put(of_the_public_one(fresh(version=FIRST)), tmp_path / "space")
    said = succeeded(run_here("upgrade", space, *T4, env=server.variables))
    assert "stands in" not in said
    assert take(space) == of_the_public_one(fresh(hardware="t4-small", version=FIRST))


def test_a_space_copied_from_a_local_path_that_is_gone(
    server: Server,
    tmp_path: Path,
) -> None:
    local = tmp_path / "template"
    shutil.copytree(server.repository, local)
    server.copier(tmp_path, "copy", "--defaults", "--quiet", str(local), "space")
    shutil.rmtree(local)
    space = tmp_path / "space"
    assert take(space) == of_the_public_one(fresh(version=THIRD))
    succeeded(run_here("upgrade", space, *T4, env=server.variables))
    expected = {**fresh(hardware="t4-small", version=THIRD), EXAMPLES: take(space)[EXAMPLES]}
    assert take(space) == of_the_public_one(expected)


def test_a_space_of_a_released_package_needs_no_repository(tmp_path: Path) -> None:
    """Its template is the one of the version that it names."""
    space = tmp_path / "space"
    succeeded(run("new", space, "--defaults", package="0.0.2"))
    assert yaml.safe_load((space / ANSWERS).read_text())["_commit"] == "v0.0.2"
    said = succeeded(run("upgrade", space, *T4, package="0.0.2"))
    assert "stands in" not in said
    after, expected = take(space), fresh(hardware="t4-small")
    assert after[ANSWERS].replace(b"_commit: v0.0.2\n", b"") == expected[ANSWERS]
    assert {**after, ANSWERS: b""} == {**expected, ANSWERS: b""}


def test_a_commit_without_a_tag_is_a_version_too(
    server: Server,
    space: Path,
) -> None:
    commit_id = git(server.repository, "rev-parse", FIRST).strip()
    answers = (space / ANSWERS).read_text().replace(FIRST, commit_id)
    (space / ANSWERS).write_text(answers)
    succeeded(run_here("upgrade", space, *T4, env=server.variables))
    after = take(space)
    assert commit_id in after[ANSWERS].decode()
    expected = with_edits(fresh(hardware="t4-small", version=FIRST))
    assert {**after, ANSWERS: b""} == {**expected, ANSWERS: b""}


def test_other_spellings_of_the_address_are_the_same_source(
    server: Server,
    tmp_path: Path,
) -> None:
    for number, source in enumerate((TEAM, f"git+{TEAM}.git", f"{TEAM}/")):
        files = fresh(version=FIRST)
        answers = files[ANSWERS].replace(f"{TEAM}.git".encode(), source.encode())
        space = put({**files, ANSWERS: answers}, tmp_path / str(number))
        succeeded(run_here("upgrade", space, *T4, env=server.variables))
        assert take(space)["tuning.py"] == fresh(hardware="t4-small", version=FIRST)["tuning.py"]


# -- to another version ----------------------------------------------------------------------------


def test_to_a_version_updated_is_fresh_with_the_edits_kept(
    server: Server,
    space: Path,
) -> None:
    said = succeeded(run_here("upgrade", space, "--to-version", SECOND, env=server.variables))
    assert take(space) == with_edits(fresh(version=SECOND))
    assert f"+ {NEW_FILE}" in said
    assert f"- {DROPPED_FILE}" in said
    assert yaml.safe_load((space / ANSWERS).read_text())["greeting"] == "Hello"
    both = ("--to-version", "latest", *T4, "--data", "title=Mine")
    succeeded(run_here("upgrade", space, *both, env=server.variables))
    expected = with_edits(fresh(hardware="t4-small", version=THIRD))
    after = take(space)
    titled = {ANSWERS, "README.md"}
    assert {name for name in expected if expected[name] != after[name]} == titled
    assert after.keys() == expected.keys()
    assert b"## Mine\n" in after["README.md"]
    assert b"It is fast." in after["README.md"]


def test_to_a_version_and_back_is_refused(server: Server, tmp_path: Path) -> None:
    files = fresh(version=THIRD)
    space = put(files, tmp_path / "space")
    said = refusal(run_here("upgrade", space, "--to-version", SECOND, env=server.variables))
    assert f"made with {THIRD}, which is newer than {SECOND}" in said
    assert "nothing to change" in succeeded(
        run_here("upgrade", space, "--to-version", "latest", env=server.variables)
    )
    assert take(space) == files


def test_a_version_that_does_not_exist_is_refused_in_one_line(
    server: Server,
    space: Path,
) -> None:
    before = take(space)
    for version in ("v0.9.9", "0.0.2", "main", "--upload-pack=x", "v0.0.2 x"):
        said = refusal(run_here("upgrade", space, f"--to-version={version}", env=server.variables))
        assert version in said
    assert take(space) == before


def test_what_a_version_drops_or_adds_meets_what_the_owner_did(
    server: Server,
    space: Path,
) -> None:
    (space / DROPPED_FILE).write_text("OLD = 2\n")
    (space / NEW_FILE).write_text("MINE = 1\n")
    text = (space / BATCHER).read_text()
    (space / BATCHER).write_text(text.replace("in few calls of `predict`", "at once"))
    (space / "requirements.txt").unlink()
    before = take(space)
    done = run_here("upgrade", space, "--to-version", SECOND, env=server.variables)
    assert "2 files clash" in refusal(done)
    assert f"{BATCHER}:1 " in done.stdout
    assert f"{NEW_FILE}:1 " in done.stdout
    assert take(space) == before
    (space / NEW_FILE).unlink()
    put({BATCHER: with_edits(fresh(version=FIRST))[BATCHER]}, space)
    said = succeeded(run_here("upgrade", space, "--to-version", SECOND, env=server.variables))
    assert f"kept, since you edited it: {DROPPED_FILE}" in said
    expected = {**with_edits(fresh(version=SECOND)), DROPPED_FILE: b"OLD = 2\n"}
    del expected["requirements.txt"]
    assert take(space) == expected


# -- the version is nowhere to be had --------------------------------------------------------------


def gone(files: Tree, version: str = FIRST) -> Tree:
    """The files of a Space whose template has no repository any more."""
    answers = files[ANSWERS].decode().replace(TEAM, f"{TEAM}-gone").replace(FIRST, version)
    return {**files, ANSWERS: answers.encode()}


def test_without_its_version_the_template_at_hand_stands_in_for_a_tier_change(
    server: Server,
    tmp_path: Path,
) -> None:
    files = gone(with_edits(fresh(version=FIRST)))
    space = put(files, tmp_path / "space")
    said = succeeded(run_here("upgrade", space, *T4, env=server.variables))
    assert re.search(rf"{FIRST} of the template cannot be had \(.+\); .+ stands in for it", said)
    after = take(space)
    assert after == gone(with_edits(fresh(hardware="t4-small", version=FIRST)))
    for version in (SECOND, "latest"):
        said = refusal(run_here("upgrade", space, "--to-version", version, env=server.variables))
        assert "cannot" in said
    assert take(space) == after


def test_a_version_newer_than_this_package_says_to_upgrade_it(
    server: Server,
    tmp_path: Path,
) -> None:
    files = gone(fresh(version=FIRST), "v99.0.0")
    space = put(files, tmp_path / "space")
    for verb in ("upgrade", "diff"):
        said = refusal(run_here(verb, space, *T4, env=server.variables))
        assert "made with v99.0.0, newer than this spaces-gen" in said
        assert "pip install --upgrade spaces-gen" in said
    assert take(space) == files


def test_a_version_newer_than_this_package_is_used_where_it_can_be_had(
    server: Server,
    tmp_path: Path,
) -> None:
    space = put(fresh(version=SECOND), tmp_path / "space")
    succeeded(run("upgrade", space, *T4, package="0.0.1", env=server.variables))
    assert take(space) == fresh(hardware="t4-small", version=SECOND)


def test_without_git_a_space_of_this_package_still_changes_its_tier(tmp_path: Path) -> None:
    space = put(fresh(), tmp_path / "space")
    no_git = {"PATH": str(tmp_path)}
    succeeded(run("upgrade", space, *T4, env=no_git))
    assert take(space) == fresh(hardware="t4-small")
    put(edited(take(space), "README.md", "## What is where", "## Where?"), space)
    said = refusal(run_here("upgrade", space, "--hardware", "cpu-basic", env=no_git))
    assert "git is not installed" in said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("_src_path", "--upload-pack=touch"),
        ("_src_path", "ext::sh -c touch"),
        ("_src_path", "/etc"),
        ("_src_path", "file:///etc"),
        ("_src_path", "https://-x/y"),
        ("_src_path", "[1]"),
        ("_commit", "--force"),
        ("_commit", "'a b'"),
        ("_commit", "''"),
        ("_commit", "[1]"),
    ],
)
def test_an_address_that_is_none_reaches_no_git(key: str, value: str, space: Path) -> None:
    text = (space / ANSWERS).read_text()
    (space / ANSWERS).write_text(re.sub(rf"{key}: .*", f"{key}: {value}", text))
    before = take(space)
    said = refusal(run_here("upgrade", space, *T4))
    assert f"is damaged ({key}" in said
    assert "spaces-gen adopt" in said
    assert take(space) == before
