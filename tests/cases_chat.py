"""Chat with pictures: different conversations, and what the model itself says."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
import transformers as tf
from case_parts import Case, pictures, texts
from gradio_client import handle_file
from PIL import Image


class ImageTextToText(Case):
    complaint = "type a message"

    @property
    def bad(self) -> list[Any]:
        return [{"text": " ", "files": []}, "", 16, 0, 1]

    def inputs(self, count: int) -> list[list[Any]]:
        """None to two pictures each; some draw from next to no words: nothing is left to chance."""
        paths = pictures(2 * count, self.folder / "pictures")
        calls: list[list[Any]] = []
        for i, text in enumerate(texts(count)):
            files = [handle_file(path) for path in paths[2 * i :][: i % 3]]
            sampling = [0, 1] if i % 2 else [1, 0.05]
            system = "You are kind." if i % 4 else ""
            calls.append([{"text": text, "files": files}, system, 16 * (1 + i % 3), *sampling])
        return calls

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        return (
            tf.AutoProcessor.from_pretrained(self.model),
            tf.AutoModelForImageTextToText.from_pretrained(self.model).eval(),
        )

    def expected(self, inputs: list[Any]) -> str:
        processor, model = self.parts
        message, system, length, *_ = inputs
        content = [
            {"type": "image", "image": Image.open(one["path"]).convert("RGB")}
            for one in message["files"]
        ]
        content.append({"type": "text", "text": message["text"]})
        turns = [{"role": "user", "content": content}]
        if system:
            turns.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
        prompt = processor.apply_chat_template(
            turns,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        with torch.no_grad():
            tokens = model.generate(**prompt, max_new_tokens=length, do_sample=False)
        start = prompt["input_ids"].shape[1]
        text: str = processor.tokenizer.decode(tokens[0, start:], skip_special_tokens=True)
        return text

    def same(self, answer: Any, expected: Any) -> bool:
        return bool(answer == expected)


CASES: dict[str, type[Case]] = {"image-text-to-text": ImageTextToText}
