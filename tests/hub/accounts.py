"""Who is who: people, organizations, their plans, and tokens with what they may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["read", "write", "fineGrained"]
PAYING_PLANS = ("team", "enterprise")


@dataclass(eq=False)
class User:
    name: str
    pro: bool = False
    can_pay: bool = False

    @property
    def paying(self) -> bool:
        """Has what cpu-basic asks for."""
        return self.pro

    @property
    def zero_gpu_spaces(self) -> int:
        return 10 if self.pro else 2


@dataclass(eq=False)
class Org:
    """An organization; `members` has a role by name: admin, write, contributor or read."""

    name: str
    plan: str | None = None
    can_pay: bool = False
    members: dict[str, str] = field(default_factory=dict)
    shows_plan: bool = True  # nobody says whether whoami has it

    @property
    def paying(self) -> bool:
        return self.plan in PAYING_PLANS

    @property
    def zero_gpu_spaces(self) -> int:
        return 50 if self.paying else 0


@dataclass(eq=False)
class Token:
    """An access token.

    Args:
        scopes: of a fine-grained one: permissions by user, organization or `namespace/name`.
    """

    value: str = field(repr=False)
    name: str
    user: User
    role: Role
    scopes: dict[str, list[str]] = field(default_factory=dict)

    def allows(self, permission: str, *entities: str) -> bool:
        """Whether the token, apart from who owns it, lets through what changes one of these."""
        if self.role != "fineGrained":
            return self.role == "write"
        return any(permission in self.scopes.get(entity, []) for entity in entities)


class Accounts:
    """All users, organizations and tokens."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.orgs: dict[str, Org] = {}
        self.tokens: dict[str, Token] = {}

    def owner(self, namespace: str) -> User | Org | None:
        return self.users.get(namespace) or self.orgs.get(namespace)

    def role(self, user: User | None, namespace: str) -> str | None:
        """What a person is in a namespace; None for a stranger."""
        if user is None:
            return None
        if user.name == namespace:
            return "admin"
        org = self.orgs.get(namespace)
        return org.members.get(user.name) if org else None

    def may_create(self, token: Token, namespace: str) -> bool:
        role = self.role(token.user, namespace)
        granted = token.allows("repo.write", namespace)
        return role in ("admin", "write", "contributor") and granted

    def may_write(self, token: Token, repo_id: str, creator: str) -> bool:
        """Whether this token may change a repo; a contributor only their own ones."""
        namespace = repo_id.split("/")[0]
        role = self.role(token.user, namespace)
        member = role in ("admin", "write") or (
            role == "contributor" and creator == token.user.name
        )
        return member and token.allows("repo.write", namespace, repo_id)

    def may_discuss(self, token: Token, repo_id: str) -> bool:
        """Whether this token may open a pull request where its owner can read."""
        entities = (token.user.name, repo_id.split("/")[0], repo_id)
        return token.allows("discussion.write", *entities) or token.allows("repo.write", *entities)

    def whoami(self, token: Token) -> dict[str, object]:
        user = token.user
        orgs = [org for org in self.orgs.values() if user.name in org.members]
        access: dict[str, object] = {"displayName": token.name, "role": token.role}
        if token.role == "fineGrained":
            access["fineGrained"] = {
                "canReadGatedRepos": False,
                "global": [],
                "scoped": [self._scope(*scope) for scope in token.scopes.items()],
            }
        return {
            "type": "user",
            "id": f"id-{user.name}",
            "name": user.name,
            "fullname": user.name.title(),
            "email": f"{user.name}@example.com",
            "emailVerified": True,
            "isPro": user.pro,
            "canPay": user.can_pay,
            "periodEnd": None,
            "orgs": [self._org(org, user) for org in orgs],
            "auth": {"type": "access_token", "accessToken": access},
        }

    def _scope(self, entity: str, permissions: Iterable[str]) -> Mapping[str, object]:
        kind = "space" if "/" in entity else "org" if entity in self.orgs else "user"
        named = {"_id": f"id-{entity}", "type": kind, "name": entity}
        return {"entity": named, "permissions": list(permissions)}

    @staticmethod
    def _org(org: Org, user: User) -> dict[str, object]:
        said: dict[str, object] = {
            "type": "org",
            "id": f"id-{org.name}",
            "name": org.name,
            "fullname": org.name.title(),
            "canPay": org.can_pay,
            "roleInOrg": org.members[user.name],
            "isEnterprise": org.plan == "enterprise",
        }
        if org.plan and org.shows_plan:
            said["plan"] = org.plan
        return said
