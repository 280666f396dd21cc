"""`spaces-gen publish` against a local Hub, with the real client over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hub import Hub
from publishing import ME, Command, Here, here, on_hub, writes

TOKEN_FORMS = {
    "Hub": "hf_" + "aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA1cE3g",
    "GitHub": "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA1cE3gI5",
    "AWS": "AKIA" + "QZ7WX3ED5RF9TG2Y",
    "OpenAI": "sk-proj-" + "aB3dE5gH7jK9mN1pQ3sT5vW7xY9z",
    "Anthropic": "sk-ant-" + "aB3dE5gH7jK9mN1pQ3sT5vW7xY9z",
}


# -- 1, 3: the first publish -----------------------------------------------------------------------


def test_the_first_publish_is_one_create_call_and_one_commit(
    hub: Hub, space: Path, child: Command
) -> None:
    said = child.well(
        "publish", str(space), "--repo-id", ME, "--hardware", "t4-small", "--private",
        "--variable", "A=1", "--secret", "KEY", "--volume", "hf://buckets/me/data:/data",
        KEY="the value of it",
    )  # fmt: skip
    assert writes(hub) == ["POST /api/repos/create", f"POST /api/spaces/{ME}/commit/main"]
    there = hub.space(ME)
    assert on_hub(hub) == here(space)
    assert len(there.commits) == 2
    assert (there.requested_hardware, there.sleep_time) == ("t4-small", 3600)
    assert (there.variables, there.secrets) == ({"A": "1"}, {"KEY": "the value of it"})
    assert [volume["mountPath"] for volume in there.volumes] == ["/data"]
    assert there.visibility == "private"
    assert (there.builds, there.restarts) == (1, 0)
    for word in ("RUNNING", f"{hub.url}/spaces/{ME}", "t4-small", "$0.40 an hour", "after 1 hour"):
        assert word in said
    assert "the value of it" not in said


def test_what_should_stay_at_home_stays(hub: Hub, space: Path, command: Command) -> None:
    kept = here(space)
    (space / ".gitignore").write_text("weights/\n*.log\n")
    for name in (
        ".env", ".env.local", ".venv/pyvenv.cfg", ".venv/lib/a.py", ".git-credentials", "a.log",
        "weights/w.bin", "sub/__pycache__/a.pyc", ".cache/x", ".idea/x", ".vscode/x", "app.py~",
        ".app.py.swp", ".DS_Store", "env/pyvenv.cfg", "env/bin/python", ".ipynb_checkpoints/a",
    ):  # fmt: skip
        (space / name).parent.mkdir(parents=True, exist_ok=True)
        (space / name).write_text("not for others")
    (space / "out").symlink_to("/etc/hostname")
    (space / "in.py").symlink_to("model.py")
    said = command.well("publish", str(space), "--repo-id", ME, "--hardware", "cpu-basic")
    expected = {
        **kept,
        ".gitignore": b"weights/\n*.log\n",
        "in.py": kept["model.py"],
    }
    assert on_hub(hub) == expected
    assert "stays here: .env (private settings)" in said
    assert "stays here: out" in said


def test_without_git_nothing_is_sent_that_a_gitignore_might_keep_back(
    hub: Hub, space: Path, command: Command
) -> None:
    said = command.refused("publish", str(space), "--repo-id", ME, PATH=str(space))
    assert "install git" in said
    assert hub.requests == []


@pytest.mark.parametrize("kind", TOKEN_FORMS)
@pytest.mark.parametrize("file", ["model.py", "data.bin"])
def test_a_token_in_a_file_stops_everything(
    kind: str, file: str, hub: Hub, space: Path, command: Command
) -> None:
    token = TOKEN_FORMS[kind]
    before = b"\0\1\2\n" if file == "data.bin" else (space / file).read_bytes()
    (space / file).write_bytes(before + f"\nx = '{token}'\n".encode())
    said = command.refused("publish", str(space), "--repo-id", ME)
    line = before.count(b"\n") + 2
    assert f"{file}:{line}" in said
    assert token not in said
    assert hub.writes == []


def test_the_value_of_a_secret_in_a_file_stops_everything(
    hub: Hub, space: Path, command: Command
) -> None:
    (space / "notes.txt").write_text("remember: swordfish-42")
    said = command.refused(
        "publish", str(space), "--repo-id", ME, "--secret", "KEY", KEY="swordfish-42"
    )
    assert "KEY" in said
    assert "notes.txt" in said
    assert "swordfish" not in said
    assert hub.writes == []


@pytest.mark.parametrize("xet", [True, False])
def test_large_and_binary_files_go_the_way_the_hub_says(
    xet: bool, hub: Hub, space: Path, command: Command
) -> None:
    (space / "small.bin").write_bytes(b"\0\1\2\3" * 100)
    (space / ".gitattributes").write_text("*.dat filter=lfs diff=lfs merge=lfs -text\n")
    (space / "large.dat").write_bytes(os.urandom(11 * 2**20))
    variables = {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    arguments = ("publish", str(space), "--repo-id", ME, "--hardware", "cpu-basic", "--no-wait")
    command.well(*arguments, **variables)
    there = on_hub(hub)
    assert there["small.bin"] == b"\0\1\2\3" * 100
    count = len(hub.writes)
    assert "nothing changed" in command.well(*arguments, **variables)
    assert len(hub.writes) == count
    assert there["large.dat"] == (space / "large.dat").read_bytes()


# -- 2: nothing changed ----------------------------------------------------------------------------


def test_a_second_publish_sends_nothing(hub: Hub, space: Path, command: Command) -> None:
    arguments = ["publish", str(space), "--hardware", "t4-small", "--variable", "A=1"]
    arguments += ["--secret", "KEY", "--private"]
    command.well(*arguments, "--repo-id", ME, KEY="the value of it")
    count, state = len(hub.writes), hub.space(ME)
    builds = (state.builds, state.restarts)
    said = command.well(*arguments, KEY="the value of it")
    assert said == f"nothing changed: {ME} is as it is here\n"
    assert len(hub.writes) == count
    assert (state.builds, state.restarts) == builds
    assert "the value of it" not in (space / ".spaces-gen.json").read_text()


def test_a_dry_run_shows_all_and_writes_nothing(hub: Hub, space: Path, command: Command) -> None:
    before = here(space)
    arguments = ["publish", str(space), "--repo-id", ME, "--hardware", "t4-small", "--dry-run"]
    said = command.well(*arguments, "--variable", "A=1", "--secret", "KEY", KEY="the value of it")
    for words in ("would be created", "+ app.py", "hardware: - → t4-small", "after 1 hour",
                  "variable A: - → 1", "secret KEY", "$0.40 an hour"):  # fmt: skip
        assert words in said
    assert "the value of it" not in said
    assert hub.writes == []
    assert not (space / ".spaces-gen.json").exists()
    assert here(space) == before
    plan = json.loads(command.well(*arguments, "--json"))
    assert plan["dry_run"]
    assert plan["hardware"] == {"old": None, "new": "t4-small"}
    published(hub, space, command)
    assert "nothing would change" in command.well("publish", str(space), "--dry-run")


# -- 4, 5: a Space that is there -------------------------------------------------------------------


def published(hub: Hub, space: Path, command: Command) -> Any:
    command.well("publish", str(space), "--repo-id", ME, "--hardware", "cpu-basic", "--no-wait")
    hub.space(ME).run()
    hub.requests.clear()
    return hub.space(ME)


def test_only_differences_are_sent(hub: Hub, space: Path, command: Command) -> None:
    there = published(hub, space, command)
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
    (space / "serving/zero_gpu.py").unlink()
    hub.someone_commits(ME, {"added there.txt": b"by a colleague"})
    there.variables["A"] = "1"
    said = command.well(
        "publish", str(space), "--hardware", "t4-small", "--variable", "A=1", "--variable", "B=2"
    )
    assert writes(hub) == [
        f"POST /api/spaces/{ME}/commit/main",
        f"POST /api/spaces/{ME}/variables",
        f"POST /api/spaces/{ME}/hardware",
    ]
    assert on_hub(hub) == {**here(space), "added there.txt": b"by a colleague"}
    assert (there.requested_hardware, there.sleep_time) == ("t4-small", 3600)
    assert "kept, only there: added there.txt" in said
    assert "- serving/zero_gpu.py" in said
    assert there.variables == {"A": "1", "B": "2"}


def test_the_order_of_sending_spares_restarts(hub: Hub, space: Path, command: Command) -> None:
    there = published(hub, space, command)
    restarts = there.restarts
    command.well("publish", str(space), "--hardware", "t4-small", "--sleep-time", "900")
    assert writes(hub) == [f"POST /api/spaces/{ME}/hardware"]
    assert (there.sleep_time, there.restarts - restarts) == (900, 1)
    command.well("publish", str(space), "--hardware", "t4-small", "--sleep-time", "600")
    assert writes(hub)[1:] == [f"POST /api/spaces/{ME}/sleeptime"]


@pytest.mark.parametrize(
    "theirs", [{"app.py": b"print('theirs')\n"}, {"app.py": None}, {"new.py": b"x = 1\n"}]
)
def test_what_somebody_else_committed_is_never_overwritten(
    theirs: dict[str, bytes | None], hub: Hub, space: Path, command: Command
) -> None:
    there = published(hub, space, command)
    (space / "new.py").write_text("x = 2\n")
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
    hub.someone_commits(ME, theirs)
    head = there.sha
    said = command.refused("publish", str(space))
    assert next(iter(theirs)) in said
    assert "--pr" in said
    assert hub.writes == []
    command.well("publish", str(space), "--pr", "--dry-run")
    assert hub.writes == []
    said = command.well("publish", str(space), "--pr")
    assert there.sha == head
    (address,) = re.findall(rf"{re.escape(hub.url)}/spaces/{ME}/discussions/\d+", said)
    count = len(hub.writes)
    assert address in command.well("publish", str(space), "--pr")
    assert len(hub.writes) == count, "it is proposed already"
    assert len(there.pull_requests) == 1


def test_who_commits_at_the_last_moment_is_not_overwritten(
    hub: Hub, space: Path, command: Command
) -> None:
    there = published(hub, space, command)
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
    hub.someone_commits(ME, {"model.py": b"theirs = 1\n"}, before=("POST", "/commit/"))
    said = command.refused("publish", str(space))
    assert "somebody else" in said
    assert on_hub(hub)["model.py"] == b"theirs = 1\n"
    assert len(there.commits) == 3


@pytest.mark.parametrize("answered", [True, False])
def test_who_commits_right_after_is_not_overwritten_the_next_time(
    answered: bool, hub: Hub, space: Path, command: Command
) -> None:
    there = published(hub, space, command)
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
    read_again = f"/api/spaces/{ME}/tree/" if answered else f"/api/spaces/{ME}$"
    hub.before("GET", read_again, lambda: hub.someone_commits(ME, {"app.py": b"a = 1\n"}), skip=1)
    if not answered:
        hub.fail("POST", "/commit/", drop=True, when="after")
    command.well("publish", str(space), "--no-wait")
    assert [one.author for one in there.commits[2:]] == ["me", "other"]
    assert "app.py" in command.refused("publish", str(space))
    assert on_hub(hub)["app.py"] == b"a = 1\n"


def test_a_proposal_of_nothing_changes_nothing_that_is_known(
    hub: Hub, space: Path, command: Command
) -> None:
    published(hub, space, command)
    hub.someone_commits(ME, {"app.py": b"a = 1\n"})
    assert "nothing to propose" in command.well("publish", str(space), "--pr")
    assert "app.py" in command.refused("publish", str(space))
    assert hub.writes == []


def test_who_commits_to_a_space_that_is_just_made_does_not_stop_the_next_run(
    hub: Hub, space: Path, command: Command
) -> None:
    """What the Hub itself put there is known to be nobody's work."""
    hub.before(
        "POST", f"/api/spaces/{ME}/commit/", lambda: hub.someone_commits(ME, {"theirs.txt": b"x"})
    )
    arguments = ["publish", str(space), "--repo-id", ME, "--hardware", "cpu-basic", "--no-wait"]
    assert "somebody else" in command.refused(*arguments)
    assert on_hub(hub).keys() == {"README.md", ".gitattributes", "theirs.txt"}
    command.well(*arguments)
    assert on_hub(hub) == {**here(space), "theirs.txt": b"x"}


def test_a_folder_that_knows_nothing_of_the_space_overwrites_nothing(
    hub: Hub, space: Path, command: Command
) -> None:
    there = published(hub, space, command)
    (space / ".spaces-gen.json").unlink()
    command.well("publish", str(space), "--repo-id", ME)
    assert hub.writes == [], "all is the same there"
    (space / ".spaces-gen.json").unlink()
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
    said = command.refused("publish", str(space), "--repo-id", ME)
    assert "never published from here" in said
    assert "model.py" in said
    assert len(there.commits) == 2


def test_a_git_clone_knows_what_it_was_cloned_from(hub: Hub, space: Path, command: Command) -> None:
    there = published(hub, space, command)
    (space / ".spaces-gen.json").unlink()
    for arguments in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=me", "-c", "user.email=me@example.com", "commit", "-qm", "as there"],
        ["remote", "add", "origin", f"{hub.url}/spaces/{ME}"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run(["git", *arguments], cwd=space, check=True)
    hub.someone_commits(ME, {"app.py": b"print('theirs')\n"})
    mine = (space / "app.py").read_bytes()
    (space / "app.py").write_text("print('theirs')\n")
    who = ["-c", "user.name=them", "-c", "user.email=them@example.com"]
    for arguments in (
        [*who, "commit", "-qam", "theirs"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
        ["reset", "-q", "--hard", "HEAD~1"],
    ):
        subprocess.run(["git", *arguments], cwd=space, check=True)
    assert (space / "app.py").read_bytes() == mine, "theirs is fetched, but not pulled"
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
    assert "app.py" in command.refused("publish", str(space), "--repo-id", ME)
    for arguments in (["stash"], ["merge", "--ff-only", "origin/main"], ["stash", "pop"]):
        subprocess.run(["git", *who, *arguments], cwd=space, check=True)
    command.well("publish", str(space), "--repo-id", ME)
    assert on_hub(hub) == here(space)
    assert len(there.commits) == 4


def test_a_record_that_came_with_a_repository_is_ignored(
    hub: Hub, space: Path, command: Command
) -> None:
    """A stranger could have written it, and name another Space of one's own."""
    there = published(hub, space, command)
    record = space / ".spaces-gen.json"
    for arguments in (
        ["init", "-q"],
        ["add", "--force", "-A"],
        ["-c", "user.name=them", "-c", "user.email=them@example.com", "commit", "-qm", "theirs"],
    ):
        subprocess.run(["git", *arguments], cwd=space, check=True)
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# changed\n")
    done = command("publish", str(space))
    assert "which Space?" in done.stderr
    assert "git tracks .spaces-gen.json here" in done.stdout
    assert "never published from here" in command.refused("publish", str(space), "--repo-id", ME)
    assert hub.writes == []
    assert len(there.commits) == 2
    subprocess.run(["git", "rm", "-q", "--cached", record.name], cwd=space, check=True)
    said = command.well("publish", str(space), "--no-wait")
    assert "git tracks" not in said
    assert on_hub(hub) == here(space)


# -- 7: and then -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "build", "run", "message", "words"),
    [
        (
            ["BUILDING", "BUILD_ERROR"],
            ["Collecting timm", "ERROR: No matching distribution found for timm==99"],
            [],
            None,
            ["BUILD_ERROR", "timm==99", "likely cause"],
        ),
        (
            ["BUILDING", "APP_STARTING", "RUNTIME_ERROR"],
            ["built"],
            ["loading", "ModuleNotFoundError: No module named 'sentencepiece'"],
            "Exit code: 1",
            ["RUNTIME_ERROR", "sentencepiece is missing"],
        ),
        (
            ["BUILDING", "APP_STARTING", "RUNTIME_ERROR"],
            [],
            [],
            "Memory limit exceeded (16Gi)",
            ["larger hardware"],
        ),
        (["CONFIG_ERROR"], [], [], "sdk_version is wrong", ["CONFIG_ERROR", "sdk_version"]),
        (
            ["RUNNING", "BUILDING", "BUILD_ERROR"],
            ["odd"],
            [],
            None,
            ["BUILD_ERROR", "spaces-gen logs"],
        ),
        (["PAUSED"], [], [], None, ["PAUSED", "restart it"]),
    ],
)
def test_a_space_that_does_not_run_is_exit_1_with_the_likely_cause(
    script: list[str],
    build: list[str],
    run: list[str],
    message: str | None,
    words: list[str],
    hub: Hub,
    space: Path,
    command: Command,
) -> None:
    there = published(hub, space, command)
    there.script, there.build_log, there.run_log = script, build, run
    there.error_message = message
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
    done = command("publish", str(space), "--hardware", "cpu-basic")
    assert done.returncode == 1
    for word in words:
        assert word in done.stdout, done.stdout
    for line in build:
        assert done.stdout.count(line) == 1, "what was followed is not told again"
    if there.stage.endswith("ERROR"):
        assert f"and it is {there.stage}" in command.well("publish", str(space))


def test_a_space_that_goes_on_building_is_told_when_the_time_is_over(
    hub: Hub, space: Path, command: Command
) -> None:
    there = published(hub, space, command)
    there.script = ["BUILDING"]
    (space / "model.py").write_text((space / "model.py").read_text() + "\n# mine\n")
    said = command.refused("publish", str(space), "--timeout", "2")
    assert "still BUILDING" in said
    assert "spaces-gen status" in said


# -- 8: status and logs ----------------------------------------------------------------------------


def test_status_and_logs(hub: Hub, space: Path, command: Command) -> None:
    there = published(hub, space, command)
    there.variables["A"], there.secrets["KEY"] = "1", "the value of it"
    there.build_log, there.run_log = ["line of the build"], ["line of the app"]
    said = command.well("status", ME)
    for word in ("RUNNING", "cpu-basic", "free", "Publish with spaces-gen", "A=1", "KEY"):
        assert word in said
    assert "the value of it" not in said
    assert json.loads(command.well("status", ME, "--json"))["stage"] == "RUNNING"
    assert command.well("logs", ME, "--build") == "line of the build\n"
    assert command.well("logs", ME) == "line of the app\n"
    assert "no Space me/none" in command.refused("status", "me/none")
    assert "me/none" in command.refused("logs", "me/none")


# -- who may not -----------------------------------------------------------------------------------


def test_each_refusal_says_what_to_do_instead(hub: Hub, space: Path, tmp_path: Path) -> None:
    hub.user("poor")
    hub.org("team", plan="team", members={"me": "read"})
    hub.org("lab", members={"me": "admin"})
    poor = hub.token("poor")
    cases: list[tuple[str | None, list[str], list[str]]] = [
        ("", ["--repo-id", ME], ["not logged in", "hf auth login"]),
        ("hf_" + "x1" * 17, ["--repo-id", ME], ["does not accept this token"]),
        (hub.token("me", role="read"), ["--repo-id", ME], ["only read"]),
        (
            hub.token("me", role="fineGrained", scopes={"me": ["repo.content.read"]}),
            ["--repo-id", ME],
            ["fine-grained", ME],
        ),
        (None, ["--repo-id", "stranger/demo"], ["stranger", "me, team, lab"]),
        (None, ["--repo-id", "team/demo"], ["role in team", "read"]),
        (None, ["--repo-id", "lab/demo", "--hardware", "cpu-basic"], ["plan", "lab"]),
        (None, ["--repo-id", ME, "--hardware", "t5"], ["'t5'", "t4-small"]),
        (None, ["--repo-id", ME, "--hardware", "cpu-basic", "--sleep-time", "6"], ["--sleep-time"]),
        (None, [], ["--repo-id me/NAME"]),
        (None, ["--repo-id", "me/a--b"], ["me/a--b"]),
        (None, ["--repo-id", ME, "--secret", "KEY"], ["KEY", "no value"]),
        (None, ["--repo-id", ME, "--secrets-file", "nowhere"], ["nowhere"]),
        (None, ["--repo-id", ME, "--pr"], ["no me/demo to propose"]),
        (poor, ["--repo-id", "poor/demo", "--hardware", "cpu-basic"], ["PRO", "zero-a10g"]),
        (poor, ["--repo-id", "poor/demo", "--hardware", "t4-small"], ["payment method"]),
    ]  # fmt: skip
    for token, options, words in cases:
        # who is logged in on this machine is not, in a home of their own
        kind = Command if token == "" else Here
        said = kind(hub, tmp_path, token).refused("publish", str(space), *options)
        for word in words:
            assert word in said, said
    assert [one.status for one in hub.writes] == [402], "only the Hub knows the plan of lab"
    assert not (space / ".spaces-gen.json").exists()


@pytest.mark.parametrize(("owner", "most"), [("free", 2), ("me", 10), ("team", 50)])
def test_one_zero_gpu_space_too_many_is_told_before_any_write(
    owner: str, most: int, hub: Hub, space: Path, tmp_path: Path
) -> None:
    hub.user("free")
    hub.org("team", plan="team", members={"me": "admin"})
    for number in range(most):
        visibility = "private" if number % 2 else "public"
        files = {} if number else here(space)
        hub.add_space(f"{owner}/{number:02}", files, hardware="zero-a10g", visibility=visibility)
    hub.add_space("stranger/one", hardware="zero-a10g")
    hub.page_size = 7
    command = Here(hub, tmp_path, hub.token("free" if owner == "free" else "me"))
    arguments = ["publish", str(space), "--hardware", "zero-a10g", "--no-wait", "--repo-id"]
    said = command.refused(*arguments, f"{owner}/more")
    for words in (f"has {most} Spaces on ZeroGPU ({owner}/00", "move one", "--hardware"):
        assert words in said
    hub.add_space(f"{owner}/old", hardware="t4-small")
    assert f"plan includes {most}" in command.refused(*arguments, f"{owner}/old")
    assert "nothing changed" in command.well(*arguments, f"{owner}/00"), "it is one of them"
    assert hub.writes == []
    hub.space(f"{owner}/01").set_hardware("t4-small", 600)
    command.well(*arguments, f"{owner}/more")
    assert hub.space(f"{owner}/more").requested_hardware == "zero-a10g"


def test_a_cap_that_cannot_be_known_is_held_against_nobody(
    hub: Hub, space: Path, command: Command
) -> None:
    hub.org("team", plan="team", members={"me": "admin"}).shows_plan = False
    for number in range(50):
        hub.add_space(f"team/{number}", hardware="zero-a10g")
    for number in range(10):
        hub.add_space(f"me/{number}", hardware="zero-a10g")
    arguments = ["publish", str(space), "--hardware", "zero-a10g", "--no-wait", "--repo-id"]
    assert "limit of 50" in command.refused(*arguments, "team/more")
    hub.fail("GET", "/api/spaces$", status=400)
    assert "limit of 10" in command.refused(*arguments, ME)
    hub.space("me/0").pause()
    assert "limit of 10" in command.refused(*arguments, ME)
    assert [one.status for one in hub.writes] == [403, 403, 403]


@pytest.mark.parametrize(
    "options",
    [
        ["--secret", "KEY=the-value-of-it"],
        ["--variable", "A"],
        ["--variable", "a b=1"],
        ["--volume", "data"],
        ["--private", "--protected"],
    ],
)
def test_wrong_usage_is_exit_2(options: list[str], hub: Hub, space: Path, command: Command) -> None:
    said = command.refused("publish", str(space), "--repo-id", ME, *options, code=2)
    assert "the-value-of-it" not in said
    assert hub.requests == []


# -- secrets are nowhere ---------------------------------------------------------------------------


def test_no_secret_and_no_token_is_found_anywhere(
    hub: Hub, space: Path, command: Command, tmp_path: Path
) -> None:
    """Not in output, traces, commits, the folder, or the arguments of any process."""
    marker, other = "marker-of-a-secret-1", "marker-of-a-secret-2"
    (tmp_path / "secrets.env").write_text(f"OTHER={other}\n")
    subprocess.run(["git", "init", "-q"], cwd=space, check=True)
    arguments = ["--debug", "publish", str(space), "--repo-id", ME, "--secret", "KEY"]
    arguments += ["--secrets-file", str(tmp_path / "secrets.env"), "--hardware", "t4-small"]
    code = (
        "import sys; from spaces_gen import publish, cli; publish.SEND_SECONDS = 4; "
        "sys.argv[0] = 'spaces-gen'; cli.main()"
    )
    seen = ""
    for route, fault in (
        ("/repos/create", {"status": 400}),
        ("/repos/create", {"drop": True, "times": None}),
        ("", None),
        ("/secrets$", {"status": 400}),
        ("/secrets$", {"status": 500, "times": None}),
        ("/commit/", {"status": 500, "times": None}),
        ("/commit/", {"status": 403}),
    ):
        hub.works_again()
        if fault:
            hub.fail("POST", route, **fault)
            (space / "model.py").write_text((space / "model.py").read_text() + "\n#\n")
        if route == "/secrets$":
            hub.space(ME).updated["KEY"] = "2026-01-01T00:00:00.000Z"  # as if somebody set it
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**command.environment, "KEY": marker, "PATH": noted_git(tmp_path)},
        )  # fmt: skip
        with command_lines(process.pid) as lines:
            out, err = process.communicate(timeout=60)
        assert process.returncode == (1 if fault else 0), err
        assert any("--secrets-file" in line for line in lines)
        seen += out + err + "".join(lines)
    assert "Traceback" in seen
    assert hub.space(ME).secrets == {"KEY": marker, "OTHER": other}
    calls = (tmp_path / "git.txt").read_text()
    assert "ls-files" in calls
    files = [path for path in space.rglob("*") if path.is_file()]
    assert {space / ".spaces-gen.json", space / ".git" / "config"} <= set(files)
    seen += calls + "".join(repr(path.read_bytes()) for path in files)
    seen += "".join(map(repr, on_hub(hub).items())) + repr(hub.space(ME).commits)
    for request in hub.requests:
        if not request.path.endswith(("/repos/create", "/secrets")):
            seen += repr((request.raw_path, request.query, request.body))
    for hidden in (marker, other, command.token):
        assert hidden not in seen


def noted_git(folder: Path) -> str:
    """A PATH on which git notes its arguments in git.txt: it is gone too soon to be looked at."""
    real, path = shutil.which("git"), folder / "bin" / "git"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "$@" >> "{folder / "git.txt"}"\nexec "{real}" "$@"\n')
    path.chmod(0o755)
    return f"{path.parent}{os.pathsep}{os.environ['PATH']}"


@contextmanager
def command_lines(root: int) -> Iterator[set[str]]:
    """The arguments that a process and all below it are seen with in the process list."""
    seen: set[str] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.01):
            below = {root}
            for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
                with suppress(OSError):  # gone meanwhile
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    if parent in below or int(entry.name) == root:
                        below.add(int(entry.name))
                        seen.add((entry / "cmdline").read_text())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()
