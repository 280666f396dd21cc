"""What a publish would do, found out before any of it is done: writes nothing anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spaces_gen.errors import UserError
from spaces_gen.hub import record as records
from spaces_gen.hub.account import Account, who_am_i
from spaces_gen.hub.changes import (
    FileChanges,
    SettingChanges,
    Settings,
    compare_files,
    compare_settings,
)
from spaces_gen.hub.client import Hub
from spaces_gen.hub.given import check_not_published
from spaces_gen.hub.local import LocalSpace, read_local
from spaces_gen.hub.record import Record, read_record
from spaces_gen.hub.remote import RemoteSpace, files_at, read_remote, secret_times, variables_of
from spaces_gen.hub.zero_gpu import check_room
from spaces_gen.tables import load_tiers
from spaces_gen.tables.tiers import Tier


@dataclass(frozen=True)
class Request:
    """What is wanted; secrets are values by name, and never shown."""

    folder: Path
    repo_id: str | None = None
    settings: Settings = field(default_factory=Settings)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    pull_request: bool = False
    message: str = "Publish with spaces-gen"


@dataclass(frozen=True)
class Plan:
    """Everything that would be done, before any of it is.

    Attributes:
        remote: None for a Space that is yet to be created.
        parent: the commit that files are compared with.
        price: per hour before and after, in USD; None where it is not known.
    """

    repo_id: str
    local: LocalSpace
    remote: RemoteSpace | None
    parent: str
    files: FileChanges
    settings: SettingChanges
    wanted: Settings
    secrets: Mapping[str, str] = field(repr=False)
    price: tuple[float | None, float | None] = (None, None)

    @property
    def restarts(self) -> bool:
        """Whether the Space is built or started anew."""
        quiet = replace(self.settings, sleep_time=None, visibility=None)
        return self.remote is None or bool(self.files or quiet)

    @property
    def upload_bytes(self) -> int:
        """Of all files that would be sent."""
        return sum(self.local.files[path].size for path in (*self.files.added, *self.files.changed))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.remote is not None and not self.files and not self.settings


def make_plan(hub: Hub, request: Request, say: Callable[[str], None]) -> Plan:
    """Read what is here and there, and compare; writes nothing anywhere.

    Args:
        say: tells a person what they should know beside the plan.

    Raises:
        UserError: it is not allowed, or would overwrite what somebody else did.
    """
    local = read_local(request.folder)
    check_not_published(request.secrets, local)
    record = read_record(local.root)
    if records.is_tracked(local.root):
        name = records.path_in(local.root).name
        say(
            f"git tracks {name} here, so it may be anybody's and is ignored; take it out with "
            f"`git rm --cached {name}`"
        )
    if record is not None and record.endpoint != hub.endpoint:
        record = None
    account = who_am_i(hub)
    repo_id = full_name(request.repo_id, record, account)
    if record is not None and record.repo_id != repo_id:
        record = None
    account.check_token(repo_id)
    namespace = repo_id.split("/")[0]
    if not request.pull_request:
        account.check_namespace(namespace)
    remote = read_remote(hub, repo_id)
    wanted = request.settings
    if not request.pull_request:
        wanted = replace(wanted, hardware=wanted.hardware or local.hardware)
        check_hardware(account, namespace, wanted, remote)
        check_room(hub, account, repo_id, wanted.hardware, remote)
    base = last_seen(hub, local, record, remote, repo_id)
    parent, files = compare(hub, request, local, remote, base)
    settings = SettingChanges()
    if not request.pull_request:
        settings = compare_with(hub, request, wanted, remote, record)
        if remote is None and settings.sleep_time:
            wanted = replace(wanted, sleep_time=settings.sleep_time.new)
    return Plan(
        repo_id,
        local,
        remote,
        parent,
        files,
        settings,
        wanted,
        request.secrets,
        (price(remote.hardware if remote else None), price(wanted.hardware)),
    )


def full_name(given: str | None, record: Record | None, account: Account) -> str:
    """The Space's name with its namespace.

    Raises:
        UserError: nobody said it.
    """
    if given is None and record is None:
        raise UserError(
            f"which Space? name it once with --repo-id {account.name}/NAME; it is remembered"
        )
    name = given or (record.repo_id if record else "")
    return name if "/" in name else f"{account.name}/{name}"


def check_hardware(
    account: Account, namespace: str, wanted: Settings, remote: RemoteSpace | None
) -> None:
    """Refuse hardware that there is not, or that the account may not have.

    Raises:
        UserError: with what would be possible.
    """
    flavor = wanted.hardware
    if flavor is None:
        return
    tier = load_tiers().get(flavor)
    if tier is None:
        names = ", ".join(load_tiers())
        raise UserError(f"there is no hardware {flavor!r}; choose one of {names}")
    if wanted.sleep_time is not None and not is_paid(tier):
        raise UserError(
            f"{flavor} sleeps by the Hub's own rules; leave out --sleep-time, or take paid hardware"
        )
    if remote is None or remote.hardware != flavor:
        account.check_hardware(namespace, flavor, tier.price_per_hour, tier.zero_gpu)


def last_seen(
    hub: Hub,
    local: LocalSpace,
    record: Record | None,
    remote: RemoteSpace | None,
    repo_id: str,
) -> Record | None:
    """The state of the Space that this folder knows: by the last publish, or as a git clone."""
    if remote is None:
        return None
    known = [one for one in (record, records.cloned(local.root, hub.endpoint, repo_id)) if one]
    if not known and remote.is_new and has_one_commit(hub, repo_id):
        files = {path: file.blob_id for path, file in remote.files.items()}
        # a README of the Hub's own is nobody's work
        return Record(hub.endpoint, repo_id, remote.commit, files)
    current = [one for one in known if one.commit == remote.commit]
    return next(iter([*current, *known]), None)


def has_one_commit(hub: Hub, repo_id: str) -> bool:
    """Whether nobody has committed since the Space was created."""
    commits = hub.ask(
        f"read the history of {repo_id}",
        lambda: hub.api.list_repo_commits(repo_id, repo_type="space"),
    )
    return len(commits) == 1


def compare(
    hub: Hub,
    request: Request,
    local: LocalSpace,
    remote: RemoteSpace | None,
    base: Record | None,
) -> tuple[str, FileChanges]:
    """The parent commit, and the changes of files on top of it.

    Raises:
        UserError: a commit would overwrite what somebody else did.
    """
    if remote is None:
        return "", FileChanges(added=tuple(sorted(local.files)))
    known = base.files if base else None
    files = compare_files(local.files, remote.files, known)
    if not files.clashes:
        return remote.commit, files
    if not request.pull_request:
        named = ", ".join(files.clashes[:5]) + (" …" if files.clashes[5:] else "")
        why = (
            "was changed by somebody else since the last publish from here"
            if base
            else "was never published from here and holds other files of the same names"
        )
        raise UserError(
            f"{remote.repo_id} {why}: {named}; nothing was sent. Get them first (git pull), or "
            "propose your changes with --pr"
        )
    if base is not None and base.commit != remote.commit:
        tree = hub.ask(
            f"list the files of {remote.repo_id}",
            lambda: files_at(hub, remote.repo_id, base.commit),
        )
        return base.commit, compare_files(local.files, tree, base.files)
    there = {path: one.blob_id for path, one in remote.files.items() if path in local.files}
    return remote.commit, compare_files(local.files, remote.files, there)


def compare_with(
    hub: Hub,
    request: Request,
    wanted: Settings,
    remote: RemoteSpace | None,
    record: Record | None,
) -> SettingChanges:
    """The settings that differ from those there; what nobody gave is not asked for."""
    variables: Mapping[str, str] = {}
    secrets = tuple(sorted(request.secrets))
    if remote is not None:
        if wanted.variables:
            variables = variables_of(hub, remote.repo_id)
        if secrets:
            there = secret_times(hub, remote.repo_id)
            secrets = tuple(
                key for key in secrets if not is_sent(key, request.secrets[key], there, record)
            )
    tier = load_tiers().get(wanted.hardware or "")
    return compare_settings(wanted, remote, variables, secrets, tier is not None and is_paid(tier))


def is_sent(key: str, value: str, there: Mapping[str, str], record: Record | None) -> bool:
    """Whether this very value was sent from here, and nobody has changed it since."""
    sent = record.secrets.get(key) if record else None
    return sent is not None and there.get(key) == sent.updated and sent.is_of(value)


def price(flavor: str | None) -> float | None:
    """Of an hour, in USD; None where it is not known."""
    tier = load_tiers().get(flavor or "")
    return tier.price_per_hour if tier else None


def is_paid(tier: Tier) -> bool:
    """Whether its time costs money."""
    return tier.price_per_hour > 0


def as_data(plan: Plan) -> dict[str, Any]:
    """The plan for programs; no value of a secret."""

    def change(one: Any) -> Any:
        return None if one is None else {"old": one.old, "new": one.new}

    settings = plan.settings
    return {
        "repo_id": plan.repo_id,
        "new": plan.remote is None,
        "added": list(plan.files.added),
        "changed": list(plan.files.changed),
        "deleted": list(plan.files.deleted),
        "kept": list(plan.files.kept),
        "left_out": dict(plan.local.left_out),
        "hardware": change(settings.hardware),
        "sleep_time": change(settings.sleep_time),
        "visibility": change(settings.visibility),
        "variables": {key: change(one) for key, one in settings.variables.items()},
        "secrets": list(settings.secrets),
        "price_per_hour": {"old": plan.price[0], "new": plan.price[1]},
    }
