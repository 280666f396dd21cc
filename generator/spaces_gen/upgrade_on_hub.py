"""`spaces-gen upgrade hf:ns/name`: changes a Space on the Hub without a clone of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)
from rich.console import Console

from spaces_gen.check import as_line, space_checks
from spaces_gen.errors import UserError
from spaces_gen.hub.account import who_am_i
from spaces_gen.hub.changes import FileChanges, SettingChanges, Settings, compare_settings
from spaces_gen.hub.client import Hub
from spaces_gen.hub.local import LocalFile
from spaces_gen.hub.plan import check_hardware, is_paid
from spaces_gen.hub.remote import RemoteSpace, read_remote
from spaces_gen.hub.send import change_settings, commit, propose
from spaces_gen.hub.show import as_price, as_sleep
from spaces_gen.hub.zero_gpu import check_room
from spaces_gen.names import HUB_PREFIX
from spaces_gen.tables import load_tiers
from spaces_gen.terminal import progress
from spaces_gen.upgrading.change import Change, Wish, make_change
from spaces_gen.upgrading.files import File
from spaces_gen.upgrading.merge import Merge
from spaces_gen.upgrading.show import print_change, print_clashes, print_merge


class OnHub:
    """The files of a Space at one commit; each is fetched when it is first read."""

    def __init__(self, hub: Hub, space: RemoteSpace) -> None:
        self._hub, self._space = hub, space
        self._read: dict[str, File] = {}

    def read(self, path: str) -> File | None:
        """The file at `path`; None where there is none.

        Raises:
            UserError: it cannot be fetched.
        """
        if path not in self._space.files:
            return None
        if path not in self._read:
            self._read[path] = File(self._hub.ask(f"fetch {path}", lambda: self._fetch(path)))
        return self._read[path]

    def _fetch(self, path: str) -> bytes:
        space = f"{self._hub.endpoint}/spaces/{self._space.repo_id}"
        address = f"{space}/resolve/{self._space.commit}/{quote(path)}"
        response = get_session().get(address, headers=build_hf_headers())
        hf_raise_for_status(response)
        return bytes(response.content)


def upgrade_on_hub(
    hub: Hub, repo_id: str, wish: Wish, *, pull_request: bool, dry_run: bool, console: Console
) -> None:
    """Open a pull request with the change, or commit it and then ask for the hardware.

    Raises:
        UserError: it is not possible, or the Hub refuses.
    """
    account = who_am_i(hub)
    account.check_token(repo_id)
    if not pull_request:
        account.check_namespace(repo_id.split("/")[0])
    remote = there(hub, repo_id)
    mine = OnHub(hub, remote)
    with progress(f"Working out what changes in {repo_id}"):
        change = make_change(f"{HUB_PREFIX}{repo_id}", mine, wish, quietly(console))
    stop_at_clashes(console, repo_id, change.merge)
    wanted = Settings(hardware=str(change.after.answers["hardware"]))
    if not pull_request:
        check_hardware(account, repo_id.split("/")[0], wanted, remote)
        check_room(hub, account, repo_id, wanted.hardware, remote)
    settings = SettingChanges() if pull_request else hardware_changes(remote, wanted)
    if dry_run:
        print_change(console, mine, change)
        print_settings(console, settings)
        console.print("[dim]nothing was sent: this was a dry run[/]")
        return
    if not change.merge.written and not change.merge.deleted and not settings:
        console.print(f"nothing to change: {repo_id} is like that already", markup=False)
        return
    send(hub, remote, change, settings, pull_request, console)


def diff_on_hub(hub: Hub, repo_id: str, wish: Wish, console: Console) -> int:
    """Show what an upgrade would change there; returns the exit code.

    Raises:
        UserError: it is not possible.
    """
    remote = there(hub, repo_id)
    mine = OnHub(hub, remote)
    with progress(f"Working out what changes in {repo_id}"):
        change = make_change(f"{HUB_PREFIX}{repo_id}", mine, wish, quietly(console))
    print_change(console, mine, change)
    return int(bool(change.merge.clashes))


def there(hub: Hub, repo_id: str) -> RemoteSpace:
    """A Space on the Hub.

    Raises:
        UserError: it is not there, or not to be seen.
    """
    remote = read_remote(hub, repo_id)
    if remote is None:
        raise UserError(f"there is no Space {repo_id} that you can see")
    return remote


def quietly(console: Console) -> Callable[[str], None]:
    """Prints a remark."""
    return lambda sentence: console.print(sentence, markup=False, style="dim")


def stop_at_clashes(console: Console, repo_id: str, merge: Merge) -> None:
    """Show clashes, and end there.

    Raises:
        UserError: there are some.
    """
    if merge.clashes:
        print_clashes(console, merge.clashes)
        raise UserError(
            f"{repo_id} cannot be merged without a person; nothing was sent. Clone it, then run "
            "spaces-gen upgrade there with --conflict inline"
        )


def hardware_changes(remote: RemoteSpace, wanted: Settings) -> SettingChanges:
    """What to ask for so that the Space runs where its files are for."""
    paid = is_paid(load_tiers()[str(wanted.hardware)])
    return compare_settings(wanted, remote, {}, (), paid)


def send(
    hub: Hub,
    remote: RemoteSpace,
    change: Change,
    settings: SettingChanges,
    pull_request: bool,
    console: Console,
) -> None:
    """Send a change: files first, hardware once they are in.

    Raises:
        UserError: a check finds an error in what would be sent, or the Hub refuses.
    """
    files, contents = as_commit(change.merge)
    check_files(contents)
    print_merge(console, change.merge)
    hardware = change.after.answers["hardware"]
    if pull_request and files:
        proposal = propose(hub, remote, remote.commit, files, contents, title(change))
        console.print(f"proposed: {proposal.url}", markup=False)
        console.print(
            "once it is merged, ask for the hardware: spaces-gen upgrade "
            f"{HUB_PREFIX}{remote.repo_id} --hardware {hardware} --no-pr",
            markup=False,
        )
        return
    if files:
        remote = commit(hub, remote, files, contents, title(change))
        address = f"{hub.endpoint}/spaces/{remote.repo_id}/commit/{remote.commit}"
        console.print(f"sent: {address}", markup=False)
    if settings:
        change_settings(hub, remote.repo_id, settings, {})
        print_settings(console, settings)
    console.print(f"see how it starts: spaces-gen status {remote.repo_id}", markup=False)


def as_commit(merge: Merge) -> tuple[FileChanges, dict[str, LocalFile]]:
    """A merge as what is sent to the Hub."""
    created = set(merge.created)
    files = FileChanges(
        added=tuple(sorted(created)),
        changed=tuple(sorted(set(merge.written) - created)),
        deleted=tuple(sorted(merge.deleted)),
    )
    contents = {
        path: LocalFile(Path(path), len(data), data) for path, data in merge.written.items()
    }
    return files, contents


def check_files(contents: dict[str, LocalFile]) -> None:
    """Run the checks that concern single files over what would be sent.

    Raises:
        UserError: with the first error that is found.
    """
    checks = space_checks()
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as temporary:
        folder = Path(temporary).resolve()
        for path, file in contents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(file.content or b"")
        listed = checks.SpaceFiles(folder, tuple(sorted(contents)))
        for one in (checks.check_conflicts, checks.check_tokens, checks.check_python):
            for finding in one(listed):
                if finding.level == "error":
                    raise UserError(f"not sent: {as_line(finding)}")


def title(change: Change) -> str:
    """Of the commit."""
    before, after = change.before, change.after
    parts = []
    if before.answers.get("hardware") != after.answers.get("hardware"):
        parts.append(f"move to {after.answers['hardware']}")
    if before.version != after.version:
        parts.append(f"take template {after.version}")
    names = [key for key in after.answers if before.answers.get(key) != after.answers[key]]
    others = [key for key in names if key != "hardware"]
    if others:
        parts.append(f"change {', '.join(others)}")
    sentence = ", ".join(parts) or "Generate anew"
    return sentence[0].upper() + sentence[1:]


def print_settings(console: Console, settings: SettingChanges) -> None:
    """The hardware and sleep time that are asked for."""
    if settings.hardware:
        old, new = settings.hardware.old, settings.hardware.new
        price = as_price(load_tiers()[new].price_per_hour)
        console.print(f"  hardware: {old or '-'} → {new} ({price})", markup=False)
    if settings.sleep_time:
        console.print(f"  sleeps {as_sleep(settings.sleep_time.new)}", markup=False)
