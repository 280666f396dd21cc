"""The model: texts in, speech out. Put your own code here.

It is one of the VITS family, which says a whole text at once. Long texts are said in
parts, so that each takes no more memory than a short one.
"""

import io
import re
import textwrap
import threading
import wave
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForTextToWaveform, AutoTokenizer

from serving.errors import InputError
from serving.runtime import runtime
from serving.values import Media
from texts import checked

DETERMINISTIC = True  # equal inputs give equal answers, which may be kept
PART_CHARACTERS = 300  # of a text that is said at once: some twenty seconds
PAUSE_SECONDS = 0.2  # between two parts
SLOWEST, FASTEST = 0.5, 2.0
SENTENCE_END = re.compile(r"(?<=[.!?;:…])\s+|(?<=[。！？；])|\n+")

tokenizer: Any
model: Any
turn = threading.Lock()  # the model's rate and PyTorch's chance are for one at a time


class Item(NamedTuple):
    """One request; the tokens of each part of its text."""

    parts: list[list[int]]
    characters: int
    speaking_rate: float
    speaker: int
    seed: int


def load() -> None:
    """Load the weights, once, before the first request."""
    global tokenizer, model
    tokenizer = AutoTokenizer.from_pretrained(runtime.model_id)
    # it adds up when each sound begins, which 16 bits cannot
    model = AutoModelForTextToWaveform.from_pretrained(
        runtime.model_id, dtype=torch.float32
    )
    if model.config.model_type != "vits":
        kind = model.config.model_type
        raise ValueError(f"this Space runs models of the VITS family, not {kind}")
    model.to(runtime.device).eval()


def prepare(
    text: str, speaking_rate: float = 1.0, speaker: int | None = 0, seed: int | None = 0
) -> Item:
    """Check and tokenize one text, while the model is busy with others."""
    checked(text, runtime.tier.max_input)
    speaker, seed = speaker or 0, seed or 0  # of a field that was emptied
    if not SLOWEST <= speaking_rate <= FASTEST:
        raise InputError(f"The speaking rate goes from {SLOWEST:g} to {FASTEST:g}.")
    if not 0 <= speaker < model.config.num_speakers:
        last = model.config.num_speakers - 1
        known = f"Speakers go from 0 to {last}." if last else "The only speaker is 0."
        raise InputError(known)
    if not 0 <= seed < 2**31:
        raise InputError("Seeds go from 0 to 2147483647.")
    tokens = [tokenizer(part)["input_ids"] for part in in_parts(text)]
    parts = [part for part in tokens if len(part) > 1]  # one is the space before a text
    if not parts:
        raise InputError("This text holds nothing that the voice can say.")
    return Item(parts, len(text), float(speaking_rate), int(speaker), int(seed))


def in_parts(text: str) -> list[str]:
    """Sentences, as many together as may be said at once."""
    parts: list[str] = []
    for sentence in SENTENCE_END.split(text):
        for piece in textwrap.wrap(sentence, PART_CHARACTERS, break_on_hyphens=False):
            if parts and len(parts[-1]) + len(piece) < PART_CHARACTERS:
                parts[-1] += f" {piece}"
            else:
                parts.append(piece)
    return parts


def size(item: Item) -> int:
    """Characters of the text."""
    return item.characters


@torch.inference_mode()
def predict(batch: list[Item]) -> list[Media]:
    """Say each text on its own: in a batch, padding would change how a text ends."""
    return [recording(said(item)) for item in batch]


def said(item: Item) -> torch.Tensor:
    """The samples of a text, from -1 to 1."""
    pause = torch.zeros(round(PAUSE_SECONDS * model.config.sampling_rate))
    pieces = []
    with turn:
        torch.manual_seed(item.seed)
        model.speaking_rate = item.speaking_rate * model.config.speaking_rate
        for tokens in item.parts:
            output = model(
                input_ids=torch.tensor([tokens], device=runtime.device),
                speaker_id=item.speaker if model.config.num_speakers > 1 else None,
            )
            length = int(output.sequence_lengths[0])
            pieces += [output.waveform[0, :length].cpu(), pause]
    return torch.cat(pieces[:-1])


def recording(samples: torch.Tensor) -> Media:
    """A WAV file of 16 bits."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, model.config.sampling_rate, 0, "NONE", "none"))
        file.writeframes((samples.clamp(-1, 1) * 32767).short().numpy().tobytes())
    return Media(data.getvalue(), ".wav")
