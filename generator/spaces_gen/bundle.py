"""Where template and hooks lie: in the checkout, or inside the installed wheel."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).parent
TABLES = Path("generator/spaces_gen/tables")  # where copier.yml includes them from


def bundle_root() -> Path:
    """The folder that holds copier.yml, template/ and hooks/."""
    checkout = PACKAGE.parent.parent
    return checkout if (checkout / "copier.yml").is_file() else PACKAGE / "_bundle"


@contextmanager
def staged_template() -> Iterator[Path]:
    """The template as a plain folder without git, so that Copier takes its files as they are."""
    root = bundle_root()
    if (root / TABLES).is_dir() and not (root / ".git").exists():
        yield root
        return
    leave_out = shutil.ignore_patterns("__pycache__", "*.pyc", ".ruff_cache", ".mypy_cache")
    with tempfile.TemporaryDirectory(prefix="spaces-gen-") as folder:
        stage = Path(folder)
        shutil.copy2(root / "copier.yml", stage)
        shutil.copytree(root / "template", stage / "template", ignore=leave_out)
        (stage / TABLES).mkdir(parents=True)
        tables = PACKAGE / "tables"
        for path in [*tables.rglob("*.yml"), *tables.rglob("*.json")]:
            target = stage / TABLES / path.relative_to(tables)
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(path, target)
        yield stage
