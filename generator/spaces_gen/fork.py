"""`spaces-gen fork`: a copy of a Space on the Hub, made for its own hardware."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from rich.console import Console

from spaces_gen.answers import ANSWERS
from spaces_gen.errors import UserError
from spaces_gen.hub.account import Account, who_am_i
from spaces_gen.hub.changes import PAID_SLEEP_SECONDS, SettingChanges, Settings
from spaces_gen.hub.client import Hub
from spaces_gen.hub.plan import check_hardware, is_paid, price
from spaces_gen.hub.remote import RemoteSpace, read_remote, secret_times, variables_of
from spaces_gen.hub.show import as_price
from spaces_gen.hub.zero_gpu import check_room
from spaces_gen.names import HUB_PREFIX
from spaces_gen.tables import load_tiers
from spaces_gen.terminal import progress
from spaces_gen.upgrade_on_hub import OnHub, hardware_changes, quietly, send, stop_at_clashes, there
from spaces_gen.upgrading.change import Wish, content, make_change
from spaces_gen.upgrading.values import statements

SECRET_NAME = re.compile(
    r"(?=[A-Za-z0-9_]*(TOKEN|KEY|SECRET|PASSWORD|CREDENTIAL|CACHE_URL))[A-Za-z_][A-Za-z0-9_]*"
)


def fork(
    hub: Hub,
    source: str,
    target: str,
    settings: Settings,
    secrets: Mapping[str, str],
    *,
    dry_run: bool,
    console: Console,
) -> None:
    """Duplicate a Space, change the copy's files for its hardware, and tell what it lacks.

    Args:
        settings: of the copy; its variables are added to those of the original.

    Raises:
        UserError: it is not possible; found out before anything is made where it can be.
    """
    account = who_am_i(hub)
    target = target if "/" in target else f"{account.name}/{target}"
    remote = there(hub, source)
    original = OnHub(hub, remote)
    ours = content(original, ANSWERS) is not None
    wish = Wish({"hardware": settings.hardware} if settings.hardware else {})
    hardware = settings.hardware
    if ours:
        with progress(f"Working out what changes in {source}"):
            change = make_change(f"{HUB_PREFIX}{source}", original, wish, quietly(console))
        stop_at_clashes(console, source, change.merge)
        hardware = str(change.after.answers["hardware"])
    settings = Settings(
        hardware,
        settings.sleep_time or sleep_of(hardware),
        settings.visibility,
        {**readable_variables(hub, source), **settings.variables},
    )
    check(hub, account, target, settings)
    lacking = sorted(set(secrets_of(hub, remote, original)) - set(secrets))
    cost = as_price(price(hardware))
    console.print(f"{source} → {target} on {hardware or 'cpu-basic'} ({cost})", markup=False)
    if not dry_run:
        with progress(f"Copying {source}"):
            duplicate(hub, source, target, settings, secrets)
        if ours:
            make_for_tier(hub, target, wish, console)
    address = f"{hub.endpoint}/spaces/{target}"
    if lacking:
        console.print(
            f"secrets are not copied; it lacks {', '.join(lacking)}: "
            f"give them with --secret, or later at {address}/settings",
            markup=False,
        )
    if not ours:
        console.print(
            f"{source} was not made from this template: its files are copied as they are",
            markup=False,
        )
    if dry_run:
        console.print("[dim]nothing was sent: this was a dry run[/]")
    else:
        console.print(f"made: {address}", markup=False)


def check(hub: Hub, account: Account, target: str, settings: Settings) -> None:
    """Refuse a copy that the Hub would not let be made.

    Raises:
        UserError: with what would be possible.
    """
    account.check_token(target)
    account.check_namespace(target.split("/")[0])
    if read_remote(hub, target) is not None:
        raise UserError(f"{target} is there already; choose another name")
    check_hardware(account, target.split("/")[0], settings, None)
    check_room(hub, account, target, settings.hardware, None)


def sleep_of(hardware: str | None) -> int | None:
    """Paid hardware is told to sleep, since it never does by itself."""
    tier = load_tiers().get(hardware or "")
    return PAID_SLEEP_SECONDS if tier and is_paid(tier) else None


def readable_variables(hub: Hub, repo_id: str) -> dict[str, str]:
    """The variables of a Space, as far as they are shown to whoever asks."""
    try:
        return variables_of(hub, repo_id)
    except UserError:
        return {}


def duplicate(
    hub: Hub, source: str, target: str, settings: Settings, secrets: Mapping[str, str]
) -> None:
    """Make the copy with all its settings in one request.

    Raises:
        UserError: it is refused.
    """

    def pairs(values: Mapping[str, str]) -> list[dict[str, str]] | None:
        return [{"key": key, "value": value} for key, value in values.items()] or None

    def call() -> bool:
        hub.api.duplicate_repo(
            source,
            target,
            repo_type="space",
            visibility=settings.visibility,  # type: ignore[arg-type]
            space_hardware=settings.hardware,  # type: ignore[arg-type]
            space_sleep_time=settings.sleep_time,
            space_secrets=pairs(secrets),
            space_variables=pairs(settings.variables),
        )
        return True

    hub.ask(f"make {target}", call, lambda: read_remote(hub, target) is not None or None)


def make_for_tier(hub: Hub, target: str, wish: Wish, console: Console) -> None:
    """Change the files of the copy for its hardware.

    Raises:
        UserError: the Hub refuses; the copy is there then, and runs with the row that it finds.
    """
    remote = there(hub, target)
    mine = OnHub(hub, remote)
    with progress(f"Working out what changes in {target}"):
        change = make_change(f"{HUB_PREFIX}{target}", mine, wish, quietly(console))
    stop_at_clashes(console, target, change.merge)
    hardware = Settings(hardware=str(change.after.answers["hardware"]))
    settings = hardware_changes(remote, hardware)
    if change.merge.written or settings:
        send(hub, remote, change, settings or SettingChanges(), False, console)


def secrets_of(hub: Hub, space: RemoteSpace, files: OnHub) -> list[str]:
    """Names of the secrets that a Space has, or that its code asks for where they are not shown."""
    try:
        return list(secret_times(hub, space.repo_id))
    except UserError:
        pass
    top = [path for path in space.files if path.endswith(".py") and "/" not in path]
    names = {name for path in top for name in variables_in(content(files, path) or b"")}
    return [name for name in names if SECRET_NAME.fullmatch(name)]


def variables_in(source: bytes) -> Iterator[str]:
    """Names of the environment variables that a Python file reads."""
    nodes = (node for one in statements(source) for node in ast.walk(one))
    for node in nodes:
        asked: ast.expr | None = None
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            asked = node.slice
        if isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func)
            if called.endswith(("environ.get", "getenv")):
                asked = node.args[0]
        if isinstance(asked, ast.Constant) and isinstance(asked.value, str):
            yield asked.value
