"""Conversations: what is left out of long ones, who shares a batch, whose files may be read."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
import tiny_chat
import torch
import transformers as tf
from cases import SENTENCES, Case, case, pictures
from gradio_client import Client, handle_file
from inside import inside, printed
from PIL import Image
from scripted import until
from space_process import QuickSpace, RunningSpace, python_path
from tiny_models import isolated_torch
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessorList,
)

from spaces_gen.bench import Demand
from spaces_gen.bench import bench as measure
from spaces_gen.load.endpoint import Argument, Endpoint
from spaces_gen.load.inputs import inputs

TEMPLATE = Path(__file__).parent.parent / "template"
WAIT = 20  # seconds until a test gives up; none depends on how long anything takes

sys.path.insert(0, str(TEMPLATE))


def module(name: str, folder: str) -> ModuleType:
    """A module of a folder of the template whose name is no package's."""
    (path,) = TEMPLATE.glob(f"*'{folder}'*/{name.replace('.', '/')}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


turns = module("turns", "chat")
together = module("serving.together", "image-text-to-text")


# -- what is left out ------------------------------------------------------------------------------


def said(number: int, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": str(number)}


@pytest.mark.parametrize("kept", range(8))
@pytest.mark.parametrize("roles", ["ua" * 3 + "u", "uau" + "u" + "au", "au" * 3, "u" * 7])
def test_the_oldest_turns_go_until_the_rest_fits_and_begins_with_a_question(
    roles: str, kept: int
) -> None:
    names = {"u": "user", "a": "assistant"}
    talk = [said(number, names[role]) for number, role in enumerate(roles)]
    asked: list[int] = []

    def read(some: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
        asked.append(len(some))
        return some if len(some) <= kept else None

    found = turns.newest(talk, read)
    possible = [talk] + [talk[at:] for at, role in enumerate(roles) if role == "u"]
    fitting = [some for some in possible if len(some) <= kept]
    assert found == (max(fitting, key=len) if fitting else None)
    assert len(asked) <= 4


# -- one batch for all -----------------------------------------------------------------------------


END = 0


class Script:
    """In place of a model: item 7 says 700, 701, ... as `model.generate` would let it."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.steps: list[int] = []  # of each batch
        self.room = 99  # items that fit the memory
        self.poison: set[Any] = set()
        self.ends: dict[Any, int] = {}  # after so many tokens an item says END
        self.gate = threading.Event()  # nobody gets a second token before
        self.gate.set()
        self.begun = threading.Event()

    def __call__(self, items: list[Any], **options: Any) -> None:
        self.batches.append(items)
        listen, (ended,) = options["streamer"], options["stopping_criteria"]
        said = torch.zeros(len(items), 3, dtype=torch.long)  # the prompts
        listen.put(said)
        if len(items) > self.room:
            raise RuntimeError("out of memory")
        running = torch.ones(len(items), dtype=torch.bool)
        for step in range(options["max_new_tokens"]):
            if self.poison & set(items) and step == 1:
                raise ValueError("poisoned")
            tokens = torch.tensor(
                [END if step + 1 == self.ends.get(item) else 100 * item + step for item in items]
            )
            said = torch.cat([said, tokens[:, None]], 1)
            running &= ~ended(said, None) & (tokens != END)
            listen.put(tokens)
            self.begun.set()
            assert self.gate.wait(WAIT)
            if not running.any():
                break
        self.steps.append(step + 1)
        listen.end()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def engine(script: Script) -> Callable[[int], Any]:
    return lambda size: together.Together(script, [END], size)


async def whole(engine: Any, item: int, length: int = 4, temperature: float = 0) -> list[int]:
    """The last that is heard of an answer."""
    latest: list[int] = []
    async for tokens in engine.answer(item, length, together.Sampling(temperature, 1.0)):
        assert tokens[: len(latest)] == latest or len(tokens) <= len(latest), (
            "a new start is shorter"
        )
        latest = tokens
    return latest


def says(item: int, length: int = 4) -> list[int]:
    return [100 * item + step for step in range(length)]


def together_in_one_loop(*answers: Awaitable[Any]) -> list[Any]:
    async def gather() -> list[Any]:
        return await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), WAIT)

    return asyncio.run(gather())


def test_each_gets_its_own_tokens_to_its_own_length(engine: Any, script: Script) -> None:
    script.ends = {2: 3}
    one = engine(8)
    lengths = {1: 4, 2: 9, 3: 1, 4: 7}
    found = together_in_one_loop(*(whole(one, item, length) for item, length in lengths.items()))
    assert found == [says(1), [*says(2, 2), END], says(3, 1), says(4, 7)]
    assert script.batches == [[1, 2, 3, 4]]
    until(lambda: script.steps == [7], "the batch ends, a moment after its last token")


def test_who_comes_meanwhile_is_in_the_next_batch(engine: Any, script: Script) -> None:
    script.gate.clear()
    one = engine(3)

    async def visit() -> list[Any]:
        first = asyncio.ensure_future(whole(one, 1))
        await asyncio.to_thread(script.begun.wait, WAIT)
        later = [asyncio.ensure_future(whole(one, item)) for item in range(2, 7)]
        await asyncio.sleep(0)
        script.gate.set()
        return await asyncio.wait_for(asyncio.gather(first, *later), WAIT)

    assert asyncio.run(visit()) == [says(item) for item in range(1, 7)]
    assert script.batches == [[1], [2, 3, 4], [5, 6]]
    assert together_in_one_loop(whole(one, 9)) == [says(9)], "after a rest, another thread works"


def test_who_causes_an_error_gets_it_and_the_others_are_answered(
    engine: Any, script: Script
) -> None:
    script.poison = {3, 6}
    found = together_in_one_loop(
        *(whole(one_, item) for one_ in [engine(8)] for item in range(1, 9))
    )
    for item, answer in enumerate(found, start=1):
        if item in script.poison:
            assert isinstance(answer, ValueError)
        else:
            assert answer == says(item)


def test_memory_that_runs_out_makes_batches_smaller_for_a_while(
    engine: Any, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.room = 3
    one = engine(8)
    assert together_in_one_loop(*(whole(one, item) for item in range(1, 9))) == list(
        map(says, range(1, 9))
    )
    assert [len(batch) for batch in script.batches] == [8, 4, 2, 2, 2, 2]
    script.batches.clear()
    assert together_in_one_loop(*(whole(one, item) for item in range(1, 9))) == list(
        map(says, range(1, 9))
    )
    assert [len(batch) for batch in script.batches] == [2, 2, 2, 2]
    script.room = 99
    monkeypatch.setattr(together, "PROBE_AFTER", 2)
    for _ in range(6 * together.PROBE_AFTER):
        together_in_one_loop(whole(one, 1))
    script.batches.clear()
    together_in_one_loop(*(whole(one, item) for item in range(1, 9)))
    assert [len(batch) for batch in script.batches] == [8]
    script.room = 0
    (error,) = together_in_one_loop(whole(one, 1))
    assert "out of memory" in str(error)


def test_who_leaves_is_computed_no_further(engine: Any, script: Script) -> None:
    script.gate.clear()
    one = engine(4)

    async def visit() -> list[int]:
        leavers = [asyncio.ensure_future(whole(one, item, 1000)) for item in (1, 2)]
        await asyncio.to_thread(script.begun.wait, WAIT)
        stays = asyncio.ensure_future(whole(one, 3))
        never = asyncio.ensure_future(whole(one, 4))
        await asyncio.sleep(0)
        for leaver in [*leavers, never]:
            leaver.cancel()
        await asyncio.wait([*leavers, never])
        script.gate.set()
        return await asyncio.wait_for(stays, WAIT)

    assert asyncio.run(visit()) == says(3)
    assert script.batches == [[1, 2], [3]]
    assert script.steps[0] < 5


def test_a_loop_that_is_closed_ends_nothing_but_its_own(engine: Any, script: Script) -> None:
    script.gate.clear()
    one = engine(4)
    loop = asyncio.new_event_loop()
    values = one.answer(1, 1000, together.Sampling(0, 1.0))
    assert loop.run_until_complete(anext(values)) == says(1, 1)
    loop.run_until_complete(values.aclose())
    loop.close()
    script.gate.set()
    assert together_in_one_loop(whole(one, 2)) == [says(2)]


# -- how words are drawn ---------------------------------------------------------------------------


SETTINGS = [(0, 1.0), (1.0, 1.0), (0.3, 0.9), (1.5, 0.5), (1.0, 1e-4), (0, 0.3), (0.7, 0.05)]


def drawn_alone(row: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """The share of each word as transformers draws, or all for the likeliest."""
    if not temperature or top_p < 0.001:
        return torch.zeros(len(row)).index_fill(0, row.argmax(), 1.0)
    scores = row[None]
    for warper in (
        tf.TemperatureLogitsWarper(temperature),
        tf.TopKLogitsWarper(together.TOP_K),
        tf.TopPLogitsWarper(top_p),
    ):
        scores = warper(None, scores)
    return scores[0].softmax(-1)


def many_scores() -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        yield 3 * torch.randn(len(SETTINGS), 200, generator=generator)


def test_each_row_of_a_pass_is_drawn_by_its_own_settings() -> None:
    rows = [together.Row(None, 1, together.Sampling(*one), None) for one in SETTINGS]
    draw = together.Draw(rows)
    for scores in many_scores():
        found = draw(torch.zeros(len(rows), 1), scores).softmax(-1)
        alone = [drawn_alone(row, *one) for row, one in zip(scores, SETTINGS)]
        assert torch.allclose(found, torch.stack(alone), atol=1e-6)


def test_so_is_each_request_of_continuous_batching() -> None:
    """What the chat without pictures asks of transformers, which nobody else has checked."""
    processors = ContinuousBatchingLogitsProcessorList(
        tf.LogitsProcessorList(
            [
                tf.TemperatureLogitsWarper(0.7),
                tf.TopKLogitsWarper(together.TOP_K),
                tf.TopPLogitsWarper(0.95),
            ]
        ),
        per_request_processors=True,
    )
    kwargs = [
        {"temperature": temperature, "top_p": top_p} if temperature else {"top_k": 1}
        for temperature, top_p in SETTINGS
    ]
    requests = [
        SimpleNamespace(has_new_token=True, state=SimpleNamespace(logit_processor_kwargs=one))
        for one in kwargs
    ]
    for one in kwargs:
        processors.check_kwargs(one)
    with pytest.raises(TypeError, match="temperature"):
        processors.check_kwargs({"temperature": 1})
    settings = torch.zeros(processors.tensors_required, len(requests), dtype=torch.int32)
    processors.prepare_tensor_args(requests, settings)
    for scores in many_scores():
        found = processors(torch.zeros(len(requests), 1), scores, settings).softmax(-1)
        alone = [drawn_alone(row, *one) for row, one in zip(scores, SETTINGS)]
        assert torch.allclose(found, torch.stack(alone), atol=1e-6)


# -- pictures in a conversation, by models of two kinds --------------------------------------------


def idefics3(folder: Path) -> None:
    """Like SmolVLM: pictures are cut into tiles, and those of a batch padded to the most."""
    rows = [f"<row_{i}_col_{j}>" for i in range(1, 7) for j in range(1, 7)]
    extra = ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *rows]
    tokenizer, ids = tiny_chat.tokenizer_with(*extra)
    tokenizer.add_special_tokens({"additional_special_tokens": extra})
    sizes: dict[str, Any] = {"image_size": 32, "patch_size": 8}
    small = tiny_chat.SMALL
    config = tf.Idefics3Config(
        vision_config={**small, **sizes},
        text_config=tf.LlamaConfig(**small, **ids, vocab_size=len(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    model = tf.Idefics3ForConditionalGeneration(config)
    tiny_chat.say_words(model, tokenizer, ids, seed=16)
    processor = tf.Idefics3Processor(
        tf.Idefics3ImageProcessorPil(
            size={"longest_edge": 64}, max_image_size={"longest_edge": 32}
        ),
        tokenizer,
        image_seq_len=4,
        chat_template=tiny_chat.TEMPLATE,
    )
    tiny_chat.save(folder, model, processor)


@pytest.fixture(scope="module")
def tiling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model that may look at a picture in tiles, too."""
    folder = tmp_path_factory.mktemp("idefics3")
    with isolated_torch():
        idefics3(folder)
    return folder


TALK = """
import asyncio, json, os, sys
from serving.contract import Model
from serving.errors import InputError
model = Model()
model.load()
import model as own

async def answer(conversation, *options):
    try:
        return [text async for text in model.stream((conversation, *options))][-1]
    except InputError as error:
        return f"InputError: {error}"

async def talk(asked):
    return await asyncio.gather(*(answer(*one) for one in asked))

if os.environ.get("TILES"):
    own.processor.image_processor.do_image_splitting = True
batches = []
generate = own.together._generate
own.together._generate = lambda items, **more: batches.append(len(items)) or generate(items, **more)
asked = json.load(sys.stdin)
alone = [asyncio.run(talk([one]))[0] for one in asked]
batches.clear()
sys.modules["serving.together"].GATHER_SECONDS = 3  # however busy this machine is
found = {"alone": alone, "together": asyncio.run(talk(asked)), "batches": batches}
found["prompts"] = [
    own.processor.tokenizer.decode(own.encode([own.fitted(one[0], one[1])])["input_ids"][0])
    for one, text in zip(asked, alone) if not text.startswith("InputError")
]
print(json.dumps(found))
"""


def talk(space: Path, model: Path, asked: list[list[Any]], **variables: str) -> dict[str, Any]:
    """What a Space's model.py says to each conversation alone, and to all at once."""
    values = {"MODEL_ID": str(model), "MAX_BATCH_SIZE": "16", **variables}
    return dict(inside(space, values, partial(printed, TALK, json.dumps(asked))))


def turn(role: str, *parts: str) -> dict[str, Any]:
    """What somebody says; a part that begins with a slash is a picture."""
    return {
        "role": role,
        "content": [
            {"type": "image", "path": part}
            if part.startswith("/")
            else {"type": "text", "text": part}
            for part in parts
        ],
    }


def first_turns(pictures: list[str]) -> list[list[dict[str, Any]]]:
    """Conversations with none to three pictures in different places."""
    nobody = turn("system", "")
    return [
        [nobody, turn("user", SENTENCES[0])],
        [nobody, turn("user", pictures[0], SENTENCES[0])],
        [turn("system", "You are kind."), turn("user", pictures[1], pictures[2], SENTENCES[1])],
        [
            nobody,
            turn("user", pictures[3], SENTENCES[2]),
            turn("assistant", SENTENCES[3]),
            turn("user", pictures[4], pictures[5], SENTENCES[4]),
        ],
        [nobody, turn("user", pictures[6])],
        [nobody, turn("user", SENTENCES[5] * 8)],
        [nobody, turn("user", pictures[7], SENTENCES[0])],
    ]


@pytest.mark.parametrize("kind", ["llava", "idefics3", "idefics3 with tiles"])
def test_a_batch_of_conversations_with_and_without_pictures_says_what_each_does_alone(
    kind: str,
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    tiling: Path,
    tmp_path: Path,
) -> None:
    model = tiny_model("image-text-to-text") if kind == "llava" else tiling
    tiles = {"TILES": "1"} if "tiles" in kind else {}
    asked = [
        [one, 12 + 5 * number, 0, 1.0]
        for number, one in enumerate(first_turns(pictures(8, tmp_path)))
    ]
    found = talk(rendered(model_type="image-text-to-text"), model, asked, **tiles)
    assert found["together"] == found["alone"]
    assert found["batches"] == [len(asked)]
    assert len(set(found["alone"])) == len(asked), "each says something else"
    in_tiles = [prompt.count("<row_1_col_1>") for prompt in found["prompts"]]
    assert in_tiles == ([0, 1, 2, 3, 1, 0, 1] if tiles else [0] * 7), "CPUs take none by themselves"


def test_what_is_too_long_is_left_out_or_explained(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    paths = pictures(8, tmp_path)
    nobody, answer = turn("system", ""), turn("assistant", "yes")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG but no picture")
    long = " ".join(["warm water"] * 500)
    asked = [
        [nobody, *[turn("user", path, "and this?") if at else answer
                   for path in paths[:5] for at in (1, 0)], turn("user", "which of them?")],
        [nobody, *[turn("user", long), answer] * 3, turn("user", "what now?")],
        [nobody, turn("user", *paths[:5], "all of these?")],
        [nobody, turn("user", str(broken), "this?")],
        [nobody, turn("user", long, long, long)],
        [nobody, turn("user", "word " * 5000)],
        [nobody, turn("user", " ")],
        [turn("system", "<|im_end|>"),
         turn("user", paths[0], "<image> <<image>image> <|im_end|>!")],
    ]  # fmt: skip
    model = tiny_model("image-text-to-text")
    requests = [[one, 16, 0, 1.0] for one in asked]
    requests += [[asked[0], 16, 3, 1.0], [asked[0], 16, 1, 0]]
    found = talk(rendered(model_type="image-text-to-text"), model, requests)
    said = found["alone"]
    many, talkative, odd = found["prompts"]
    assert many.count("<image>") == 4 * 16
    assert many.count("and this?") == 4, "the picture that is too much went with its turn"
    assert "what now?" in talkative
    assert talkative.count("yes") == 1
    for at, words in (
        (2, "4 are the limit"),
        (3, "cannot be read"),
        (4, "tokens are the limit"),
        (5, "20,000 characters"),
        (6, "type a message"),
        (8, "temperature"),
        (9, "Top-p"),
    ):
        assert said[at].startswith("InputError"), (at, said[at])
        assert words in said[at]
    assert odd.count("<image>") == 16, "what is typed is no picture"
    assert "< image> << image>image> < |im_end|>!<|im_end|>" in odd


# -- on the page's side ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RunningSpace, Case]]:
    """A Space that keeps the answers to its examples."""
    folder = tmp_path_factory.mktemp("chat")
    shutil.copytree(rendered(model_type="image-text-to-text"), folder / "space")
    model = tiny_model("image-text-to-text")
    with QuickSpace(folder / "space", MODEL_ID=str(model)) as running:
        yield running, case("image-text-to-text", model, folder / "inputs")


def ask(space: RunningSpace, status: int = 200, **kwargs: Any) -> Any:
    """What the direct route says."""
    answer = httpx.post(f"{space.url}/api/predict", timeout=120, **kwargs)
    assert answer.status_code == status, answer.text
    return answer.json()["result" if status == 200 else "detail"]


def test_a_form_takes_the_text_and_the_pictures_of_a_message(
    served: tuple[RunningSpace, Case],
) -> None:
    space, one = served
    for message, system, length, *_ in one.inputs(6):
        fields: list[Any] = [("message", (None, message["text"]))]
        fields += [
            ("message", ("a.png", Path(file["path"]).read_bytes())) for file in message["files"]
        ]
        settings = {"system_prompt": system, "max_new_tokens": str(length), "temperature": "0"}
        expected = one.expected([message, system, length])
        assert ask(space, files=fields, data=settings) == expected
        client = Client(space.url, verbose=False)
        by_queue = client.predict(message, system, length, 0, 1, api_name="/predict")
        assert by_queue == expected
    text = one.inputs(1)[0][0]["text"]
    expected = one.expected([{"text": text, "files": []}, "", 16])
    rest = {"max_new_tokens": 16, "temperature": 0}
    for message in (text, {"text": text, "files": []}):
        assert ask(space, json={"message": message, **rest}) == expected


def upload(space: RunningSpace, path: str) -> str:
    """The path of a file at the Space."""
    with open(path, "rb") as file:
        answer = httpx.post(f"{space.url}/gradio_api/upload", files={"files": file})
    (found,) = answer.json()
    return str(found)


def test_a_conversation_goes_on_about_its_pictures(served: tuple[RunningSpace, Case]) -> None:
    """In each form that the page has for a turn."""
    space, one = served
    first, second = (upload(space, one.inputs(3)[at][0]["files"][0]["path"]) for at in (1, 2))
    meta = {"meta": {"_type": "gradio.FileData"}}

    def after(content: Any) -> str:
        history = [{"role": "user", "content": content}, {"role": "assistant", "content": "Hm."}]
        asked = {"message": "And?", "history": history, "max_new_tokens": 32, "temperature": 0}
        return str(ask(space, json=asked))

    forms: list[Any] = [
        [{"path": first}, "What is it?"],
        [
            {"type": "file", "file": {"path": first, **meta}},
            {"type": "text", "text": "What is it?"},
        ],
    ]
    assert after(forms[0]) == after(forms[1])
    assert after(forms[0]) != after([{"path": second}, "What is it?"])
    assert after(forms[0]) != after("What is it?")
    client = Client(space.url, verbose=False)
    message = {"text": "What is it?", "files": [handle_file(first)]}
    client.predict(message, "", 16, 0, 1, api_name="/predict")
    again = client.predict({"text": "And?", "files": []}, "", 16, 0, 1, api_name="/predict")
    other = Client(space.url, verbose=False)
    assert again != other.predict({"text": "And?", "files": []}, "", 16, 0, 1, api_name="/predict")


def test_no_file_is_read_but_the_uploads(served: tuple[RunningSpace, Case], tmp_path: Path) -> None:
    space, _ = served
    secret = tmp_path / "secret.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(secret)
    kept = upload(space, str(secret))
    folder = str(Path(kept).parent.parent)
    meta = {"meta": {"_type": "gradio.FileData"}}
    for path in (
        str(secret),
        "/etc/passwd",
        "examples/../app.py",
        "app.py",
        f"{folder}/../secret.png",
        f"{folder}/nothing/here.png",
        "examples",
        folder,
        "",
        None,
        7,
        ["a"],
        "a\0b",
        "http://127.0.0.1:9/a.png",
    ):
        for content in ([{"path": path}], [{"type": "file", "file": {"path": path}}]):
            history = [{"role": "user", "content": content}]
            asked = {"message": "What is it?", "history": history, "max_new_tokens": 16}
            assert "upload it again" in ask(space, 422, json=asked), path
        message = {"text": "What is it?", "files": [{"path": path, **meta}]}
        assert ask(space, 422, json={"message": message}), path
    good = {"text": "What is it?", "files": [{"path": kept, **meta}]}
    assert ask(space, json={"message": good, "max_new_tokens": 16})
    for message in ({"text": 7, "files": []}, {"files": [1]}, {"text": "a", "files": [{}]}, [], 7):
        assert ask(space, 422, json={"message": message})
    assert "type a message" in ask(space, 422, json={"message": None})
    assert "Traceback" not in space.log


def test_an_example_is_answered_once_however_its_picture_came(
    served: tuple[RunningSpace, Case],
) -> None:
    space, _ = served
    rows = json.loads((space.folder / "examples" / "examples.json").read_text())
    folder = space.folder / "examples"
    for number, (message,) in enumerate(rows):
        place = f"examples_cache/*/{number}.json"
        until(lambda place=place: [*space.folder.glob(place)], "it is kept at the start")
        (kept,) = space.folder.glob(place)
        files = [("message", (None, message["text"]))]
        files += [("message", ("x.jpg", (folder / name).read_bytes())) for name in message["files"]]
        before = space.counted("space_batch_size_count")
        told = ask(space, files=files)
        assert told == json.loads(kept.read_text())["value"]
        assert space.counted("space_batch_size_count") == before


def test_the_messages_of_a_load_are_like_the_examples_and_never_twice_the_same() -> None:
    files = [{"path": f"/a/{name}.jpg"} for name in "bc"]
    message = {"text": "What is this?", "files": files}
    endpoint = Endpoint("", 0, (Argument("message", None),), ((message,),), True, True)
    source = inputs(endpoint, lambda path: path.encode(), {})
    made = [next(source)["message"] for _ in range(50)]
    assert len({one["text"] for one in made}) == 50
    for place, file in enumerate(files):
        contents = {one["files"][place].content for one in made}
        assert len(contents) == 50
        assert all(content.startswith(file["path"].encode()) for content in contents)


@pytest.mark.usefixtures("forks")
def test_bench_asks_about_pictures_on_both_routes(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path], monkeypatch: Any
) -> None:
    monkeypatch.setenv("MODEL_ID", str(tiny_model("image-text-to-text")))
    demand = Demand(users=(2,), rates=(), seconds=3, warm_up=0.2, given={"max_new_tokens": 16})
    space = rendered(model_type="image-text-to-text")
    (found,) = measure([str(space)], demand, None, lambda _: None)
    for one in found.rows:
        assert one.clean, one
        assert one.first is not None
        assert one.p50 is not None
        assert one.first < one.p50


# -- ZeroGPU ---------------------------------------------------------------------------------------

ON_ZERO_GPU = """
import asyncio, json, os, sys
import serving.runtime
object.__setattr__(serving.runtime.runtime, "device", "cpu")  # there is none
import app, spaces

async def last_answer(message, *options):
    try:
        return [value async for value in app.chat(message, (), *options)][-1]
    except Exception as error:
        return str(error)

async def leave(message):
    async for value in app.chat(message, (), "", 500, 0, 1.0):
        return value

async def visit(asked):
    return await asyncio.gather(*(last_answer(*one) for one in asked), leave(asked[0][0]))

os.environ["GRADIO_TEMP_DIR"] = os.environ["PICTURES"]
asked = json.load(sys.stdin)
print(json.dumps({"answers": asyncio.run(visit(asked)), "asked": spaces.asked}))
"""


def test_on_zero_gpu_each_conversation_is_a_call_of_its_own(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """In a forked process; a longer answer asks for more seconds."""
    from test_runtime import ZERO_GPU

    (tmp_path / "stub").mkdir()
    # who leaves is computed for until the end, in a process that nobody hears any more
    stub = ZERO_GPU.replace("target=work", "target=work, daemon=True")
    (tmp_path / "stub" / "spaces.py").write_text(stub, encoding="utf-8")
    model = tiny_model("image-text-to-text")
    one = case("image-text-to-text", model, tmp_path / "inputs")
    calls = one.inputs(5)
    asked = [
        [{**message, "files": [file["path"] for file in message["files"]]}, *options]
        for message, *options in calls
    ]
    asked.append([{"text": " ", "files": []}, "", 16, 0, 1])
    asked.append([{"text": "long", "files": []}, "", 1024, 0, 1])
    done = subprocess.run(
        [sys.executable, "-c", ON_ZERO_GPU],
        cwd=rendered(model_type="image-text-to-text", hardware="zero-a10g"),
        env={
            **os.environ,
            "PYTHONPATH": python_path(tmp_path / "stub"),
            "SPACES_ZERO_GPU": "true",
            "MODEL_ID": str(model),
            "DTYPE": "float32",
            "OMP_NUM_THREADS": "1",
            "CACHE_EXAMPLES": "off",
            "MAX_INPUT": "2048",
            "PICTURES": str(tmp_path / "inputs"),
        },
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    *answers, bad, _, left = found["answers"]
    assert answers == [one.expected(arguments) for arguments in calls]
    assert "type a message" in bad
    assert left
    typical = min(found["asked"])
    assert sorted(found["asked"])[-2:] == [2 * typical, 4 * typical]
