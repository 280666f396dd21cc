"""`spaces-gen publish` while something goes wrong: one commit or none, and a second run ends it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hub import Hub
from hypothesis import given
from hypothesis import strategies as st
from publishing import ME, Command, at_the_hub, here

from spaces_gen import publish
from spaces_gen.errors import UserError
from spaces_gen.hub.changes import Settings
from spaces_gen.hub.given import volumes
from spaces_gen.hub.plan import Request

# the fault, and of how many requests one meets it
FAULTS: dict[str, tuple[dict[str, Any], int]] = {
    "busy": ({"status": 503}, 3),
    "too many": ({"status": 429, "headers": {"Retry-After": "1"}}, 3),
    "dropped": ({"drop": True}, 1),
    "applied, then busy": ({"status": 502, "when": "after"}, 2),
    "applied, then dropped": ({"drop": True, "when": "after"}, 1),
}


WHEN = ("before", "after")
VALUE = "the value of it"


def most(folder: str, names: list[str]) -> set[str]:
    """What Spaces lack here: to check all of their files takes longer than to send them."""
    if Path(folder).name == "serving":
        return set(names) - {"zero_gpu.py"}
    return {"examples"}


@pytest.fixture
def here_in_process(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Publishes in this process, which is quicker; waits are short."""
    at_the_hub(monkeypatch, hub.url)
    monkeypatch.setenv("HF_TOKEN", hub.token("me"))

    def run(space: Path, repo_id: str, settings: Settings, secret: str = VALUE) -> int:
        request = Request(space, repo_id, settings, {"KEY": secret})
        return publish.run(request, dry_run=False, wait=False, timeout=60, as_json=False)

    return run


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_request_leaves_one_commit_and_a_second_run_sends_nothing(
    fault: str,
    hub: Hub,
    rendered: Callable[..., Path],
    tmp_path: Path,
    here_in_process: Callable[..., int],
) -> None:
    """Each request of a first publish and of a change, one after the other."""
    original = rendered(model_type="text-classification")
    first = Settings(hardware="t4-small", variables={"A": "1"})
    second = Settings(hardware="cpu-basic", variables={"A": "2"})
    how, step = FAULTS[fault]
    met = 0
    for number in itertools.count(1, step):
        name = f"me/demo-{number}"
        space = tmp_path / f"space-{number}"
        shutil.copytree(original, space, ignore=most)
        hits = 0
        for settings, commits in ((first, 2), (second, 3)):
            injected = hub.fail_nth(number, **how)
            assert here_in_process(space, name, settings) == 0
            hits += injected.hits
            hub.works_again()
            there = hub.space(name)
            assert len(there.commits) == commits, (number, [one.title for one in there.commits])
            assert there.files() == here(space)
            assert there.requested_hardware == settings.hardware
            assert there.variables == settings.variables
            assert there.secrets == {"KEY": VALUE}
            count = len(hub.writes)
            assert here_in_process(space, name, settings) == 0
            assert len(hub.writes) == count
            (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
            (space / "serving/zero_gpu.py").unlink(missing_ok=True)
        met += hits
        if not hits:
            break
    assert met > 15 / step


@pytest.mark.parametrize(
    "how", [{"drop": True}, {"status": 502}, {"status": 429}], ids=["dropped", "502", "429"]
)
def test_a_setting_that_took_effect_unheard_is_sent_once(
    how: dict[str, Any],
    hub: Hub,
    space: Path,
    here_in_process: Callable[..., int],
) -> None:
    """Each would restart the Space once more."""
    assert here_in_process(space, ME, Settings(hardware="t4-small", variables={"A": "1"})) == 0
    there = hub.space(ME)
    there.secrets["KEY"], there.updated["KEY"] = "another", "2026-01-01T00:00:00.000Z"
    restarts, count = there.restarts, len(hub.writes)
    routes = ["settings", "variables", "secrets", "volumes", "hardware"]
    for route in routes:
        method = "PUT" if route in ("settings", "volumes") else "POST"
        hub.fail(method, f"/api/spaces/{ME}/{route}$", when="after", **how)
    mounted = volumes(["hf://buckets/me/data:/data", "hf://me/it:/it"])
    settings = Settings("l4x1", 900, "private", {"A": "2"}, mounted)
    assert here_in_process(space, ME, settings) == 0
    assert [one.path.split("/")[-1] for one in hub.writes[count:]] == routes
    assert there.restarts - restarts == 4, "all of them but the visibility"
    assert (there.requested_hardware, there.sleep_time) == ("l4x1", 900)
    assert (there.visibility, there.variables) == ("private", {"A": "2"})
    assert there.secrets == {"KEY": VALUE}
    assert [one["mountPath"] for one in there.volumes] == ["/data", "/it"]
    hub.fail("POST", f"/api/spaces/{ME}/sleeptime$", when="after", **how)
    assert here_in_process(space, ME, replace(settings, sleep_time=600)) == 0
    assert here_in_process(space, ME, replace(settings, sleep_time=600)) == 0
    assert [one.path.split("/")[-1] for one in hub.writes[count:]] == [*routes, "sleeptime"]


# method and path of a request, and how many such pass before; a first publish makes about 24
Which = tuple[str, str, int]
REQUESTS = st.just(("POST", "/commit/", 0)) | st.tuples(
    st.just("*"), st.just(""), st.integers(0, 23)
)
SEVERAL_FAULTS = st.lists(
    st.tuples(
        REQUESTS,
        st.sampled_from(
            [
                {"status": 403},
                *({"status": status, "when": when} for status in (429, 500, 503) for when in WHEN),
                *({"drop": True, "when": when} for when in WHEN),
            ]
        ),
    ),
    max_size=5,
)
THEIRS = b"by a colleague"
SOMEBODY = st.none() | st.tuples(REQUESTS, st.sampled_from(["theirs.txt", "model.py"]))


@given(
    change=st.sampled_from(["new", "files", "settings", "files and settings"]),
    faults=SEVERAL_FAULTS,
    somebody=SOMEBODY,
    xet=st.booleans(),
)
@hypothesis.settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_several_faults_and_a_colleague_leave_one_commit_or_none_and_a_second_run_ends_it(
    change: str,
    faults: list[tuple[Which, dict[str, Any]]],
    somebody: tuple[Which, str] | None,
    xet: bool,
    hub: Hub,
    rendered: Callable[..., Path],
    tmp_path: Path,
    here_in_process: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At any requests of a first publish, or of one that changes files, settings or both.

    Args:
        faults: which request, and what happens to it.
        somebody: before which request a colleague commits, and to which file.
    """
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", not xet)
    number = len(list(tmp_path.iterdir()))
    name, space = f"me/demo-{number}", tmp_path / f"space-{number}"
    shutil.copytree(rendered(model_type="text-classification"), space, ignore=most)
    (space / "weights.bin").write_bytes(b"\0" + os.urandom(1000))
    settings, secret = Settings("t4-small", variables={"A": "1"}), VALUE
    before = 1
    if change != "new":
        assert here_in_process(space, name, settings) == 0
        before = 2
    if "files" in change:
        (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
        (space / "weights.bin").write_bytes(b"\0" + os.urandom(1000))
        (space / "tuning.py").unlink()
    if "settings" in change:
        settings = Settings("l4x1", 900, "private", {"A": "2", "B": "3"})
        secret = "another value"

    def attempt() -> bool:
        try:
            return here_in_process(space, name, settings, secret) == 0
        except UserError:
            return False

    theirs: dict[str, bytes] = {}

    def commit(file: str) -> None:
        if hub.has_space(name):
            theirs[file] = THEIRS
            hub.someone_commits(name, theirs)

    def check() -> None:
        """What was committed from here is all of it, at most once, and over nobody's work."""
        if not hub.has_space(name):
            return
        there = hub.space(name)
        ours = [one for one in there.commits[before:] if one.author == "me"]
        assert len(ours) <= 1
        for one in ours:
            files = there.files(one.sha)
            files.pop("theirs.txt", None)
            assert files == here(space)
        assert {**there.files(), **theirs} == there.files()

    for (method, path, skip), how in faults:
        hub.fail(method, path, skip=skip, **how)
    if somebody:
        (method, path, skip), file = somebody
        hub.before(method, path, partial(commit, file), skip=skip)
    attempt()
    hub.works_again()
    check()
    count = len(hub.writes)
    if "model.py" in theirs:
        assert not attempt()
        assert len(hub.writes) == count
        check()
        return
    assert attempt()
    check()
    there = hub.space(name)
    assert there.files() == {**here(space), **theirs}
    assert (there.requested_hardware, there.sleep_time) == (
        settings.hardware,
        settings.sleep_time or 3600,
    )
    assert there.visibility == (settings.visibility or "public")
    assert (there.variables, there.secrets) == (settings.variables, {"KEY": secret})
    count = len(hub.writes)
    assert attempt()
    assert len(hub.writes) == count


def impatiently(command: Command, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with a deadline of 4 seconds."""
    code = (
        "import sys; from spaces_gen import publish, cli; publish.SEND_SECONDS = 4; "
        "sys.argv[0] = 'spaces-gen'; cli.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=False, env=command.environment, timeout=40,
    )  # fmt: skip


@pytest.mark.parametrize("fault", [{"status": 503, "times": 7}, {"status": 403}])
def test_a_large_file_that_cannot_be_uploaded_is_tried_again_or_told(
    fault: dict[str, Any],
    hub: Hub,
    space: Path,
    here_in_process: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library itself tries six times, and tells of it in words of its own."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    (space / "weights.bin").write_bytes(b"\0" + os.urandom(1000))
    hub.fail("PUT", "/lfs/", **fault)
    if fault["status"] == 403:
        with pytest.raises(UserError, match=f"you may not commit to {ME}"):
            here_in_process(space, ME, Settings("t4-small"))
        assert len(hub.space(ME).commits) == 1
    assert here_in_process(space, ME, Settings("t4-small")) == 0
    assert hub.space(ME).files() == here(space)
    assert len(hub.space(ME).commits) == 2


def test_another_operation_that_never_ends_is_given_up(
    hub: Hub, space: Path, tmp_path: Path
) -> None:
    hub.busy(times=None)
    done = impatiently(Command(hub, tmp_path), "publish", str(space), "--repo-id", ME)
    assert done.returncode == 1
    assert "run the command again" in done.stderr
    assert 1 <= len(hub.writes) <= 4, "it waits between two attempts"


def test_a_hub_that_never_answers_is_given_up(hub: Hub, space: Path, tmp_path: Path) -> None:
    hub.fail("GET", f"/api/spaces/{ME}$", status=None, delay=60, times=None)
    done = impatiently(Command(hub, tmp_path), "publish", str(space), "--repo-id", ME)
    assert done.returncode == 1
    assert f"could not read {ME} within 4 s" in done.stderr


def test_a_store_of_large_files_that_is_not_there_ends_it_in_one_line(
    hub: Hub, space: Path, child: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(hub.cas), "url", "http://127.0.0.1:9")
    (space / "weights.bin").write_bytes(b"\0\1" * 6_000_000)
    arguments = ("publish", str(space), "--repo-id", ME, "--no-wait")
    error = child.refused(*arguments, HF_XET_CLIENT_RETRY_MAX_DURATION="3s")
    assert "could not commit" in error
    assert len(hub.space(ME).commits) == 1
    monkeypatch.undo()
    child.well(*arguments)
    assert hub.space(ME).files() == here(space)


def test_ctrl_c_at_any_request_leaves_all_or_nothing(
    hub: Hub, rendered: Callable[..., Path], tmp_path: Path, command: Command
) -> None:
    original = rendered(model_type="text-classification")
    number = 0
    while True:
        name = f"me/demo-{number}"
        space = tmp_path / f"space-{number}"
        shutil.copytree(original, space, ignore=most)
        arguments = ["publish", str(space), "--repo-id", name, "--hardware", "t4-small"]
        running: list[subprocess.Popen[str]] = []

        def interrupt(running: list[subprocess.Popen[str]] = running) -> None:
            while not running:
                pass
            running[0].send_signal(signal.SIGINT)

        trigger = hub.before("*", "", interrupt, skip=number)
        running.append(command.start(*arguments, "--no-wait"))
        running[0].communicate(timeout=60)
        done = trigger.done
        hub.works_again()
        if hub.has_space(name):
            assert len(hub.space(name).commits) in (1, 2)
        command.well(*arguments, "--no-wait")
        assert hub.space(name).files() == here(space)
        assert len(hub.space(name).commits) == 2
        if not done:
            break
        number += 2
    assert number > 4
