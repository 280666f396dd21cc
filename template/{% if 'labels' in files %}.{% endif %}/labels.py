"""Reads the labels that visitors type."""

from serving.errors import InputError

MOST = 20  # labels of a request
LONGEST = 100  # characters of a label


def separated(text: str) -> list[str]:
    """The labels that commas separate, each once.

    Raises:
        InputError: there are none, too many, or too long ones.
    """
    labels = dict.fromkeys(label.strip() for label in text.split(","))
    labels.pop("", None)
    if not labels:
        raise InputError("Please type at least one label first.")
    if len(labels) > MOST:
        raise InputError(f"These are too many labels: {MOST} are the limit.")
    if max(map(len, labels)) > LONGEST:
        raise InputError(
            f"This label is too long: {LONGEST} characters are the limit. "
            "Commas separate labels."
        )
    return list(labels)
