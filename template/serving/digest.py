"""Tells equal requests from different ones."""

from __future__ import annotations

import hashlib
import io
import pickle
from typing import Any


def digest(item: Any) -> bytes | None:
    """A hash of any value that pickles (text, numbers, arrays, pictures); None for one that doesn't."""
    data = io.BytesIO()
    pickler = pickle.Pickler(data, protocol=5)
    pickler.fast = True  # equal values give equal bytes, whether or not they share parts
    try:
        pickler.dump(item)
    except Exception:  # pickling runs the item's own code, which may raise anything
        return None
    return hashlib.blake2b(data.getbuffer(), digest_size=16).digest()
