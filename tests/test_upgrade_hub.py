"""`spaces-gen upgrade hf:…` and `fork` against a local Hub, with the real client over HTTP."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path

import pytest
from hub import Hub
from publishing import ME, Command, Here, at_the_hub, here, writes
from rich.console import Console
from upgrading import fresh, renders_once

from spaces_gen.errors import UserError
from spaces_gen.hub.client import Hub as Client
from spaces_gen.upgrade_on_hub import upgrade_on_hub
from spaces_gen.upgrading.change import Wish

pytestmark = pytest.mark.usefixtures(renders_once.__name__)

THERE = f"hf:{ME}"
TIER = ("--hardware", "t4-small")
Files = dict[str, bytes]


@pytest.fixture
def files(space: Path) -> Files:
    """Those of a Space that its owner has edited."""
    app = space / "app.py"
    app.write_text(app.read_text().replace("lines=5", "lines=7"))
    card = space / "README.md"
    card.write_text(card.read_text() + "\nMore about it.\n")
    (space / "own.py").write_text("OWN = 1\n")
    return here(space)


@pytest.fixture
def on_t4(files: Files) -> Files:
    """What the same Space is on the T4."""
    new = fresh(hardware="t4-small")
    kept = {name: files[name] for name in ("app.py", "own.py")}
    return {**new, **kept, "README.md": new["README.md"] + b"\nMore about it.\n"}


def tuned(files: Files) -> str:
    found = re.search(rb'^TIER = "(.*)"', files["tuning.py"], re.MULTILINE)
    assert found is not None
    return found[1].decode()


# -- upgrade ---------------------------------------------------------------------------------------


def test_by_default_the_change_is_proposed_and_the_space_stays_as_it_is(
    hub: Hub, command: Command, files: Files, on_t4: Files
) -> None:
    there = hub.add_space(ME, files)
    before = there.files()
    said = command.well("upgrade", THERE, *TIER)
    assert there.files("refs/pr/1") == {**before, **on_t4}
    assert there.files() == before
    assert there.requested_hardware == "cpu-basic"
    assert f"{hub.url}/spaces/{ME}/discussions/1" in said
    assert f"spaces-gen upgrade {THERE} --hardware t4-small --no-pr" in said
    again = command.well("upgrade", THERE, *TIER)
    assert "discussions/1" in again, "the same change is not proposed twice"


def test_at_once_it_is_one_commit_and_then_the_hardware(
    hub: Hub, child: Command, files: Files, on_t4: Files
) -> None:
    there = hub.add_space(ME, files)
    before = there.files()
    said = child.well("upgrade", THERE, *TIER, "--no-pr")
    assert there.files() == {**before, **on_t4}
    assert [one.title for one in there.commits].count("Move to t4-small") == 1
    assert (there.requested_hardware, there.sleep_time) == ("t4-small", 3600)
    sent = writes(hub)
    assert sent.index(f"POST /api/spaces/{ME}/commit/main") < len(sent) - 1, "files come first"
    assert "t4-small ($0.40 an hour)" in said
    count = len(hub.writes)
    assert "nothing to change" in child.well("upgrade", THERE, *TIER, "--no-pr")
    assert len(hub.writes) == count


def test_only_what_changes_is_fetched(hub: Hub, command: Command, files: Files) -> None:
    hub.add_space(ME, {**files, "weights.bin": b"\0" * 100_000})
    command.well("upgrade", THERE, *TIER, "--no-pr")
    fetched = {
        request.path.split("/resolve/")[1].split("/", 1)[1]
        for request in hub.requests
        if "/resolve/" in request.path
    }
    assert fetched == {".copier-answers.yml", "README.md", "requirements.txt", "tuning.py"}


def test_a_clash_sends_nothing(hub: Hub, command: Command, files: Files) -> None:
    edited = files["tuning.py"].replace(b'TIER = "cpu-basic"', b'TIER = "cpu-upgrade"')
    hub.add_space(ME, {**files, "tuning.py": edited})
    for how in ("--pr", "--no-pr"):
        done = command("upgrade", THERE, *TIER, how)
        assert done.returncode == 1
        assert 'TIER = "cpu-upgrade"' in done.stdout
        assert 'TIER = "t4-small"' in done.stdout
        assert "nothing was sent" in done.stderr
    assert hub.writes == []


def test_a_strangers_file_does_not_command_the_terminal(
    hub: Hub, command: Command, files: Files
) -> None:
    edited = files["tuning.py"].replace(b'TIER = "cpu-basic"', b'TIER = "\x1b]0;title\x07cpu"')
    hub.add_space(ME, {**files, "tuning.py": edited})
    done = command("upgrade", THERE, *TIER)
    assert done.returncode == 1
    assert "]0;title" in done.stdout
    assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)


def test_a_dry_run_shows_everything_and_sends_nothing(
    hub: Hub, command: Command, files: Files
) -> None:
    hub.add_space(ME, files)
    for verb, more in (("upgrade", ("--no-pr", "--dry-run")), ("diff", ())):
        said = command.well(verb, THERE, *TIER, *more)
        assert '+TIER = "t4-small"' in said
        assert "requests/s (estimated)" in said
    assert hub.writes == []


def test_somebody_elses_commit_in_between_is_not_overwritten(
    hub: Hub, command: Command, files: Files
) -> None:
    there = hub.add_space(ME, files)
    hub.someone_commits(ME, {"README.md": b"theirs"}, before=("POST", f"/api/spaces/{ME}/commit/"))
    assert "somebody else" in command.refused("upgrade", THERE, *TIER, "--no-pr")
    assert there.files()["README.md"] == b"theirs"
    assert there.requested_hardware == "cpu-basic"


def test_what_must_not_be_sent_stops_it(hub: Hub, command: Command, files: Files) -> None:
    token = b"hf_" + b"aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA1cE3g"
    hub.add_space(ME, {**files, "README.md": files["README.md"] + b"\n" + token})
    error = command.refused("upgrade", THERE, *TIER)
    assert "README.md" in error
    assert token.decode() not in error
    assert hub.writes == []


def test_each_refusal_is_one_sentence(hub: Hub, command: Command, files: Files) -> None:
    hub.add_space(ME, files)
    hub.add_space("me/other", {"app.py": b"print()"})
    hub.user("them")
    hub.add_space("them/theirs", files)
    assert "there is no Space me/none" in command.refused("upgrade", "hf:me/none", *TIER)
    assert ".copier-answers.yml" in command.refused("upgrade", "hf:me/other", *TIER)
    assert "cannot write to them" in command.refused("upgrade", "hf:them/theirs", *TIER, "--no-pr")
    assert "is not allowed" in command.refused("upgrade", THERE, "--hardware", "t5")
    assert "namespace/name" in command.refused("upgrade", "hf:demo", *TIER, code=2)
    assert "for a folder" in command.refused("upgrade", THERE, *TIER, "--publish", code=2)
    read_only = Here(hub, Path(command.environment["HF_HOME"]), hub.token("me", role="read"))
    assert "may only read" in read_only.refused("upgrade", THERE, *TIER)
    large = {"model_parameters": 20000}
    assert hub.writes == []
    answers = files[".copier-answers.yml"]
    for name, value in large.items():
        answers = re.sub(rb"%s: .*" % name.encode(), f"{name}: {value}".encode(), answers)
    hub.add_space(ME, {**files, ".copier-answers.yml": answers})
    error = command.refused("upgrade", THERE, *TIER)
    assert "40.0 GB" in error
    assert "a100-large" in error
    assert hub.writes == []


def test_a_fault_at_any_request_leaves_one_commit_or_none(
    hub: Hub, files: Files, on_t4: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the answer to the commit gets lost."""
    at_the_hub(monkeypatch, hub.url)
    monkeypatch.setenv("HF_TOKEN", hub.token("me"))
    console = Console(quiet=True)

    def run(name: str) -> None:
        wish = Wish({"hardware": "t4-small"})
        client = Client(60)
        upgrade_on_hub(client, name, wish, pull_request=False, dry_run=False, console=console)

    for number, when in zip(itertools.count(1, 2), itertools.cycle(("after", "before", "after"))):
        there = hub.add_space(f"me/n{number}", files)
        before = there.files()
        fault = hub.fail_nth(number, when=when, drop=when == "after")
        run(there.id)
        hub.works_again()
        assert there.files() == {**before, **on_t4}
        assert [one.title for one in there.commits].count("Move to t4-small") == 1
        assert there.requested_hardware == "t4-small"
        if not fault.hits:
            break
    assert number > 6


def test_upgrade_and_publish_in_one_step(
    hub: Hub, command: Command, space: Path, files: Files, on_t4: Files
) -> None:
    command.well("publish", str(space), "--repo-id", ME, "--no-wait")
    said = command.well("upgrade", str(space), *TIER, "--publish")
    there = hub.space(ME)
    assert there.files() == on_t4
    assert there.requested_hardware == "t4-small"
    assert len(there.commits) == 3
    assert "RUNNING" in said


# -- fork ------------------------------------------------------------------------------------------


@pytest.fixture
def original(hub: Hub, files: Files) -> str:
    """Somebody else's Space."""
    hub.user("them", pro=True)
    code = b'import os\nOWN = os.environ["API_KEY"], os.getenv("MODE"), os.environ.get("A_TOKEN")\n'
    hub.add_space("them/theirs", {**files, "own.py": code})
    return "hf:them/theirs"


def test_a_fork_is_private_made_for_its_tier_and_tells_what_it_lacks(
    hub: Hub, child: Command, original: str, on_t4: Files
) -> None:
    said = child.well("fork", original, "copy", *TIER, "--variable", "MODE=1")
    copy = hub.space("me/copy")
    assert copy.visibility == "private"
    assert (copy.requested_hardware, copy.sleep_time) == ("t4-small", 3600)
    assert copy.variables == {"MODE": "1"}
    now = copy.files()
    assert tuned(now) == "t4-small"
    assert b"duplicated_from: them/theirs" in now["README.md"]
    assert now[".copier-answers.yml"] == on_t4[".copier-answers.yml"], "where it is from is kept"
    assert b"lines=7" in now["app.py"]
    assert "lacks API_KEY, A_TOKEN:" in said
    assert "$0.40 an hour" in said
    assert f"{hub.url}/spaces/me/copy" in said
    assert tuned(hub.space("them/theirs").files()) == "cpu-basic"


def test_secrets_that_are_given_are_there_and_never_shown(
    hub: Hub, command: Command, original: str
) -> None:
    done = command("fork", original, "copy", *TIER, "--secret", "API_KEY", API_KEY="the value")
    assert done.returncode == 0, done.stderr
    assert hub.space("me/copy").secrets == {"API_KEY": "the value"}
    assert "lacks A_TOKEN:" in done.stdout
    assert "the value" not in done.stdout + done.stderr


def test_of_ones_own_space_variables_and_names_of_secrets_are_known(
    hub: Hub, command: Command, files: Files
) -> None:
    mine = hub.add_space(ME, files)
    mine.variables["MODE"] = "2"
    mine.set_value(mine.secrets, "PRIVATE", "x", "")
    said = command.well("fork", THERE, "copy", "--hardware", "cpu-upgrade")
    assert hub.space("me/copy").variables == {"MODE": "2"}
    assert "lacks PRIVATE:" in said


def test_a_space_of_another_origin_is_copied_as_it_is(hub: Hub, command: Command) -> None:
    hub.user("them", pro=True)
    source = hub.add_space("them/plain", {"app.py": b"print()"})
    said = command.well("fork", "hf:them/plain", "copy", *TIER, "--public")
    copy = hub.space("me/copy")
    assert copy.files()["app.py"] == source.files()["app.py"]
    assert copy.visibility == "public"
    assert "not made from this template" in said


def test_what_cannot_be_is_told_before_anything_is_made(
    hub: Hub, command: Command, original: str
) -> None:
    hub.add_space(ME)
    assert "there already" in command.refused("fork", original, ME, *TIER)
    assert "is not allowed" in command.refused("fork", original, "copy", "--hardware", "t5")
    assert "cannot write to them" in command.refused("fork", original, "them/copy", *TIER)
    assert "no Space them/none" in command.refused("fork", "hf:them/none", "copy", *TIER)
    theirs = hub.space("them/theirs").files()
    edited = theirs["tuning.py"].replace(b'TIER = "cpu-basic"', b'TIER = "cpu-upgrade"')
    hub.someone_commits("them/theirs", {"tuning.py": edited})
    done = command("fork", original, "copy", *TIER)
    assert done.returncode == 1
    assert "tuning.py:" in done.stdout
    assert hub.writes == []
    said = command.well("fork", original, "copy", "--hardware", "cpu-basic", "--dry-run")
    assert "dry run" in said
    assert hub.writes == []


def test_a_lost_answer_makes_no_second_copy(hub: Hub, command: Command, original: str) -> None:
    fault = hub.fail("POST", "/duplicate$", drop=True, when="after")
    command.well("fork", original, "copy", *TIER)
    assert fault.hits == 1
    assert tuned(hub.space("me/copy").files()) == "t4-small"
    assert [space.id for space in hub.spaces] == ["them/theirs", "me/copy"]


def test_a_fork_can_be_fetched_and_moved_on(
    hub: Hub, command: Command, original: str, tmp_path: Path
) -> None:
    """A copy is a Space like any other."""
    command.well("fork", original, "copy", *TIER)
    clone = tmp_path / "clone"
    for path, data in hub.space("me/copy").files().items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(data)
    command.well("upgrade", str(clone), "--hardware", "cpu-basic")
    back = here(clone)
    for path in ("tuning.py", "requirements.txt", ".copier-answers.yml", "model.py"):
        assert back[path] == fresh()[path]
    shutil.rmtree(clone)
    with pytest.raises(UserError):
        upgrade_on_hub(
            Client(5, endpoint=hub.url), "none/none", Wish(), pull_request=True, dry_run=True,
            console=Console(quiet=True),
        )  # fmt: skip
