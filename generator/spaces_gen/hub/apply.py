"""Carries out a plan, and remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from spaces_gen.errors import UserError
from spaces_gen.hub import record as records
from spaces_gen.hub.changes import SettingChanges, compare_files
from spaces_gen.hub.client import Hub
from spaces_gen.hub.plan import Plan
from spaces_gen.hub.record import Record, read_record, write_record
from spaces_gen.hub.remote import RemoteSpace, secret_times
from spaces_gen.hub.send import Proposal, change_settings, commit, create, propose


def carry_out(hub: Hub, plan: Plan, message: str) -> str:
    """Do what is planned; returns the commit that the Space is at.

    Raises:
        UserError: the Hub refuses, or does not answer in time. What is done by then is whole.
    """
    remote = plan.remote
    if remote is None:
        remote = create(hub, plan.repo_id, plan.local.sdk, plan.wanted, plan.secrets)
        known = {path: file.blob_id for path, file in remote.files.items()}
        # what is in it so far is nobody's work
        write_record(plan.local.root, Record(hub.endpoint, plan.repo_id, remote.commit, known))
        files = compare_files(plan.local.files, remote.files, known)
        files = replace(files, deleted=(), kept=files.deleted)
        settings, secrets = SettingChanges(), plan.secrets
    else:
        files, settings = plan.files, plan.settings
        secrets = {key: plan.secrets[key] for key in settings.secrets}
    if files:
        remote = commit(hub, remote, files, plan.local.files, message)
    note(hub, plan, remote, {})
    if settings:
        change_settings(hub, plan.repo_id, settings, plan.secrets)
    if secrets:
        note(hub, plan, remote, secrets)
    return remote.commit


def carry_out_as_pull_request(hub: Hub, plan: Plan, message: str) -> Proposal:
    """Open a pull request with the changes of the files.

    Raises:
        UserError: the Hub refuses, or does not answer in time.
    """
    if plan.remote is None:
        raise UserError(f"there is no {plan.repo_id} to propose a change to; publish without --pr")
    return propose(hub, plan.remote, plan.parent, plan.files, plan.local.files, message)


def note(hub: Hub, plan: Plan, remote: RemoteSpace, secrets: Mapping[str, str]) -> None:
    """Remember what is there now, as far as it is from here.

    What somebody else has changed meanwhile stays as it was known, so that it is not overwritten
    the next time.
    """
    before = read_record(plan.local.root)
    same = before is not None and before.repo_id == plan.repo_id
    files = dict(before.files) if before is not None and same else {}
    sent = dict(before.secrets) if before is not None and same else {}
    if secrets:
        there = secret_times(hub, plan.repo_id)
        sent |= {key: records.sent(value, there.get(key, "")) for key, value in secrets.items()}
    local = plan.local.files
    files = {path: blob_id for path, blob_id in files.items() if path in local}
    files |= {
        path: there.blob_id
        for path, there in remote.files.items()
        if path in local and there.equals(local[path])
    }
    write_record(plan.local.root, Record(hub.endpoint, plan.repo_id, remote.commit, files, sent))
