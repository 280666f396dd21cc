"""What a model says of itself, on the Hub or in a folder, as suggestions for the questions."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

from spaces_gen.errors import UserError

TIMEOUT_SECONDS = 5
MAX_HEADER_BYTES = 100_000_000


def inspect_model(model_id: str) -> dict[str, Any]:
    """Suggest answers for a model: `model_type` and `model_parameters`, as far as they are known.

    Raises:
        UserError: the model is not there.
    """
    folder = Path(model_id).expanduser()
    if folder.is_dir():
        return _parameters(parameters_in(folder))
    if model_id.startswith((".", "/", "~")):
        raise UserError(f"model_id: there is no folder {model_id}")
    return _on_hub(model_id)


def parameters_in(folder: Path) -> int:
    """Parameters of the safetensors files below `folder`; 0 if there are none, or damaged ones."""
    total = 0
    for path in folder.rglob("*.safetensors"):
        try:
            with path.open("rb") as file:
                (size,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(min(size, MAX_HEADER_BYTES)))
        except (OSError, struct.error, ValueError):
            return 0
        shapes = [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]
        total += sum(math.prod(shape) for shape in shapes)
    return total


def _on_hub(model_id: str) -> dict[str, Any]:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    try:
        info = HfApi().model_info(model_id, timeout=TIMEOUT_SECONDS)
    except HFValidationError:
        return {}  # the question's own check says what is wrong
    except RepositoryNotFoundError as error:
        raise UserError(
            f"model_id: the Hub has no model {model_id} that you can see; check its name, or log "
            "in with `hf auth login` if it is private"
        ) from error
    except (HfHubHTTPError, OfflineModeIsEnabled, httpx.HTTPError, OSError):
        return {}  # not reachable: nothing is prefilled
    suggestions = _parameters(info.safetensors.total if info.safetensors else 0)
    return {**suggestions, "model_type": info.pipeline_tag} if info.pipeline_tag else suggestions


def _parameters(count: int) -> dict[str, Any]:
    return {"model_parameters": math.ceil(count / 1e6)} if count else {}
