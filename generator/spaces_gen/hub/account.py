"""Who publishes, and whether they may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spaces_gen.errors import UserError
from spaces_gen.hub.client import Hub

MAY_WRITE = {"admin", "write", "contributor"}  # roles in an organization
FREE = "cpu-basic"
NO_PLAN = {"", "free"}
ZERO_GPU_SPACES = {"free": 2, "pro": 10, "organization": 50}
TOKENS = "https://huggingface.co/settings/tokens"
BILLING = "https://huggingface.co/settings/billing"


@dataclass(frozen=True)
class Organization:
    """One that the account belongs to; None where the Hub does not say."""

    role: str | None
    plan: str | None
    can_pay: bool | None


@dataclass(frozen=True)
class Account:
    """What the Hub says of whoever has the token.

    Attributes:
        token_role: "read", "write" or "fineGrained"; None where it is not known.
        scopes: of a fine-grained token: what it may do, by namespace or repository.
    """

    name: str
    pro: bool
    can_pay: bool | None
    organizations: Mapping[str, Organization] = field(default_factory=dict)
    token_role: str | None = None
    scopes: Mapping[str, frozenset[str]] | None = None

    def check_token(self, repo_id: str) -> None:
        """Refuse a token that cannot write.

        Raises:
            UserError: with what to do instead.
        """
        if self.token_role == "read":
            raise UserError(f"your token may only read; make one that may write at {TOKENS}")
        if self.token_role != "fineGrained" or self.scopes is None:
            return
        allowed = self.scopes.get(repo_id.split("/")[0], frozenset()) | self.scopes.get(
            repo_id, frozenset()
        )
        if "repo.write" not in allowed:
            raise UserError(
                f"your fine-grained token may not write to {repo_id}; give it the permission "
                f"“Write access to contents/settings” there at {TOKENS}"
            )

    def zero_gpu_spaces(self, namespace: str) -> int | None:
        """How many Spaces on ZeroGPU there may be; None where the plan is not known."""
        if namespace == self.name:
            return ZERO_GPU_SPACES["pro" if self.pro else "free"]
        organization = self.organizations.get(namespace)
        known = organization is not None and organization.plan is not None
        return ZERO_GPU_SPACES["organization"] if known else None

    def check_namespace(self, namespace: str) -> None:
        """Refuse a namespace that is somebody else's.

        Raises:
            UserError: with those that are allowed.
        """
        if namespace == self.name:
            return
        if namespace not in self.organizations:
            mine = ", ".join([self.name, *self.organizations])
            raise UserError(f"you ({self.name}) cannot write to {namespace}; yours are: {mine}")
        role = self.organizations[namespace].role
        if role is not None and role not in MAY_WRITE:
            raise UserError(
                f"your role in {namespace} is “{role}”, which may not write; ask one of its "
                "admins, or propose the change with --pr"
            )

    def check_hardware(self, namespace: str, hardware: str, price: float, zero_gpu: bool) -> None:
        """Refuse hardware that the plan does not include.

        Raises:
            UserError: with what would be possible.
        """
        organization = self.organizations.get(namespace)
        if hardware == FREE:
            self._check_free(namespace, organization)
        elif price > 0:
            can_pay = organization.can_pay if organization else self.can_pay
            if can_pay is False:
                raise UserError(
                    f"{hardware} costs ${price:.2f} an hour and {namespace} has no payment method; "
                    f"add one at {BILLING}, or choose other hardware"
                )
        elif zero_gpu and organization and organization.plan in NO_PLAN:
            raise UserError(f"ZeroGPU in {namespace} needs a Team or Enterprise plan")

    def _check_free(self, namespace: str, organization: Organization | None) -> None:
        if organization is None:
            if not self.pro:
                raise UserError(
                    f"{FREE} needs a PRO subscription for Gradio Spaces (https://huggingface.co/pro);"
                    " without one choose --hardware zero-a10g (free, two Spaces) or paid hardware"
                )
        elif organization.plan in NO_PLAN:
            raise UserError(
                f"{FREE} needs a Team or Enterprise plan in {namespace} for Gradio Spaces; "
                "choose paid hardware, or publish under your own name"
            )


def who_am_i(hub: Hub) -> Account:
    """The account behind the token.

    Raises:
        UserError: there is no token, or the Hub does not accept it.
    """
    return parse(hub.ask("find out who you are", lambda: hub.api.whoami()))


def parse(answer: Mapping[str, Any]) -> Account:
    """The account that `whoami` describes; what it leaves out is not held against anybody."""
    token = (answer.get("auth") or {}).get("accessToken") or {}
    fine = token.get("fineGrained")
    organizations = {
        str(one["name"]): Organization(one.get("roleInOrg"), one.get("plan"), one.get("canPay"))
        for one in answer.get("orgs") or []
    }
    return Account(
        name=str(answer["name"]),
        pro=bool(answer.get("isPro")),
        can_pay=answer.get("canPay"),
        organizations=organizations,
        token_role=token.get("role"),
        scopes=None if not isinstance(fine, Mapping) else scopes(fine),
    )


def scopes(fine: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """What a fine-grained token may do, by the name of the user, organization or repository."""
    found: dict[str, frozenset[str]] = {}
    for one in fine.get("scoped") or []:
        name = str((one.get("entity") or {}).get("name", ""))
        found[name] = found.get(name, frozenset()) | frozenset(one.get("permissions") or [])
    return found
