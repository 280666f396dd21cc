"""Writes texts with an encoder-decoder, such as T5, BART, Marian or M2M100."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from serving.batcher import similar
from serving.errors import InputError
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
        start: the token before everything that it writes.
    """

    def __init__(self, task: str, max_new_tokens: int) -> None:
        """Load the weights.

        Args:
            task: what the configuration may have settings for.
            max_new_tokens: of the longest text that it writes.
        """
        self.tokenizer: Any = AutoTokenizer.from_pretrained(runtime.model_id)
        self.model: Any = AutoModelForSeq2SeqLM.from_pretrained(
            runtime.model_id, dtype=runtime.dtype
        )
        self.model.to(runtime.device).eval()
        config = self.model.config
        self.most = min(runtime.tier.max_input, longest(self.tokenizer, config))
        self._tasks = getattr(config, "task_specific_params", None) or {}
        settings = self._tasks.get(task, {})
        generation = self.model.generation_config
        generation.update(
            **{name: settings[name] for name in SETTINGS if name in settings},
            do_sample=False,
            max_length=None,
            max_new_tokens=max_new_tokens,
        )
        self.start: int = generation.decoder_start_token_id

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

    def write(
        self, texts: Sequence[list[int]], starts: Sequence[list[int]] = ()
    ) -> list[str]:
        """Answer each tokenized text with another, in passes of texts of similar length.

        Args:
            starts: the tokens that each answer begins with, equally many, if any.
        """
        lengths = list(map(len, texts))
        tier = runtime.tier
        written = [""] * len(texts)
        for indices in similar(
            lengths, tier.call_cost, tier.max_batch_cost, len(texts)
        ):
            rows = [{"input_ids": texts[index]} for index in indices]
            inputs = self.tokenizer.pad(rows, padding_side="right", return_tensors="pt")
            if starts:
                begun = [starts[index] for index in indices]
                inputs["decoder_input_ids"] = torch.tensor(begun)
            tokens = self.model.generate(**inputs.to(runtime.device))
            own = tokens[:, len(starts[0]) if starts else 1 :]
            answers = self.tokenizer.batch_decode(own, skip_special_tokens=True)
            for index, answer in zip(indices, answers):
                written[index] = answer.strip()
        return written


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
