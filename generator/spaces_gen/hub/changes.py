"""What a publish would change: what is here compared with what is there. Asks and sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spaces_gen.hub.local import LocalFile
from spaces_gen.hub.remote import RemoteFile, RemoteSpace

PAID_SLEEP_SECONDS = 3600  # paid hardware never sleeps unless it is told to
NEVER = -1


@dataclass(frozen=True)
class FileChanges:
    """Paths, sorted.

    Attributes:
        kept: files that are only there; nobody here knows them, so they stay.
        clashes: files that somebody else changed there, and that would be overwritten.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    clashes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.deleted)


@dataclass(frozen=True)
class Change:
    """A setting: what it is, and what it would be."""

    old: Any
    new: Any


@dataclass(frozen=True)
class Settings:
    """What is wanted of a Space beside its files; None for what is not said."""

    hardware: str | None = None
    sleep_time: int | None = None
    visibility: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class SettingChanges:
    """The settings that differ; secrets by their names alone."""

    hardware: Change | None = None
    sleep_time: Change | None = None
    visibility: Change | None = None
    variables: Mapping[str, Change] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    volumes: Change | None = None

    def __bool__(self) -> bool:
        settings = (self.hardware, self.sleep_time, self.visibility, self.volumes)
        return any(settings) or bool(self.variables or self.secrets)


def compare_files(
    local: Mapping[str, LocalFile],
    remote: Mapping[str, RemoteFile],
    base: Mapping[str, str] | None,
) -> FileChanges:
    """What a commit would have to do, and what it must not.

    Args:
        base: git's name of the content by path as of the last publish from here; None where
            there was none: then nothing there is known to be ours.
    """
    known = base or {}
    added, changed, deleted, kept, clashes = (list[str]() for _ in range(5))
    for path in sorted({*local, *remote}):
        here, there = local.get(path), remote.get(path)
        if here is None:
            assert there is not None
            if path not in known:
                kept.append(path)
            else:
                (deleted if there.blob_id == known[path] else clashes).append(path)
        elif there is None:
            (clashes if path in known else added).append(path)  # clash: deleted there
        elif not there.equals(here):
            (changed if there.blob_id == known.get(path) else clashes).append(path)
    return FileChanges(*map(tuple, (added, changed, deleted, kept, clashes)))


def compare_settings(
    wanted: Settings,
    remote: RemoteSpace | None,
    variables: Mapping[str, str],
    secrets: tuple[str, ...],
    never_sleeps: bool,
) -> SettingChanges:
    """The settings that differ from those there.

    Args:
        variables: that are set there.
        secrets: names of those to send.
        never_sleeps: whether the wanted hardware is paid, and runs until it is told not to.
    """
    hardware = difference(remote.hardware if remote else None, wanted.hardware)
    asleep = remote.sleep_time if remote else None
    sleep = wanted.sleep_time
    if sleep is None and never_sleeps and (hardware or asleep is None):
        sleep = PAID_SLEEP_SECONDS
    visibility = difference(remote.visibility if remote else None, wanted.visibility)
    volumes = None
    if wanted.volumes is not None:
        attached = remote.volumes if remote else ()
        if as_mounted(attached) != as_mounted(wanted.volumes):
            volumes = Change(attached, wanted.volumes)
    return SettingChanges(
        hardware=hardware,
        sleep_time=difference(asleep, sleep),
        visibility=visibility,
        variables={
            key: Change(variables.get(key), value)
            for key, value in wanted.variables.items()
            if variables.get(key) != value
        },
        secrets=secrets,
        volumes=volumes,
    )


def as_mounted(volumes: Iterable[Any]) -> set[tuple[Any, ...]]:
    """What is mounted where: the same whether or not somebody spelt out the Hub's defaults."""
    return {
        (one.type, one.source, one.mount_path, one.path or "", bool(one.read_only))
        if one.type == "bucket"
        else (one.type, one.source, one.mount_path, one.path or "", one.revision or "main")
        for one in volumes
    }


def difference(old: Any, new: Any) -> Change | None:
    """The change from one to the other; None where there is none, or nothing is wanted."""
    return None if new is None or old == new else Change(old, new)
