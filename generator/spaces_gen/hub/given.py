"""Variables, secrets and volumes as a person gives them on the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from dotenv import dotenv_values
from huggingface_hub import Volume
from huggingface_hub.utils import parse_hf_mount  # type: ignore[attr-defined]

from spaces_gen.errors import UsageError, UserError
from spaces_gen.hub.local import LocalSpace

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SHORTEST_SECRET = 8  # characters; a shorter one may stand in a file by chance


def variables(given: list[str]) -> dict[str, str]:
    """Of `--variable KEY=VALUE`.

    Raises:
        UsageError: one has another form.
    """
    found = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals:
            raise UsageError(f"--variable {key}: write KEY=VALUE")
        found[checked(key, "--variable")] = value
    return found


def secrets(keys: list[str], file: Path | None, ask: Callable[[str], str] | None) -> dict[str, str]:
    """Of `--secret KEY`, from the environment or a prompt, and of `--secrets-file FILE`.

    Args:
        ask: asks for a value without showing it; None where there is nobody to ask.

    Raises:
        UsageError: a value stands in the arguments, where every program can read it.
        UserError: a value is nowhere, or the file cannot be read.
    """
    found: dict[str, str] = {}
    if file is not None:
        if not file.is_file():
            raise UserError(f"there is no secrets file {file}")
        try:
            read = dotenv_values(file, interpolate=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"the secrets file {file} cannot be read; write KEY=VALUE lines"
            ) from error
        found = {checked(key, str(file)): value for key, value in read.items() if value}
    for key in keys:
        if "=" in key:
            name = key.partition("=")[0]
            raise UsageError(
                f"--secret {name}=…: give the name alone, and the value in the environment, in a "
                "--secrets-file or when asked; arguments can be read by every program"
            )
        value = os.environ.get(checked(key, "--secret")) or found.get(key)
        if not value and ask is not None:
            value = ask(key)
        if not value:
            raise UserError(
                f"the secret {key} has no value: set it in the environment, or use --secrets-file"
            )
        found[key] = value
    return found


def checked(key: str, where: str) -> str:
    """A name that a variable can have.

    Raises:
        UsageError: it is none.
    """
    if not NAME.fullmatch(key):
        raise UsageError(f"{where}: {key!r} is no name; use letters, digits and underscores")
    return key


def volumes(given: list[str]) -> tuple[Volume, ...] | None:
    """Of `--volume hf://[TYPE/]SOURCE:/MOUNT_PATH[:ro]`; None where there are none.

    Raises:
        UsageError: one has another form.
    """
    found = []
    for one in given:
        try:
            mount = parse_hf_mount(one)
        except ValueError as error:
            raise UsageError(f"--volume {one}: {error}") from error
        found.append(
            Volume(
                type=mount.source.type,
                source=mount.source.id,
                mount_path=mount.mount_path,
                read_only=mount.read_only,
                path=mount.source.path_in_repo or None,
                revision=mount.source.revision or None,
            )
        )
    return tuple(found) or None


def check_not_published(secrets: Mapping[str, str], local: LocalSpace) -> None:
    """Refuse to publish a file in which the value of a secret stands.

    Raises:
        UserError: with the file and the name of the secret.
    """
    for key, value in secrets.items():
        if len(value) < SHORTEST_SECRET:
            continue
        for path, file in local.files.items():
            content = file.content if file.content is not None else file.path.read_bytes()
            if value.encode() in content:
                raise UserError(f"not published: the value of the secret {key} stands in {path}")
