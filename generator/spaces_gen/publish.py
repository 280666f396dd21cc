"""`spaces-gen publish`: shows the plan, carries it out, tells what becomes of the Space."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

from spaces_gen.hub.apply import carry_out, carry_out_as_pull_request, note
from spaces_gen.hub.client import Hub
from spaces_gen.hub.follow import Fate, follow
from spaces_gen.hub.plan import Plan, Request, as_data, make_plan, price
from spaces_gen.hub.remote import RemoteSpace
from spaces_gen.hub.show import as_price, as_sleep, print_plan
from spaces_gen.terminal import make_console, progress

SEND_SECONDS = 300  # for all requests until the commit is there, retries included
SLOW_UPLINK = 1e6  # bytes in a second; large files have more time, by their size


def run(request: Request, *, dry_run: bool, wait: bool, timeout: float, as_json: bool) -> int:
    """Publish; returns the exit code.

    Args:
        timeout: seconds for the Space to start.
        as_json: print the result as JSON on standard output, and all else on standard error.

    Raises:
        UserError: it is refused, or somebody else's changes would be overwritten.
    """
    console = make_console(sys.stderr if as_json else sys.stdout)

    def say(sentence: str) -> None:
        console.print(sentence, markup=False)

    hub = Hub(SEND_SECONDS, say)
    with progress("Comparing with what is on the Hub"):
        plan = make_plan(hub, request, say)
    result: dict[str, Any] = {**as_data(plan), "dry_run": dry_run}
    code = 0
    if dry_run:
        print_plan(console, plan)
        console.print("[dim]nothing was sent: this was a dry run[/]")
    elif plan.empty and request.pull_request:
        say(f"nothing to propose: no file was changed here since it was at {plan.parent[:7]}")
    elif plan.empty:
        assert plan.remote is not None
        note(hub, plan, plan.remote, {})
        result |= {"commit": plan.remote.commit}
        say(f"nothing changed: {plan.repo_id} is as it is here{trouble(plan.remote)}")
    elif request.pull_request:
        print_plan(console, plan)
        hub.extend(plan.upload_bytes / SLOW_UPLINK)
        with progress(f"Sending to {plan.repo_id}"):
            proposal = carry_out_as_pull_request(hub, plan, request.message)
        result |= {"pull_request": proposal.url}
        say(f"proposed: {proposal.url}")
    else:
        print_plan(console, plan)
        hub.extend(plan.upload_bytes / SLOW_UPLINK)
        with progress(f"Sending to {plan.repo_id}"):
            commit = carry_out(hub, plan, request.message)
        result |= {"commit": commit}
        address = f"{hub.endpoint}/spaces/{plan.repo_id}"
        say(f"sent: {address}/commit/{commit}" if plan.files else f"sent: {address}")
        if wait:
            hub.allow(timeout)
            fate = wait_for(hub, console, plan, commit)
            code = 0 if fate.well else 1
            result |= {"stage": fate.stage, "cause": fate.cause}
    if as_json:
        print(json.dumps(result, indent=2))
    return code


def trouble(space: RemoteSpace) -> str:
    """What to add about a Space that has failed before; nothing for any other."""
    if not space.stage.endswith("ERROR"):
        return ""
    return f", and it is {space.stage}: see `spaces-gen logs {space.repo_id}`"


def wait_for(hub: Hub, console: Console, plan: Plan, commit: str) -> Fate:
    """Follow the Space and tell how it ends."""
    before = plan.remote.stage if plan.remote else "NO_APP_FILE"
    shown: list[str] = []

    def show(line: str) -> None:
        shown.append(line)
        console.print(line, markup=False, style="dim")

    with console.status("waiting for the build …") as status:
        fate = follow(
            hub,
            plan.repo_id,
            commit,
            before if plan.restarts else None,
            lambda stage: status.update(stage.lower().replace("_", " ") + " …"),
            show,
        )
    address = f"{hub.endpoint}/spaces/{plan.repo_id}"
    if fate.well:
        runtime = fate.runtime
        flavor = runtime.requested_hardware or runtime.hardware
        sleeps = "" if runtime.sleep_time is None else f", sleeps {as_sleep(runtime.sleep_time)}"
        console.print(
            f"{fate.stage}: {address} on {flavor} ({as_price(price(flavor))}){sleeps}",
            markup=False,
        )
        return fate
    for line in fate.lines:
        if line in shown:
            continue
        console.print(f"  {line}", markup=False, style="dim")
    console.print(f"{fate.stage}: {address} does not run", markup=False)
    if fate.cause:
        console.print(f"likely cause: {fate.cause}", markup=False)
    else:
        console.print(f"its log may tell more: spaces-gen logs {plan.repo_id}", markup=False)
    return fate
