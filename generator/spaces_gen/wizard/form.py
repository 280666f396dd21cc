"""The questions of copier.yml for given answers: defaults, choices, complaints.

Copier reads the same file, so an answer that is taken here is taken there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jinja2
import yaml
from jinja2.sandbox import SandboxedEnvironment

from spaces_gen.bundle import PACKAGE, TABLES, bundle_root
from spaces_gen.questions import brief, is_whole
from spaces_gen.tables.reading import LOADER, read_yaml

FILTERS = "jinja2_ansible_filters.AnsibleCoreFiltersExtension"  # those that Copier has
LONGEST_COMPLAINT = 200


class Option(NamedTuple):
    """One choice.

    Attributes:
        reason: why it cannot be taken; "" where it can.
        note: more about it, shown when it is pointed at.
    """

    value: str
    label: str
    reason: str = ""
    note: str = ""


class Form:
    """All questions.

    Values follow from the answers before them, so each method takes the answers that there are.
    """

    def __init__(self) -> None:
        spec = read_yaml(bundle_root() / "copier.yml")
        self._questions: dict[str, dict[str, Any]] = {
            key: row for key, row in spec.items() if not key.startswith("_")
        }
        self._jinja = SandboxedEnvironment(
            loader=jinja2.FunctionLoader(_table),
            extensions=[FILTERS],
            undefined=jinja2.StrictUndefined,
        )
        self._templates: dict[str, jinja2.Template] = {}

    def asked(self) -> list[str]:
        """The questions that are asked of everybody, in order."""
        return [key for key, row in self._questions.items() if "when" not in row]

    def question(self, key: str, answers: Mapping[str, Any]) -> str:
        """Its words."""
        return str(self._render(self._questions[key]["help"], self._values(answers, key)))

    def default(self, key: str, answers: Mapping[str, Any]) -> str:
        """What is taken without an answer."""
        values = self._values({k: v for k, v in answers.items() if k != key}, key)
        return str(self._value(key, values))

    def options(self, key: str, answers: Mapping[str, Any]) -> list[Option]:
        """What can be chosen; none where any text or number may be right."""
        choices = self._questions[key].get("choices")
        if choices is None:
            return []
        values = self._values(answers, key)
        found = self._render(choices, values)
        found = yaml.load(found, LOADER) if isinstance(found, str) else found
        pairs = found.items() if isinstance(found, Mapping) else ((str(one), one) for one in found)
        return [self._option(str(label), row, values) for label, row in pairs]

    def complaint(self, key: str, value: str, answers: Mapping[str, Any]) -> str:
        """Why an answer is not allowed; "" where it is."""
        row = self._questions[key]
        if row["type"] == "int" and not is_whole(value):
            return "write a whole number"
        given = int(value) if row["type"] == "int" else value
        values = {**self._values(answers, key), key: given}
        complained = str(self._render(row.get("validator", ""), values))
        return brief(" ".join(complained.split()), LONGEST_COMPLAINT // 2)

    def _option(self, label: str, row: Any, values: Mapping[str, Any]) -> Option:
        if not isinstance(row, Mapping):
            return Option(str(row), label)
        reason = str(self._render(row.get("validator", ""), values))
        return Option(str(row["value"]), label, " ".join(reason.split()))

    def _values(self, answers: Mapping[str, Any], until: str) -> dict[str, Any]:
        """The values of the questions before one."""
        values: dict[str, Any] = {}
        for key in self._until(until):
            if "when" not in self._questions[key] and key in answers:
                values[key] = self._cast(key, answers[key])
            else:
                values[key] = self._value(key, values)
        return values

    def _until(self, key: str) -> Iterator[str]:
        for name, row in self._questions.items():
            if name == key:
                return
            if row.get("when") in (None, False):  # the others are for programs
                yield name

    def _value(self, key: str, values: Mapping[str, Any]) -> Any:
        return self._cast(key, self._render(self._questions[key].get("default"), values))

    def _cast(self, key: str, value: Any) -> Any:
        kind = self._questions[key]["type"]
        if kind == "int":
            return int(value)
        if kind == "json" and isinstance(value, str):
            return json.loads(value)
        if kind == "yaml" and isinstance(value, str):
            return yaml.load(value, LOADER)
        return value

    def _render(self, template: Any, values: Mapping[str, Any]) -> Any:
        if not isinstance(template, str):
            return template
        if template not in self._templates:
            self._templates[template] = self._jinja.from_string(template)
        return self._templates[template].render(values).strip()


def _table(name: str) -> str | None:
    """A file that copier.yml includes."""
    if not name.startswith(f"{TABLES.as_posix()}/"):
        return None
    path = PACKAGE / "tables" / name.removeprefix(f"{TABLES.as_posix()}/")
    return path.read_text(encoding="utf-8") if path.is_file() else None
