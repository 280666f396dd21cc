"""`tiers` and `model-types`."""

from __future__ import annotations

from typing import Annotated

from spaces_gen.commands.options import JSON


def tiers(as_json: Annotated[bool, JSON] = False) -> None:
    """Print the table of hardware."""
    from spaces_gen.listing import list_tiers

    list_tiers(as_json)


def model_types(as_json: Annotated[bool, JSON] = False) -> None:
    """Print the table of model types."""
    from spaces_gen.listing import list_model_types

    list_model_types(as_json)
