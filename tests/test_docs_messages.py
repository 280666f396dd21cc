"""Every message has an entry in docs/troubleshooting.md, and every entry a message."""

from __future__ import annotations

import re
from pathlib import Path

from messages import ROOT, messages

PAGE = ROOT / "docs" / "troubleshooting.md"
REST = "[…]"
FEWEST = 200  # so many there are at the least, or they were not found


def entries(page: str) -> list[str]:
    """The messages that the page explains: the code before the colon of each item of a list."""
    items = re.split(r"\n(?=- |#|\n)", page.partition("\n## ")[2])
    found = []
    for item in items:
        flat = " ".join(item.split())
        terms = re.match(r"- ((?:`[^`]+`,? ?(?:or )?)+): \S", flat)
        assert terms or not flat.startswith("- "), f"no message, or nothing about it: {flat[:80]}"
        found += re.findall(r"`([^`]+)`", terms[1]) if terms else []
    return found


def explains(entry: str, message: str) -> bool:
    """Whether an entry is that message; `[…]` stands for any rest of it."""
    return re.fullmatch(".*".join(map(re.escape, entry.split(REST))), message) is not None


def unexplained(page: str) -> list[str]:
    """The messages without an entry."""
    known = entries(page)
    return [
        f"{message.place}: {message.text}"
        for message in messages()
        if not any(explains(entry, message.text) for entry in known)
    ]


def test_every_message_has_an_entry() -> None:
    assert len({message.text for message in messages()}) > FEWEST
    assert unexplained(PAGE.read_text(encoding="utf-8")) == []


def test_every_entry_has_a_message() -> None:
    said = {message.text for message in messages()}
    known = entries(PAGE.read_text(encoding="utf-8"))
    assert [one for one in known if not any(explains(one, text) for text in said)] == []
    assert len(known) == len(set(known)), sorted(one for one in known if known.count(one) > 1)


def test_an_entry_that_is_gone_is_noticed() -> None:
    """Each of them: no other one covers for it."""
    page = PAGE.read_text(encoding="utf-8")
    covered = {
        text: [entry for entry in entries(page) if explains(entry, text)]
        for text in {message.text for message in messages()}
    }
    assert {text: by for text, by in covered.items() if len(by) != 1} == {}


def test_a_new_message_is_noticed(tmp_path: Path) -> None:
    """The source is what counts, not a list of ours."""
    from messages import AT, of_folder

    (tmp_path / "new.py").write_text(
        "class Odd(UserError): ...\n"
        "def f(name):\n"
        "    why = f'it has no {name}'\n"
        "    raise Odd(f'{name} is odd: {why}') from None\n"
    )
    found = [one.text for one in of_folder(tmp_path, AT, tmp_path)]
    assert found == ["… is odd: …"]
