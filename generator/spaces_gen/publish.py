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
from spaces_gen.hub.show import as_price, as_sleep, print_plan

SEND_SECONDS = 300  # for all requests until the commit is there, retries included


def run(request: Request, *, dry_run: bool, wait: bool, timeout: float, as_json: bool) -> int:
    """Publish; returns the exit code.

    Args:
        timeout: seconds for the Space to start.
        as_json: print the result as JSON on standard output, and all else on standard error.

    Raises:
        UserError: it is refused, or somebody else's changes would be overwritten.
    """
    console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False, soft_wrap=True)

    def say(sentence: str) -> None:
        console.print(sentence, markup=False)

    hub = Hub(SEND_SECONDS, say)
    plan = make_plan(hub, request, say)
    result: dict[str, Any] = {**as_data(plan), "dry_run": dry_run}
    code = 0
    if dry_run:
        print_plan(console, plan)
        console.print("[dim]nothing was sent: this was a dry run[/]")
    elif plan.empty:
        assert plan.remote is not None
        note(hub, plan, plan.remote, {})
        result |= {"commit": plan.remote.commit}
        console.print(f"nothing changed: {plan.repo_id} is as it is here", markup=False)
    elif request.pull_request:
        print_plan(console, plan)
        proposal = carry_out_as_pull_request(hub, plan, request.message)
        result |= {"pull_request": proposal.url}
        console.print(f"proposed: {proposal.url}", markup=False)
    else:
        print_plan(console, plan)
        commit = carry_out(hub, plan, request.message)
        result |= {"commit": commit}
        console.print(f"sent: {hub.endpoint}/spaces/{plan.repo_id}/commit/{commit}", markup=False)
        if wait:
            hub.allow(timeout)
            fate = wait_for(hub, console, plan, commit)
            code = 0 if fate.well else 1
            result |= {"stage": fate.stage, "cause": fate.cause}
    if as_json:
        print(json.dumps(result, indent=2))
    return code


def wait_for(hub: Hub, console: Console, plan: Plan, commit: str) -> Fate:
    """Follow the Space and tell how it ends."""
    before = plan.remote.stage if plan.remote else "NO_APP_FILE"
    with console.status("waiting for the build …") as status:
        fate = follow(
            hub,
            plan.repo_id,
            commit,
            before if plan.restarts else None,
            lambda stage: status.update(stage.lower().replace("_", " ") + " …"),
            lambda line: console.print(line, markup=False, style="dim"),
        )
    address = f"{hub.endpoint}/spaces/{plan.repo_id}"
    if fate.well:
        runtime = fate.runtime
        flavor = runtime.requested_hardware or runtime.hardware
        sleep = as_sleep(runtime.sleep_time)
        console.print(
            f"{fate.stage}: {address} on {flavor} ({as_price(price(flavor))}), sleeps: {sleep}",
            markup=False,
        )
        return fate
    for line in fate.lines:
        console.print(f"  {line}", markup=False, style="dim")
    console.print(f"{fate.stage}: {address} does not run", markup=False)
    if fate.cause:
        console.print(f"likely cause: {fate.cause}", markup=False)
    else:
        console.print(f"its log may tell more: spaces-gen logs {plan.repo_id}", markup=False)
    return fate
