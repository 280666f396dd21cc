"""Writes texts with an encoder-decoder, such as T5, BART, Marian or M2M100."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, LogitsProcessor

from serving.batcher import similar
from serving.errors import InputError
from serving.loading import load_model
from serving.runtime import runtime
from texts import checked, longest

CHARACTERS = 10  # for each token; a text with more is refused before it is tokenized
# What the configurations of older models say about a task, beside a prefix.
SETTINGS = ("early_stopping", "length_penalty", "no_repeat_ngram_size", "num_beams")


class Writer:
    """An encoder-decoder: it reads a text and writes another.

    It writes in the way that its authors have set, greedily or with beams, but never at
    random.

    Attributes:
        most: tokens of the longest text that it reads.
    """

    def __init__(self, task: str, max_new_tokens: int) -> None:
        """Load the weights.

        Args:
            task: what the configuration may have settings for.
            max_new_tokens: of the longest text that it writes.
        """
        self.tokenizer: Any = AutoTokenizer.from_pretrained(runtime.model_id)
        self.model: Any = load_model(AutoModelForSeq2SeqLM)
        config = self.model.config
        self.most = min(runtime.tier.max_input, longest(self.tokenizer, config))
        self._tasks = getattr(config, "task_specific_params", None) or {}
        settings = self._tasks.get(task, {})
        self.model.generation_config.update(
            **{name: settings[name] for name in SETTINGS if name in settings},
            do_sample=False,
            max_length=None,
            max_new_tokens=max_new_tokens,
        )

    def prefix(self, task: str) -> str:
        """What the model was trained to find before a text, such as "summarize: "."""
        return self._tasks.get(task, {}).get("prefix") or ""

    def tokens(self, text: str, prefix: str = "") -> list[int]:
        """Check and tokenize one text; safe in several threads.

        Raises:
            InputError: there is none, or it is too long.
        """
        checked(text, CHARACTERS * self.most)
        tokens = self.tokenizer(prefix + text, verbose=False)["input_ids"]
        check_length(len(tokens), self.most)
        return tokens

    def write(self, texts: Sequence[list[int]], first: Sequence[int] = ()) -> list[str]:
        """Answer each tokenized text with another, in passes of texts of similar length.

        Args:
            first: the token that each answer begins with, if that is given; it is left out.
        """
        lengths = list(map(len, texts))
        tier = runtime.tier
        written = [""] * len(texts)
        for indices in similar(
            lengths, tier.call_cost, tier.max_batch_cost, len(texts)
        ):
            rows = [{"input_ids": texts[index]} for index in indices]
            inputs = self.tokenizer.pad(rows, padding_side="right", return_tensors="pt")
            forced = [Forced([first[index] for index in indices])] if first else []
            tokens = self.model.generate(
                **inputs.to(runtime.device), logits_processor=forced
            )
            own = tokens[:, 2 if first else 1 :]  # behind the start
            answers = self.tokenizer.batch_decode(own, skip_special_tokens=True)
            for index, answer in zip(indices, answers):
                written[index] = answer.strip()
        return written


class Forced(LogitsProcessor):
    """Makes each text of a batch begin with a token of its own, such as its language."""

    def __init__(self, tokens: list[int]) -> None:
        self._tokens = torch.tensor(tokens)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of the next token, shape (texts x beams, vocabulary)."""
        if input_ids.shape[1] > 1:
            return scores
        beams = len(scores) // len(self._tokens)
        tokens = self._tokens.to(scores.device).repeat_interleave(beams)
        return torch.full_like(scores, -torch.inf).scatter(1, tokens.unsqueeze(1), 0)


def check_length(tokens: int, most: int, what: str = "text") -> None:
    """Refuse what is too long.

    Raises:
        InputError: it has more than `most` tokens.
    """
    if tokens > most:
        raise InputError(
            f"This {what} is too long: {most:,} tokens, which are about "
            f"{most * 3 // 4:,} words, are the limit, and it has {tokens:,} tokens."
        )
