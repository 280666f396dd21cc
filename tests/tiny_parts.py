"""What the builders of tiny models share: words, tokenizers, sizes, and how to make them lively."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from tokenizers.pre_tokenizers import ByteLevel
from torch import nn

# Words that every tokenizer below knows as one token; other text falls apart into characters.
TEXT = """
a about and animal are bad best big blue book bread but buy by car cat cold come day do dog eat
family fast first food for friend from game garden girl give go good great green happy has have
help her his home hot house in is it just learn life like little look love man me milk movie music
my new night no not of old on one only park people price rain red right sad school she snow song
sun sweet terrible that the they this time to today tree very warm was water we weather went will
with wonderful work year you
"""
WORDS = TEXT.split()
SPACE = "\u0120"  # how byte-level BPE writes the space before a word
SPOKEN = [SPACE + word for word in WORDS]  # the only tokens that the random generators say

# The sizes of the transformers, as one-sided and as encoder-decoder configs call them.
Arguments = dict[str, Any]
SMALL: Arguments = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL |= {"intermediate_size": 128}
TWO_SIDED: Arguments = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2}
TWO_SIDED |= {"encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
TWO_SIDED |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4}


def labels(*names: str) -> Arguments:
    """The config arguments that name the classes of a model."""
    return {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}


def enliven(model: Any, seed: int, gain: float = 1.5) -> None:
    """Rescale random weights in place so that outputs clearly depend on inputs.

    Linear and convolution weights get std `gain / sqrt(fan_in)`, embeddings std 1 and biases
    std 0.1, drawn from a generator of its own. Frozen tables (Whisper's sinusoids) stay.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.weight.requires_grad:
            module.weight.normal_(std=1.0, generator=generator)
        elif isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            fan_in = module.weight[0].numel()
            module.weight.normal_(std=gain / fan_in**0.5, generator=generator)
            if module.bias is not None:
                module.bias.normal_(std=0.1, generator=generator)
    model.eval()


def spread_logits(head: nn.Linear, logits: torch.Tensor, mean: float, std: float) -> None:
    """Give each class this mean and std over sample logits (rows x classes), or one always wins."""
    scale = std / logits.std(dim=0)
    head.weight.mul_(scale[:, None])
    head.bias.sub_(logits.mean(dim=0)).mul_(scale).add_(mean)


def save(folder: Path, *parts: Any) -> None:
    """Write models, tokenizers and processors side by side into one folder."""
    for part in parts:
        part.save_pretrained(folder)


def wordpiece() -> Any:
    """BERT's lower-casing tokenizer; a word with a character outside ASCII becomes [UNK]."""
    characters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    endings = ["##" + character for character in characters if character.isalnum()]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = dict.fromkeys([*special, *characters, *endings, "##s", "##ed", "##ing", *WORDS])
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    return tf.BertTokenizer(vocab=vocabulary, model_max_length=512)


def byte_level(special: list[str], start: str = "", end: str = "") -> Arguments:
    """Vocabulary and merges of a byte-level BPE tokenizer; merges build `WORDS` left to right.

    `start` goes before each word (the space, for GPT-2), `end` after it ("</w>", for CLIP). All
    256 bytes are tokens, so any text can be encoded.
    """
    alphabet = sorted(ByteLevel.alphabet())
    pieces = dict.fromkeys(alphabet + [symbol + end for symbol in alphabet])
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS:
        left, *rest = [*start, *word[:-1], word[-1] + end]
        for right in rest:
            merges[left, right] = None
            left += right
            pieces[left] = None
    vocabulary = {piece: index for index, piece in enumerate([*pieces, *special])}
    return {"vocab": vocabulary, "merges": list(merges)}


@contextlib.contextmanager
def isolated_torch() -> Iterator[None]:
    """Seed torch, without gradients or a caller's inference mode; restore its state afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several test workers would compete for the cores
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.no_grad():
            torch.manual_seed(0)
            yield
    finally:
        torch.set_num_threads(threads)
