"""The cases of the types that read or write texts; see cases.py."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

import torch
import transformers as tf
from case_parts import Case, close_scores, texts

LANGUAGES = ["en", "fr", "ja", "sw"]
GAPS = ["___", "[MASK]", "<mask>", "_____"]


class TokenClassification(Case):
    complaint = "type a text"

    @property
    def bad(self) -> list[Any]:
        return ["\n"]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[text] for text in texts(count)]

    @cached_property
    def pipeline(self) -> Any:
        return tf.pipeline(
            "token-classification", str(self.model), aggregation_strategy="simple", device="cpu"
        )

    def expected(self, inputs: list[Any]) -> list[tuple[str, str]]:
        text = inputs[0]
        found = self.pipeline(text)
        return [(text[one["start"] : one["end"]], one["entity_group"]) for one in found]

    def same(self, answer: Any, expected: Any) -> bool:
        kinds = "class_or_confidence"
        return [(one["token"], one[kinds]) for one in answer if one[kinds]] == expected


class QuestionAnswering(Case):
    complaint = "a question and a text"

    @property
    def bad(self) -> list[Any]:
        return ["Why?", " "]

    def inputs(self, count: int) -> list[list[Any]]:
        questions = [" ".join(text.split()[:8]) for text in texts(count)]
        return [list(pair) for pair in zip(questions, texts(2 * count)[count:])]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModelForQuestionAnswering.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> str:
        """By looking at every span there is."""
        tokenizer, model = self.parts
        tokens = tokenizer(*inputs, return_tensors="pt", return_offsets_mapping=True)
        places = tokens.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            outputs = model(**tokens)
        starts, ends = outputs.start_logits[0].tolist(), outputs.end_logits[0].tolist()
        inside = [
            at
            for at, part in enumerate(tokens.sequence_ids())
            if part == 1 and inputs[1][slice(*places[at])].strip()
        ]
        best = max(
            (starts[first] + ends[last], first, last)
            for first in inside
            for last in inside
            if first <= last < first + 30
        )
        if best[0] < starts[0] + ends[0]:
            return ""
        text: str = inputs[1][places[best[1]][0] : places[best[2]][1]]
        return text.strip()

    def same(self, answer: Any, expected: Any) -> bool:
        words, marked = answer
        shown = [one["token"] for one in marked if one["class_or_confidence"] == "answer"]
        if not expected:
            return bool(words == "The text does not answer this.") and not shown
        return bool(words == expected) and shown == [expected]


class FillMask(Case):
    complaint = "only one"

    @property
    def bad(self) -> list[Any]:
        return ["A ___ and a ___."]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[f"{text} {GAPS[i % 4]} again."] for i, text in enumerate(texts(count))]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModelForMaskedLM.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> dict[str, float]:
        tokenizer, model = self.parts
        text = inputs[0]
        for gap in reversed(GAPS):
            text = text.replace(gap, tokenizer.mask_token)
        tokens = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            logits = model(**tokens).logits[tokens["input_ids"] == tokenizer.mask_token_id]
        found: dict[str, float] = {}
        best = logits[0].softmax(-1).sort(descending=True)
        for score, token in zip(best.values[:10].tolist(), best.indices[:10].tolist()):
            word = tokenizer.decode([token]).strip()
            found[word] = found.get(word, 0) + score
        return found

    def same(self, answer: Any, expected: Any) -> bool:
        return close_scores(answer, expected)


class TextRanking(Case):
    complaint = "at least one passage"

    @property
    def bad(self) -> list[Any]:
        return ["a", "\n \n"]

    def inputs(self, count: int) -> list[list[Any]]:
        passages = texts(3 * count)
        return [
            [" ".join(text.split()[:6]), "\n\n".join(passages[i : i + 1 + i % 4])]
            for i, text in enumerate(texts(count))
        ]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModelForSequenceClassification.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> list[tuple[float, str]]:
        tokenizer, model = self.parts
        rows = []
        for passage in inputs[1].split("\n\n"):
            with torch.no_grad():
                logits = model(**tokenizer(inputs[0], passage, return_tensors="pt")).logits
            rows.append((float(logits), passage))
        return sorted(rows, reverse=True)

    def same(self, answer: Any, expected: Any) -> bool:
        rows = answer["data"]
        return len(rows) == len(expected) and all(
            passage == wanted and abs(score - exact) < 2e-4  # the page rounds to four digits
            for (score, passage), (exact, wanted) in zip(rows, expected)
        )


class FeatureExtraction(Case):
    complaint = "type a text"

    @property
    def bad(self) -> list[Any]:
        return [""]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[text] for text in texts(count)]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModel.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> list[float]:
        tokenizer, model = self.parts
        with torch.no_grad():
            states = model(**tokenizer(inputs[0], return_tensors="pt")).last_hidden_state
        vector: list[float] = (states[0, 0] / states[0, 0].norm()).tolist()
        return vector

    def same(self, answer: Any, expected: Any) -> bool:
        return len(answer) == len(expected) and all(
            abs(one - other) < self.tolerance for one, other in zip(answer, expected)
        )


class Text2TextGeneration(Case):
    """All encoder-decoders: each text is read, and answered, on its own."""

    complaint = "type a text"
    length = 256

    @property
    def bad(self) -> list[Any]:
        return [" "]

    def inputs(self, count: int) -> list[list[Any]]:
        return [[text] for text in texts(count)]

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoTokenizer.from_pretrained(self.model),
            tf.AutoModelForSeq2SeqLM.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> str:
        return self.written(inputs[0])

    def written(self, text: str, **options: Any) -> str:
        """What the model writes about one text."""
        tokenizer, model = self.parts
        tokens = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            found = model.generate(**tokens, max_new_tokens=self.length, do_sample=False, **options)
        said: str = tokenizer.decode(found[0], skip_special_tokens=True)
        return said.strip()

    def same(self, answer: Any, expected: Any) -> bool:
        return bool(answer == expected)


class Summarization(Text2TextGeneration):
    length = 200

    def expected(self, inputs: list[Any]) -> str:
        settings = {**self.parts[1].config.task_specific_params["summarization"]}
        return self.written(settings.pop("prefix") + inputs[0], **settings)


class Translation(Text2TextGeneration):
    complaint = "no language"
    length = 300

    @property
    def bad(self) -> list[Any]:
        return ["A text.", "en", "Klingon"]

    def inputs(self, count: int) -> list[list[Any]]:
        pairs = [(LANGUAGES[i % 4], LANGUAGES[(i // 2 + 1) % 4]) for i in range(count)]
        some = [text.split() for text in texts(count)]
        lines = [" ".join(words[: 5 + i]) for i, words in enumerate(some)]
        lines = [f"{line}\nSecond line {i}" for i, line in enumerate(lines)]
        return [[text, *pair] for text, pair in zip(lines, pairs)]

    def expected(self, inputs: list[Any]) -> str:
        """Sentence by sentence; those that end with a short word stay with the next."""
        text, source, target = inputs
        tokenizer, _ = self.parts
        tokenizer.src_lang = source
        wanted = tokenizer.get_lang_id(target)
        parts = re.split(r"((?<=\w\w\w\w[.?!]) |\n)", text)
        said = [self.written(one, forced_bos_token_id=wanted) for one in parts[::2]]
        code = f"__{target}__"  # it is not always a special token
        parts[::2] = [one.removeprefix(code).strip() for one in said]
        return "".join(parts).strip()


CASES: dict[str, type[Case]] = {
    "token-classification": TokenClassification,
    "question-answering": QuestionAnswering,
    "fill-mask": FillMask,
    "summarization": Summarization,
    "translation": Translation,
    "text2text-generation": Text2TextGeneration,
    "feature-extraction": FeatureExtraction,
    "text-ranking": TextRanking,
}
