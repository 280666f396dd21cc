"""The documents name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
A_TEST = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_each_test_that_a_document_names_exists(document: Path) -> None:
    for file, test in A_TEST.findall(document.read_text(encoding="utf-8")):
        code = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert not test or re.search(rf"^(async )?def {test}\b", code, re.MULTILINE), test


def test_each_threat_has_its_test() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "held by" not in line]
    assert len(rows) > 20
    assert not [row for row in rows if not A_TEST.search(row)]
