"""Embeds texts: texts of similar meaning get vectors that are close to each other.

How the vectors of a text's tokens become one is part of the model: modules.json and the
files that it names, as sentence-transformers writes them, say how. Without them it is
their mean.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from serving.batcher import similar
from serving.engine import compiled
from serving.runtime import runtime
from texts import longest

Layer = Callable[[torch.Tensor], torch.Tensor]

# What sentence-transformers calls each way of pooling, in its order.
WAYS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


class Embedder:
    """A model that embeds texts.

    Attributes:
        ways: of pooling; the vectors of several are put side by side.
        layers: what a pooled vector goes through, in turn.
        most: how many tokens of a text count; the rest is left out.
    """

    def __init__(self) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(runtime.model_id)
        self.tokenizer.padding_side = "right"
        self.model: Any = AutoModel.from_pretrained(
            runtime.model_id, dtype=runtime.dtype
        )
        self.model.to(runtime.device).eval()
        self.ways, self.layers = read_modules()
        most = read_json("sentence_bert_config.json").get("max_seq_length")
        self.most = most or longest(self.tokenizer, self.model.config)
        sample = self.padded(self.tokens(["A text.", "Another, longer text."]))
        self.network = compiled(self.model, sample)

    def tokens(self, texts: list[str]) -> list[list[int]]:
        """Tokenize texts; safe in several threads."""
        return self.tokenizer(texts, truncation=True, max_length=self.most)["input_ids"]

    def embed(self, texts: Sequence[list[int]]) -> torch.Tensor:
        """Embed tokenized texts, shape (texts, width), on the CPU in float32.

        They go through the model in passes of texts of similar length.
        """
        lengths = list(map(len, texts))
        tier = runtime.tier
        order: list[int] = []
        parts: list[torch.Tensor] = []
        for indices in similar(
            lengths, tier.call_cost, tier.max_batch_cost, len(texts)
        ):
            inputs = self.padded([texts[index] for index in indices])
            order += indices
            parts.append(self._vectors(inputs.to(runtime.device)))
        sorted_by_length = torch.cat(parts)
        vectors = torch.empty_like(sorted_by_length)
        vectors[order] = sorted_by_length
        return vectors

    def padded(self, texts: Sequence[list[int]]) -> Any:
        """Tokens as tensors of shape (texts, length of the longest)."""
        rows = [{"input_ids": tokens} for tokens in texts]
        return self.tokenizer.pad(rows, return_tensors="pt")

    def _vectors(self, inputs: Any) -> torch.Tensor:
        """One vector for each row of padded tokens."""
        states = self.network(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"]
        pooled = [pool(states, mask, way) for way in self.ways]
        vectors = torch.cat(pooled, dim=1) if len(pooled) > 1 else pooled[0]
        for layer in self.layers:
            vectors = layer(vectors)
        return vectors.cpu()


def pool(states: torch.Tensor, mask: torch.Tensor, way: str) -> torch.Tensor:
    """One vector for each text from those of its tokens, as sentence-transformers does.

    Args:
        states: of the tokens, shape (texts, tokens, width), padded on the right.
        mask: 1 for tokens, 0 for padding, shape (texts, tokens).
        way: one of `WAYS`.
    """
    if way == "cls":
        return states[:, 0]
    if way == "lasttoken":
        return states[torch.arange(len(states)), mask.sum(1) - 1]
    if way == "max":
        return states.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(1)
    weights = mask
    if way == "weightedmean":
        weights = mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)
    total = weights.sum(1, keepdim=True)
    if way == "mean_sqrt_len_tokens":
        total = total.sqrt()
    return (states * weights.unsqueeze(-1)).sum(1) / total


def read_modules() -> tuple[list[str], list[Layer]]:
    """The ways of pooling of this model, and the layers behind it.

    Raises:
        ValueError: it has a module of another kind, without which its vectors are wrong.
    """
    ways: list[str] = ["mean"]
    layers: list[Layer] = []
    for module in read_json("modules.json") or []:
        kind, path = module["type"].rpartition(".")[2], module["path"]
        if kind == "Pooling":
            ways = read_ways(read_json(f"{path}/config.json"))
        elif kind == "Dense":
            layers.append(dense(path))
        elif kind == "Normalize":
            layers.append(torch.nn.functional.normalize)
        elif kind != "Transformer":
            raise ValueError(
                f"{runtime.model_id} has a module that embeddings.py does not know: {kind}"
            )
    return ways, layers


def read_ways(config: dict[str, Any]) -> list[str]:
    """The ways of pooling that the config of a Pooling module names."""
    named = config.get("pooling_mode") or [
        way for way, key in WAYS.items() if config.get(key)
    ]
    ways = [named] if isinstance(named, str) else list(named or ["mean"])
    if not set(ways) <= WAYS.keys():
        raise ValueError(f"embeddings.py does not know this pooling: {named}")
    return ways


def dense(path: str) -> Layer:
    """A layer that was trained behind the pooling."""
    config = read_json(f"{path}/config.json")
    if config.get("use_residual"):
        raise ValueError("embeddings.py does not know layers with a residual")
    layer = torch.nn.Linear(
        config["in_features"], config["out_features"], bias=config["bias"]
    )
    weights = fetch(f"{path}/model.safetensors")
    if weights is not None:
        state = load_file(weights)
    else:
        state = torch.load(fetch(f"{path}/pytorch_model.bin"), weights_only=True)
    layer.load_state_dict({name.split(".")[-1]: state[name] for name in state})
    activation = config["activation_function"].rpartition(".")[2]
    layers = torch.nn.Sequential(layer, getattr(torch.nn, activation)())
    return layers.to(runtime.device, torch.float32).requires_grad_(False)


def read_json(name: str) -> Any:
    """What a JSON file of the model says; an empty mapping where there is none."""
    path = fetch(name)
    return {} if path is None else json.loads(path.read_text(encoding="utf-8"))


def fetch(name: str) -> Path | None:
    """A file of the model, in its folder or from the Hub; None where there is none."""
    folder = Path(runtime.model_id)
    if folder.is_dir():
        path = folder / name
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(runtime.model_id, name))
    except EntryNotFoundError:
        return None
