"""What a publish would change, found by comparing alone: nothing lost, nothing overwritten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import Volume
from hypothesis import given
from hypothesis import strategies as st

from spaces_gen.errors import UserError
from spaces_gen.hub.account import parse
from spaces_gen.hub.causes import CAUSES, likely_cause
from spaces_gen.hub.changes import (
    Change,
    FileChanges,
    Settings,
    compare_files,
    compare_settings,
)
from spaces_gen.hub.given import volumes
from spaces_gen.hub.local import LocalFile
from spaces_gen.hub.remote import RemoteFile, RemoteSpace

PATHS = st.sampled_from(["README.md", "app.py", "model.py", "a/b.txt"])
CONTENTS = st.sampled_from([b"", b"one", b"two", b"three"])
TREES = st.dictionaries(PATHS, CONTENTS)


def here(content: bytes) -> LocalFile:
    return LocalFile(Path("nowhere"), len(content), content)


def there(content: bytes, lfs: bool = False) -> RemoteFile:
    file = here(content)
    return RemoteFile(
        "of the pointer" if lfs else file.blob_id, len(content), file.sha256 if lfs else None
    )


@given(TREES, TREES, st.none() | TREES, st.booleans())
def test_every_path_is_treated_as_it_deserves(
    mine: dict[str, bytes], theirs: dict[str, bytes], seen: dict[str, bytes] | None, lfs: bool
) -> None:
    """Only what is as it was last seen is changed or deleted."""
    local = {path: here(content) for path, content in mine.items()}
    remote = {path: there(content, lfs) for path, content in theirs.items()}
    base = None
    if seen is not None:
        base = {path: there(content, lfs).blob_id for path, content in seen.items()}
    changes = compare_files(local, remote, base)
    groups = [changes.added, changes.changed, changes.deleted, changes.kept, changes.clashes]
    told = [path for group in groups for path in group]
    assert len(told) == len(set(told))
    known = seen or {}
    for path in {*mine, *theirs}:
        new, old, before = mine.get(path), theirs.get(path), known.get(path)
        untouched = before is not None and (old == before or (lfs and old is not None))
        if new == old:
            assert path not in told
        elif old is None:
            assert path in (changes.clashes if path in known else changes.added)
        elif new is None and path not in known:
            assert path in changes.kept
        elif untouched:
            assert path in (changes.deleted if new is None else changes.changed)
        else:
            assert path in changes.clashes


def test_a_file_in_lfs_is_told_by_its_content_not_by_its_pointer() -> None:
    local = {"a.bin": here(b"one")}
    assert compare_files(local, {"a.bin": there(b"one", lfs=True)}, None) == FileChanges()
    changes = compare_files(local, {"a.bin": there(b"two", lfs=True)}, {"a.bin": "of the pointer"})
    assert changes == FileChanges(changed=("a.bin",))


def space(hardware: str | None, sleep_time: int | None) -> RemoteSpace:
    return RemoteSpace("me/it", "c" * 40, {}, "RUNNING", hardware, sleep_time, "public", ())


@pytest.mark.parametrize(
    ("remote", "hardware", "given_time", "paid", "expected"),
    [
        (None, "t4-small", None, True, 3600),
        (None, "t4-small", -1, True, -1),
        (None, "cpu-basic", None, False, None),
        (space("cpu-basic", None), "t4-small", None, True, 3600),
        (space("t4-small", None), "t4-small", None, True, 3600),
        (space("t4-small", 600), "t4-small", None, True, None),
        (space("t4-small", 600), "a10g-small", None, True, 3600),
        (space("t4-small", -1), "t4-small", None, True, None),
        (space("t4-small", 600), "t4-small", 900, True, 900),
        (space("t4-small", 600), "cpu-basic", None, False, None),
    ],
)
def test_paid_hardware_always_gets_a_sleep_time(
    remote: RemoteSpace | None,
    hardware: str,
    given_time: int | None,
    paid: bool,
    expected: int | None,
) -> None:
    wanted = Settings(hardware=hardware, sleep_time=given_time)
    sleep = compare_settings(wanted, remote, {}, (), paid).sleep_time
    assert (sleep.new if sleep else None) == expected


def test_only_settings_that_differ_are_changes() -> None:
    wanted = Settings(hardware="t4-small", visibility="public", variables={"A": "1", "B": "2"})
    changes = compare_settings(wanted, space("t4-small", 60), {"A": "1", "B": "3"}, (), True)
    assert not changes.hardware
    assert not changes.visibility
    assert changes.variables == {"B": Change("3", "2")}
    assert changes
    assert not compare_settings(Settings(hardware="t4-small"), space("t4-small", 60), {}, (), True)


@pytest.mark.parametrize(
    ("given_one", "said", "same"),
    [
        ("hf://me/it:/it", {"type": "model", "revision": "main", "readOnly": True}, True),
        ("hf://me/it:/it", {"type": "model", "revision": "v2", "readOnly": True}, False),
        ("hf://datasets/me/it:/it", {"type": "model"}, False),
        ("hf://buckets/me/it:/it", {"type": "bucket", "readOnly": False}, True),
        ("hf://buckets/me/it:/it:ro", {"type": "bucket", "readOnly": False}, False),
        ("hf://buckets/me/it/a:/it", {"type": "bucket"}, False),
    ],
)
def test_volumes_are_compared_by_what_is_mounted(
    given_one: str, said: dict[str, Any], same: bool
) -> None:
    """Not by whether the Hub spells out its defaults."""
    wanted = Settings(volumes=volumes([given_one]))
    there = replace(
        space("t4-small", 60), volumes=(Volume(source="me/it", mountPath="/it", **said),)
    )
    assert bool(compare_settings(wanted, there, {}, (), False).volumes) is not same


WHOAMI = {
    "name": "me",
    "isPro": False,
    "canPay": False,
    "orgs": [
        {"name": "team", "roleInOrg": "write", "plan": "team", "canPay": True},
        {"name": "poor", "roleInOrg": "admin", "plan": "free", "canPay": False},
        {"name": "big", "roleInOrg": "read"},
    ],
    "auth": {
        "accessToken": {
            "role": "fineGrained",
            "fineGrained": {
                "scoped": [
                    {"entity": {"name": "me"}, "permissions": ["repo.write"]},
                    {"entity": {"name": "team/one"}, "permissions": ["repo.write"]},
                    {"entity": {"name": "big"}, "permissions": ["repo.content.read"]},
                ]
            },
        }
    },
}


@pytest.mark.parametrize(
    ("repo_id", "allowed"),
    [("me/it", True), ("team/one", True), ("team/two", False), ("big/it", False)],
)
def test_a_fine_grained_token_counts_where_it_may_write(repo_id: str, allowed: bool) -> None:
    account = parse(WHOAMI)
    if allowed:
        account.check_token(repo_id)
    else:
        with pytest.raises(UserError, match=f"may not write to {repo_id}"):
            account.check_token(repo_id)


@pytest.mark.parametrize(
    ("namespace", "hardware", "price", "said"),
    [
        ("me", "cpu-basic", 0, "PRO"),
        ("me", "t4-small", 0.4, "no payment method"),
        ("me", "zero-a10g", 0, None),
        ("team", "cpu-basic", 0, None),
        ("team", "t4-small", 0.4, None),
        ("poor", "cpu-basic", 0, "Team or Enterprise"),
        ("poor", "zero-a10g", 0, "Team or Enterprise"),
        ("poor", "t4-small", 0.4, "no payment method"),
        ("big", "cpu-basic", 0, None),  # its plan is not told
    ],
)
def test_the_plan_decides_which_hardware_there_is(
    namespace: str, hardware: str, price: float, said: str | None
) -> None:
    account = parse(WHOAMI)
    if said is None:
        account.check_hardware(namespace, hardware, price, hardware == "zero-a10g")
    else:
        with pytest.raises(UserError, match=said):
            account.check_hardware(namespace, hardware, price, hardware == "zero-a10g")


LOGS = {
    "ModuleNotFoundError: No module named 'timm'": "timm",
    "ERROR: ResolutionImpossible: for help visit": "do not go together",
    "ERROR: No matching distribution found for torch==9.9": "torch==9.9",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate": "GPU's memory",
    "Memory limit exceeded (16Gi)": "machine's memory",
    "OSError: [Errno 28] No space left on device": "disk is full",
    "RuntimeError: No CUDA GPUs are available": "no GPU",
    "OSError: You are trying to access a gated repo.": "gated",
    "KeyError: 'OPENAI_API_KEY'": "OPENAI_API_KEY",
    "Launch timed out, workload was not healthy after 30 min": "7860",
    "OSError: Cannot find empty port in range: 7860-7860": "port is taken",
    "No @spaces.GPU function detected during startup": "@spaces.GPU",
    "torch version in requirements.txt is not compatible with ZeroGPU": "take the pin out",
    "ERROR: Could not open requirements file: [Errno 2]": "requirements.txt",
    "SyntaxError: invalid syntax": "no valid Python",
    "ValueError: the weights are odd": "ended with ValueError: the weights are odd",
    "Your sdk_version is invalid": "sdk_version",
}


@pytest.mark.parametrize("line", LOGS)
def test_the_log_tells_the_likely_cause(line: str) -> None:
    assert LOGS[line] in likely_cause(["Collecting things", line, "Exit code: 1. Reason:"])


def test_each_cause_has_a_log_that_shows_it() -> None:
    found = {likely_cause([line]).split("{")[0] for line in LOGS}
    assert len(found) == len(CAUSES)
    assert likely_cause(["all is well"]) == ""
