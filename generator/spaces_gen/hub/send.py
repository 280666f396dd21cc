"""Sends changes to the Hub: each whole or not at all, and once, whatever gets lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError

from spaces_gen.errors import UserError
from spaces_gen.hub.changes import FileChanges, SettingChanges, Settings, as_mounted
from spaces_gen.hub.client import Hub
from spaces_gen.hub.local import LocalFile
from spaces_gen.hub.remote import (
    RemoteFile,
    RemoteSpace,
    files_at,
    read_remote,
    runtime_of,
    secret_times,
    variables_of,
    visibility_of,
)

STALE = 412  # the branch is not at the parent commit
RECENT = 5  # pull requests that are looked through


@dataclass(frozen=True)
class Proposal:
    """A pull request."""

    number: int
    url: str


def create(
    hub: Hub, repo_id: str, sdk: str, settings: Settings, secrets: Mapping[str, str]
) -> RemoteSpace:
    """Create the Space with all its settings in one request.

    Raises:
        UserError: it is refused.
    """

    def call() -> bool:
        hub.api.create_repo(
            repo_id,
            repo_type="space",
            space_sdk=sdk,
            visibility=settings.visibility,  # type: ignore[arg-type]
            space_hardware=settings.hardware,  # type: ignore[arg-type]
            space_sleep_time=settings.sleep_time,
            space_secrets=[{"key": key, "value": value} for key, value in secrets.items()] or None,
            space_variables=[
                {"key": key, "value": value} for key, value in settings.variables.items()
            ]
            or None,
            space_volumes=list(settings.volumes or ()) or None,
        )
        return True

    hub.ask(f"create {repo_id}", call, lambda: read_remote(hub, repo_id) is not None or None)
    made = read_remote(hub, repo_id)
    if made is None:
        raise UserError(f"{repo_id} was created and is gone again; look at it on the Hub")
    return made


def commit(
    hub: Hub,
    space: RemoteSpace,
    files: FileChanges,
    local: Mapping[str, LocalFile],
    message: str,
) -> RemoteSpace:
    """Commit all changes of files at once on top of what was read; returns the Space with them.

    Raises:
        UserError: it is refused, or somebody else has committed since.
    """

    def done() -> RemoteSpace | None:
        now = read_remote(hub, space.repo_id)
        if now is None:
            raise UserError(f"{space.repo_id} is gone")
        if holds(now.files, files, local):
            return now
        if now.commit == space.commit:
            return None
        raise somebody_else(space.repo_id)

    def call() -> RemoteSpace | None:
        try:
            made = hub.api.create_commit(
                space.repo_id,
                operations(files, local),
                commit_message=message,
                repo_type="space",
                parent_commit=space.commit,
            )
        except HfHubHTTPError as error:
            if error.response.status_code != STALE:
                raise
            return done()
        # by its own name: somebody else may have committed since
        return replace(space, commit=made.oid, files=files_at(hub, space.repo_id, made.oid))

    result = hub.ask(f"commit to {space.repo_id}", call, done)
    if result is None:
        raise somebody_else(space.repo_id)
    return result


def propose(
    hub: Hub,
    space: RemoteSpace,
    parent: str,
    files: FileChanges,
    local: Mapping[str, LocalFile],
    message: str,
) -> Proposal:
    """Open a pull request with all changes of files, from the commit `parent`.

    One that is open and holds them already is returned in its place.

    Raises:
        UserError: it is refused.
    """

    def numbers() -> dict[int, str]:
        refs = hub.api.list_repo_refs(
            space.repo_id, repo_type="space", include_pull_requests=True
        ).pull_requests
        return {int(one.name.split("/")[-1]): one.target_commit for one in refs or []}

    def done() -> Proposal | None:
        newest = sorted(numbers().items(), reverse=True)[:RECENT]
        for number, head in newest:
            if holds(files_at(hub, space.repo_id, head), files, local):
                about = hub.api.get_discussion_details(space.repo_id, number, repo_type="space")
                if about.status in ("open", "draft"):
                    return Proposal(number, address(hub, space.repo_id, number))
        return None

    before = hub.ask(f"look through the pull requests of {space.repo_id}", done)
    if before is not None:
        return before

    def call() -> Proposal:
        info = hub.api.create_commit(
            space.repo_id,
            operations(files, local),
            commit_message=message,
            repo_type="space",
            parent_commit=parent,
            create_pr=True,
        )
        number = int(info.pr_num or 0)
        return Proposal(number, str(info.pr_url or address(hub, space.repo_id, number)))

    return hub.ask(f"open a pull request in {space.repo_id}", call, done)


def change_settings(
    hub: Hub, repo_id: str, changes: SettingChanges, secrets: Mapping[str, str]
) -> None:
    """Send the settings that differ, each in a request of its own, hardware last.

    What took effect though its answer was lost is not sent again: each restarts the Space.

    Raises:
        UserError: one is refused; those before it are changed.
    """
    api = hub.api
    if changes.visibility:
        shown = str(changes.visibility.new)
        send_once(
            hub,
            f"make {repo_id} {shown}",
            lambda: api.update_repo_settings(repo_id, repo_type="space", visibility=shown),  # type: ignore[arg-type]
            lambda: visibility_of(api.space_info(repo_id)) == shown,
        )
    for key, change in changes.variables.items():
        send_variable(hub, repo_id, key, str(change.new))
    if changes.secrets:
        before = secret_times(hub, repo_id)
        for key in changes.secrets:
            send_secret(hub, repo_id, key, secrets[key], before.get(key))
    if changes.volumes:
        volumes = list(changes.volumes.new)
        send_once(
            hub,
            "attach the volumes",
            lambda: api.set_space_volumes(repo_id, volumes),
            lambda: as_mounted(runtime_of(hub, repo_id).volumes or ()) == as_mounted(volumes),
        )
    sleep = changes.sleep_time.new if changes.sleep_time else None
    if changes.hardware:
        send_hardware(hub, repo_id, str(changes.hardware.new), sleep)
    elif sleep is not None:
        send_once(
            hub,
            "set the sleep time",
            lambda: api.set_space_sleep_time(repo_id, sleep),
            lambda: runtime_of(hub, repo_id).sleep_time == sleep,
        )


def send_variable(hub: Hub, repo_id: str, key: str, value: str) -> None:
    """Set a variable."""
    send_once(
        hub,
        f"set the variable {key}",
        lambda: hub.api.add_space_variable(repo_id, key, value),
        lambda: variables_of(hub, repo_id).get(key) == value,
    )


def send_secret(hub: Hub, repo_id: str, key: str, value: str, before: str | None) -> None:
    """Set a secret, of which the Hub tells only when that was done last: until now, `before`."""
    send_once(
        hub,
        f"set the secret {key}",
        lambda: hub.api.add_space_secret(repo_id, key, value),
        lambda: secret_times(hub, repo_id).get(key) != before,
    )


def send_hardware(hub: Hub, repo_id: str, flavor: str, sleep: int | None) -> None:
    """Ask for hardware, and with it for a sleep time where one is to be set."""

    def asked_for() -> bool:
        runtime = runtime_of(hub, repo_id)
        return runtime.requested_hardware == flavor and sleep in (None, runtime.sleep_time)

    send_once(
        hub,
        f"ask for {flavor}",
        lambda: hub.api.request_space_hardware(repo_id, flavor, sleep_time=sleep),  # type: ignore[arg-type]
        asked_for,
    )


def send_once(
    hub: Hub, what: str, call: Callable[[], object], took_effect: Callable[[], bool]
) -> None:
    """Send a setting, and after a lost answer only where it is not there yet."""

    def sent() -> bool:
        call()
        return True

    hub.ask(what, sent, lambda: took_effect() or None)


def operations(files: FileChanges, local: Mapping[str, LocalFile]) -> list[Any]:
    """The changes as the library wants them; it uses each only once."""
    adds = [
        CommitOperationAdd(path, local[path].content or str(local[path].path))
        if local[path].size
        else CommitOperationAdd(path, b"")
        for path in (*files.added, *files.changed)
    ]
    return [*adds, *(CommitOperationDelete(path, is_folder=False) for path in files.deleted)]


def holds(
    there: Mapping[str, RemoteFile], files: FileChanges, local: Mapping[str, LocalFile]
) -> bool:
    """Whether the changes have been made there."""
    written = all(
        path in there and there[path].equals(local[path]) for path in (*files.added, *files.changed)
    )
    return written and not any(path in there for path in files.deleted)


def address(hub: Hub, repo_id: str, number: int) -> str:
    """Of a pull request."""
    return f"{hub.endpoint}/spaces/{repo_id}/discussions/{number}"


def somebody_else(repo_id: str) -> UserError:
    """The error where the Space has moved on."""
    return UserError(
        f"somebody else has just committed to {repo_id}; run the command again to see what "
        "changed, or propose your changes with --pr"
    )
