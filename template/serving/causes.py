"""Why a model could not be loaded, in a sentence for whoever opens the page."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from huggingface_hub import errors
from packaging.requirements import InvalidRequirement, Requirement

from serving.batcher import out_of_memory

NEEDS_TOKEN = (
    "The model {model} is gated: its owner must grant access to it, and the owner of this "
    "Space must add a token as the secret HF_TOKEN."
)
NOT_FOUND = (
    "The model {model} was not found on the Hub: it may be misspelled, deleted, or private. "
    "For a private one the owner of this Space must add a token as the secret HF_TOKEN."
)
UNREACHABLE = (
    "The Hub cannot be reached to fetch the model {model}. It is tried again soon."
)
NO_MEMORY = "The model {model} does not fit the memory of this hardware."
MISSING = "The package {package} is missing: it belongs in requirements.txt."
OTHER = (
    "{package} {version} is installed, and requirements.txt asks for {wanted}: "
    "please build this Space again."
)


def why_not_loaded(error: BaseException, model_id: str) -> str:
    """The cause as a sentence; "" where it is another one, which the log tells."""
    if isinstance(error, SystemExit):  # a sentence of model.py's own
        return error.code if isinstance(error.code, str) else ""
    for cause in causes(error):
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return MISSING.format(package=cause.name.partition(".")[0])
        for kinds, sentence in (
            (errors.GatedRepoError, NEEDS_TOKEN),
            ((errors.RepositoryNotFoundError, errors.RevisionNotFoundError), NOT_FOUND),
            (
                (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled),
                UNREACHABLE,
            ),
            ((ConnectionError, TimeoutError), UNREACHABLE),
        ):
            if isinstance(cause, kinds):
                return sentence.format(model=model_id)
        if out_of_memory(cause):
            return NO_MEMORY.format(model=model_id)
    return wrong_package()


def wrong_package(requirements: Path = Path("requirements.txt")) -> str:
    """Which package is not as the Space wants it; "" where all are."""
    lines = requirements.read_text(encoding="utf-8") if requirements.exists() else ""
    for line in lines.splitlines():
        try:
            wanted = Requirement(line.partition("#")[0])
            if wanted.marker is None or wanted.marker.evaluate():
                version = metadata.version(wanted.name)
                if not wanted.specifier.contains(version, prereleases=True):
                    return OTHER.format(
                        package=wanted.name, version=version, wanted=wanted.specifier
                    )
        except InvalidRequirement:  # an option of pip, or nothing
            continue
        except metadata.PackageNotFoundError:
            return MISSING.format(package=wanted.name)
    return ""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it, the first cause at the end."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
