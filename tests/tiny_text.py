"""Tiny models of the types that read or write texts; see tiny_models.py."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from tiny_parts import (
    SMALL,
    SPACE,
    SPOKEN,
    TWO_SIDED,
    WORDS,
    Arguments,
    byte_level,
    enliven,
    labels,
    save,
    spread_logits,
    wordpiece,
)

ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]  # in the order that its positions need


def sentences(count: int, length: int) -> list[str]:
    """Random ones."""
    chosen = torch.randint(len(WORDS), (count, length)).tolist()
    return [" ".join(WORDS[index] for index in row) for row in chosen]


def roberta_tokenizer(length: int = 512) -> Any:
    """Byte-level BPE as RoBERTa and BART have it."""
    pieces = byte_level([], SPACE)
    vocabulary = {piece: index for index, piece in enumerate([*ROBERTA, *pieces["vocab"]])}
    return tf.RobertaTokenizer(vocab=vocabulary, merges=pieces["merges"], model_max_length=length)


def token_classification(folder: Path) -> None:
    """BERT that calls random words persons, places and organizations."""
    tokenizer = wordpiece()
    names = labels("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
    config = tf.BertConfig(**SMALL, **names, vocab_size=len(tokenizer))
    model = tf.BertForTokenClassification(config)
    enliven(model, seed=21)
    inputs = tokenizer(sentences(64, 12), return_tensors="pt", padding=True)
    logits = model(**inputs).logits[inputs["attention_mask"] == 1]
    spread_logits(model.classifier, logits, mean=0.0, std=1.5)
    save(folder, model, tokenizer)


def question_answering(folder: Path) -> None:
    """RoBERTa that finds random answers, and for some questions none."""
    tokenizer = roberta_tokenizer()
    config = tf.RobertaConfig(
        **SMALL, vocab_size=len(tokenizer), max_position_embeddings=514, type_vocab_size=1
    )
    model: Any = tf.RobertaForQuestionAnswering(config)
    enliven(model, seed=22)
    inputs = tokenizer(sentences(64, 6), sentences(64, 30), return_tensors="pt", padding=True)
    outputs = model(**inputs)
    logits = torch.stack([outputs.start_logits, outputs.end_logits], -1)
    spread_logits(model.qa_outputs, logits[inputs["attention_mask"] == 1], mean=0.0, std=2.0)
    save(folder, model, tokenizer)


def fill_mask(folder: Path) -> None:
    """RoBERTa, whose mask is <mask>."""
    tokenizer = roberta_tokenizer()
    config = tf.RobertaConfig(
        **SMALL, vocab_size=len(tokenizer), max_position_embeddings=514, type_vocab_size=1
    )
    model = tf.RobertaForMaskedLM(config)
    enliven(model, seed=23)
    model.tie_weights()
    model.lm_head.dense.weight.mul_(0.2)
    save(folder, model, tokenizer)


def text_ranking(folder: Path) -> None:
    """BERT over query and passage with one score."""
    tokenizer = wordpiece()
    config = tf.BertConfig(**SMALL, vocab_size=len(tokenizer), num_labels=1)
    model = tf.BertForSequenceClassification(config)
    enliven(model, seed=24)
    inputs = tokenizer(sentences(64, 6), sentences(64, 12), padding=True, return_tensors="pt")
    spread_logits(model.classifier, model(**inputs).logits, mean=0.0, std=3.0)
    save(folder, model, tokenizer)


def feature_extraction(folder: Path) -> None:
    """BERT with the first token's vector, normalized, laid out as sentence-transformers does."""
    tokenizer = wordpiece()
    model = tf.BertModel(tf.BertConfig(**SMALL, vocab_size=len(tokenizer)))
    enliven(model, seed=25)
    save(folder, model, tokenizer)
    modules = {
        "": "sentence_transformers.models.Transformer",
        "1_Pooling": "sentence_transformers.models.Pooling",
        "2_Normalize": "sentence_transformers.models.Normalize",
    }
    write_modules(folder, modules, {"1_Pooling": {"pooling_mode_cls_token": True}})


def write_modules(folder: Path, modules: dict[str, str], configs: dict[str, Any]) -> None:
    """The files of sentence-transformers: the modules by path, and their configs."""
    rows = [
        {"idx": number, "name": str(number), "path": path, "type": kind}
        for number, (path, kind) in enumerate(modules.items())
    ]
    (folder / "modules.json").write_text(json.dumps(rows), encoding="utf-8")
    for path, config in configs.items():
        (folder / path).mkdir()
        (folder / path / "config.json").write_text(json.dumps(config), encoding="utf-8")


BEAMS: Arguments = {"num_beams": 2, "no_repeat_ngram_size": 2, "early_stopping": True}
SHORT: Arguments = {"exponential_decay_length_penalty": (8, 1.3)}  # ends after some 8 to 20 tokens


def make_listen(model: Any, spoken: list[int], end: int, stop: float) -> None:
    """Make a random encoder-decoder say different things about different texts, and stop.

    All tokens but words and the end are quiet, and the decoder listens more than it continues
    its own text. The larger `stop`, the shorter the texts.
    """
    tokens = model.get_decoder().embed_tokens.weight
    loudness = torch.full((len(tokens), 1), 0.05)
    loudness[spoken] = 1.0
    loudness[end] = stop
    heads = model.get_output_embeddings()
    if heads.weight is tokens:
        tokens.mul_(loudness)
    else:
        heads.weight.mul_(loudness)
    for name, module in model.get_decoder().named_modules():
        if name.endswith(("encoder_attn.out_proj", "EncDecAttention.o")):
            module.weight.mul_(6.0)


def summarization(folder: Path) -> None:
    """BART that turns a text into some random words."""
    tokenizer = roberta_tokenizer(1024)
    ids = tokenizer.get_vocab()
    special: Arguments = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    special |= {"decoder_start_token_id": 2, "forced_bos_token_id": None}
    config = tf.BartConfig(
        **TWO_SIDED, **special, vocab_size=len(tokenizer), max_position_embeddings=1024
    )
    config.task_specific_params = {"summarization": {**BEAMS, "prefix": "summarize: "}}
    model = tf.BartForConditionalGeneration(config)
    enliven(model, seed=26)
    make_listen(model, [ids[token] for token in SPOKEN], end=2, stop=1.2)
    model.generation_config = tf.GenerationConfig(**special, **SHORT)
    save(folder, model, tokenizer)


def text2text_generation(folder: Path) -> None:
    """T5 that answers a text with some random words."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -8.0)]
    characters = [(chr(code), -9.0) for code in range(33, 127)]
    words = [("▁" + word, -4.0) for word in WORDS]
    vocabulary = [*special, *characters, *words]
    tokenizer = tf.T5Tokenizer(vocab=vocabulary, extra_ids=10, model_max_length=512)
    ids = tokenizer.get_vocab()
    config = tf.T5Config(
        d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=len(tokenizer),
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    model = tf.T5ForConditionalGeneration(config)
    enliven(model, seed=27)
    make_listen(model, [ids[word] for word, _ in words], end=1, stop=1.2)
    model.generation_config = tf.GenerationConfig(
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, **SHORT
    )
    save(folder, model, tokenizer)


def translation(folder: Path) -> None:
    """M2M100 of 100 languages, with a SentencePiece model of its own."""
    import sentencepiece

    pieces = folder / "pieces.model"
    with pieces.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences(400, 12)),
            model_writer=file,
            vocab_size=400,
            hard_vocab_limit=False,
            minloglevel=2,
        )
    known = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    names = [known.id_to_piece(number) for number in range(3, len(known))]
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *names]
    listed = folder / "listed.json"
    numbers = dict(zip(vocabulary, itertools.count()))
    listed.write_text(json.dumps(numbers), encoding="utf-8")
    tokenizer = tf.M2M100Tokenizer(str(listed), str(pieces), model_max_length=1024)
    special: Arguments = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    special |= {"decoder_start_token_id": 2}
    config = tf.M2M100Config(**TWO_SIDED, **special, vocab_size=len(numbers) + 100 + 8)
    model = tf.M2M100ForConditionalGeneration(config)
    enliven(model, seed=28)
    make_listen(model, [numbers[name] for name in names], end=2, stop=0.8)
    model.generation_config = tf.GenerationConfig(**special, **BEAMS, **SHORT)
    save(folder, model, tokenizer)
    pieces.unlink()
    listed.unlink()


BUILDERS: dict[str, Callable[[Path], None]] = {
    "token-classification": token_classification,
    "question-answering": question_answering,
    "fill-mask": fill_mask,
    "summarization": summarization,
    "translation": translation,
    "text2text-generation": text2text_generation,
    "feature-extraction": feature_extraction,
    "text-ranking": text_ranking,
}
