"""Plots, where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spaces_gen.errors import UserError


@contextmanager
def figure(path: Path, size: tuple[float, float], columns: int = 1) -> Iterator[tuple[Any, ...]]:
    """Axes to draw on; what is drawn is written to `path` in the end.

    Args:
        size: in inches.
        columns: how many axes, side by side.

    Raises:
        UserError: matplotlib is missing, or the file cannot be written.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise UserError("for a plot: pip install 'spaces-gen[plots]'") from error
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawing, axes = plt.subplots(1, columns, figsize=size, squeeze=False)
    try:
        yield tuple(axes[0])
        drawing.tight_layout()
        drawing.savefig(path)
    except (OSError, ValueError) as error:
        raise UserError(f"the plot cannot be written to {path}: {error}") from error
    finally:
        plt.close(drawing)
