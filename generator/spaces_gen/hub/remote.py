"""A Space as it is on the Hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from huggingface_hub import SpaceRuntime
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from spaces_gen.hub.client import Hub
from spaces_gen.hub.local import LocalFile

OF_A_NEW_SPACE = {"README.md", ".gitattributes"}


@dataclass(frozen=True)
class RemoteFile:
    """A file there; `sha256` only where it is in LFS."""

    blob_id: str
    size: int
    sha256: str | None = None

    def equals(self, file: LocalFile) -> bool:
        """Whether its content is that of a file here."""
        if self.size != file.size:
            return False
        return file.sha256 == self.sha256 if self.sha256 else file.blob_id == self.blob_id


@dataclass(frozen=True)
class RemoteSpace:
    """A Space's files at one commit, and its settings.

    Attributes:
        hardware: the flavor that was asked for, or else that it runs on.
        sleep_time: in seconds; None where none is set, -1 for never.
    """

    repo_id: str
    commit: str
    files: Mapping[str, RemoteFile]
    stage: str
    hardware: str | None
    sleep_time: int | None
    visibility: str
    volumes: tuple[Any, ...]

    @property
    def is_new(self) -> bool:
        """Whether it holds nothing but what the Hub puts into a new one."""
        return set(self.files) <= OF_A_NEW_SPACE


def read_remote(hub: Hub, repo_id: str) -> RemoteSpace | None:
    """The Space, in two requests; None where there is none.

    Raises:
        UserError: the Hub cannot be asked.
    """
    info = hub.ask(f"read {repo_id}", lambda: if_there(hub, repo_id))
    if info is None:
        return None
    files = hub.ask(f"list the files of {repo_id}", lambda: files_at(hub, repo_id, str(info.sha)))
    runtime = info.runtime
    return RemoteSpace(
        repo_id=repo_id,
        commit=str(info.sha),
        files=files,
        stage=str(runtime.stage) if runtime else "unknown",
        hardware=(runtime.requested_hardware or runtime.hardware) if runtime else None,
        sleep_time=runtime.sleep_time if runtime else None,
        visibility=visibility_of(info),
        volumes=tuple(runtime.volumes or ()) if runtime else (),
    )


def if_there(hub: Hub, repo_id: str) -> Any:
    """What the Hub says of the Space; None where it is not there, or not to be seen."""
    try:
        return hub.api.space_info(repo_id)
    except RepositoryNotFoundError:
        return None


def visibility_of(info: Any) -> str:
    """Who sees the Space, by what the Hub says of it."""
    return getattr(info, "visibility", None) or ("private" if info.private else "public")


def runtime_of(hub: Hub, repo_id: str) -> SpaceRuntime:
    """Stage, hardware and sleep time.

    Raises:
        UserError: the Hub cannot be asked.
    """
    return hub.ask(f"look how {repo_id} is", lambda: hub.api.get_space_runtime(repo_id))


def variables_of(hub: Hub, repo_id: str) -> dict[str, str]:
    """The variables that are set.

    Raises:
        UserError: the Hub cannot be asked, or does not show them.
    """
    found = hub.ask(
        f"read the variables of {repo_id}", lambda: hub.api.get_space_variables(repo_id)
    )
    return {key: str(one.value) for key, one in found.items()}


def secret_times(hub: Hub, repo_id: str) -> dict[str, str]:
    """When each secret was last set.

    Raises:
        UserError: the Hub cannot be asked, or does not show them.
    """
    found = hub.ask(
        f"read the names of the secrets of {repo_id}", lambda: hub.api.get_space_secrets(repo_id)
    )
    return {key: str(one.updated_at) for key, one in found.items()}


def files_at(hub: Hub, repo_id: str, revision: str) -> dict[str, RemoteFile]:
    """The files of one commit, by path."""
    tree = hub.api.list_repo_tree(repo_id, repo_type="space", recursive=True, revision=revision)
    return {one.path: as_file(one) for one in tree if isinstance(one, RepoFile)}


def as_file(entry: RepoFile) -> RemoteFile:
    """A file of the Hub's listing."""
    return RemoteFile(entry.blob_id, entry.size, entry.lfs.sha256 if entry.lfs else None)
