"""The model's process crashes, hangs, prints, leaks; the page and innocent visitors never notice.

Spaces run with a model.py that does what each text says: "predict-exit 1" ends the process when
the text is computed, "prepare-hang 2" never returns from `prepare`, "predict-wait gate" goes on
once there is a file `gate`. It writes down what it does, so that nothing here is a matter of time.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scripted import until
from space_process import QuickSpace, python_path

SECONDS = 60  # for anything at all
LIMIT = "2"  # TIME_LIMIT of the Spaces whose model hangs

RESTARTED = "The model stopped while it worked on this"
TOO_LONG = "This took too long and was stopped"
TOO_LARGE = "This request needs more memory than there is here"
UNAVAILABLE = "The model is not available right now"
SORRY = "Something went wrong with this request"

Told = tuple[int, Any]
Space = Callable[..., "tuple[Path, dict[str, str]]"]

STAGE = r"""
import asyncio, json, os, time
from pathlib import Path

FOLDER = Path(os.environ["STAGE"])


def note(*words):
    with open(FOLDER / "diary", "a", encoding="utf-8") as file:
        file.write(json.dumps(words) + "\n")


def wait(gate):
    while not (FOLDER / gate).exists():
        time.sleep(0.01)


async def wait_async(gate):
    while not (FOLDER / gate).exists():
        await asyncio.sleep(0.01)


def load():
    note("load", os.getpid())
    if (FOLDER / "broken").exists():
        raise RuntimeError("the weights are gone")
    if (FOLDER / "hold").exists():
        wait("go on")


def unload():
    note("unload", os.getpid())
"""

SCRIPTED = (
    STAGE
    + r'''
import ctypes, pickle, signal, subprocess, sys

if "SAME" in os.environ:
    DETERMINISTIC = True
BIG = 2  # as many fit into the memory
CROWD = 5  # with more the system ends the process


class Odd(Exception):
    def __repr__(self):
        raise ValueError("not even a repr")
    __str__ = __repr__


class Fragile:
    def __init__(self, function, argument):
        self.how = function, (argument,)
    def __reduce__(self):
        return self.how


def fail(error):
    raise error


def orphan():
    """End, and leave behind a process that holds all that was open."""
    if os.fork() == 0:
        note("orphan", os.getpid())
        wait("orphans, go")
        os._exit(0)
    os._exit(3)


def talk():
    print("printed by the model")
    print("x" * 100_000, flush=True)
    os.write(1, pickle.dumps({"not": "a message"}))
    subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
    return [sys.stdin.read(), os.read(0, 1).decode()]


DEEDS = {
    "exit": lambda: os._exit(3),
    "slow": lambda: time.sleep(0.9),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: ctypes.string_at(0),
    "orphan": orphan,
    "hang": lambda: wait("never"),
    "quit": lambda: sys.exit("quit"),
    "stop": lambda: fail(StopIteration()),
    "raise": lambda: fail(ValueError("a secret")),
    "odd": lambda: fail(Odd()),
    "memory": lambda: fail(MemoryError()),
}


def endless():
    value = []
    value.append(value)
    return value


RESULTS = {
    "lambda": lambda: (lambda: 0),
    "quitter": lambda: Fragile(sys.exit, "while it is unpacked"),
    "unknown": lambda: Fragile(__import__, "no_such_module"),
    "endless": endless,
    "talk": talk,
}


def play(moment, text):
    when, _, rest = text.partition("-")
    deed, _, name = rest.partition(" ")
    if when != moment:
        return None
    if deed == "wait":
        return wait(name)
    if deed == "later":
        wait(name)
        os._exit(3)
    if deed in DEEDS:
        DEEDS[deed]()
    return RESULTS[deed]() if deed in RESULTS else None


def prepare(text):
    note("prepare", text)
    play("prepare", text)
    return text


def predict(texts):
    note("predict", texts)
    if sum(text.startswith("big") for text in texts) > BIG:
        raise MemoryError
    if sum(text.startswith("crowd") for text in texts) > CROWD:
        os.kill(os.getpid(), signal.SIGKILL)  # as the system does
    found = [play("predict", text) for text in texts]
    results = [
        {"text": text, "pid": os.getpid(), "parent": os.getppid(), "found": one}
        if one is None or "talk" in text else one
        for text, one in zip(texts, found)
    ]
    short = any(text.startswith("predict-short") for text in texts)
    return results[1:] if short else results
'''
)

CHAT = (
    STAGE
    + r"""
async def stream(conversation, *_):
    text = conversation[-1]["content"]
    deed, _, name = text.partition(" ")
    note("begin", text)
    if deed == "exit":
        os._exit(3)
    if deed == "block":
        wait(name)
    if deed == "slow":
        while True:
            await asyncio.sleep(0.02)
            yield "slow"
    answer = ""
    for number in range(5):
        if deed == "gated":
            await wait_async(f"{name} {number}")
        if deed == "hang" and number:
            await wait_async("never")
        answer += f"{number} "
        note("token", text, number)
        yield answer
"""
)

PICTURES = (
    STAGE
    + r'''
import functools
from PIL import Image, PngImagePlugin

def save(picture, *arguments, **options):
    """Say in the file itself who wrote it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("pid", str(os.getpid()))
    Image.Image.save(picture, *arguments, **{**options, "pnginfo": text})


def predict(prompts, *options):
    pictures = []
    for mode, color in (prompt.split(":") for prompt in prompts):
        picture = Image.new(mode, (8, 4), float(color) if mode == "F" else color)
        picture.save = functools.partial(save, picture)
        pictures.append(picture)
    return pictures
'''
)


def ended(pid: int) -> bool:
    """Whether the process is gone; whoever adopted it may not have noticed yet."""
    try:
        os.kill(pid, 0)
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (ProcessLookupError, FileNotFoundError):
        return True


class Visitor:
    """Somebody who has asked on the direct route, and may leave."""

    def __init__(self, stage: Stage, arguments: dict[str, Any], accept: str = "*/*") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=SECONDS)
        headers = {"content-type": "application/json", "accept": accept}
        self._connection.request("POST", "/api/predict", json.dumps(arguments), headers)

    def told(self) -> Told:
        """Status, and result or sentence."""
        answer = self._connection.getresponse()
        body = json.loads(answer.read())
        self._connection.close()
        return answer.status, body["result" if answer.status == 200 else "detail"]

    def events(self) -> Iterator[dict[str, Any]]:
        """Of a stream."""
        self._answer = self._connection.getresponse()
        for line in self._answer:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    def leave(self) -> None:
        """Close the connection."""
        self._connection.close()
        if hasattr(self, "_answer"):
            self._answer.close()


class GradioVisitor:
    """Somebody who has the page open in a browser."""

    def __init__(self, stage: Stage, *inputs: Any) -> None:
        self._stage = stage
        session = uuid.uuid4().hex
        functions = stage.get("/config")["dependencies"]
        number = next(one["id"] for one in functions if one["api_name"] == "predict")
        body = {"data": list(inputs), "fn_index": number, "session_hash": session}
        headers = {"content-type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=SECONDS)
        connection.request("POST", "/gradio_api/queue/join", json.dumps(body), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        self._connection, self._answer = connection, connection.getresponse()

    def told(self) -> dict[str, Any]:
        """The last that Gradio says about this."""
        for line in self._answer:
            if line.startswith(b"data: "):
                message = json.loads(line[6:])
                if message["msg"] == "process_completed":
                    self.leave()
                    return dict(message["output"])
        raise AssertionError("there was no answer")

    def leave(self) -> None:
        """Close the page."""
        self._connection.close()
        self._answer.close()


class Stage(QuickSpace):
    """A running Space with a scripted model.py, whose processes are started as always."""

    forks_model = False

    def __init__(self, space: Path, **variables: str) -> None:
        self._stage = Path(variables["STAGE"])
        super().__init__(space, **variables)

    def ask(self, text: str) -> Visitor:
        """Ask, but do not wait for the answer."""
        return Visitor(self, {"text": text})

    def ask_and_be_prepared(self, text: str) -> Visitor:
        """Ask; the model has all that came before, and this."""
        visitor = self.ask(text)
        until(lambda: ["prepare", text] in self.diary(), f"{text} is prepared")
        return visitor

    def block(self, gate: str) -> Visitor:
        """Occupy a worker until `open(gate)`."""
        visitor = self.ask(text := f"predict-wait {gate}")
        until(lambda: text in self.computed(), f"{text} is computed")
        return visitor

    def open(self, gate: str) -> None:
        """Make a file that the model may be waiting for."""
        (self._stage / gate).touch()

    def close(self, gate: str) -> None:
        """Remove it again."""
        (self._stage / gate).unlink()

    def diary(self) -> list[Any]:
        """What the model wrote down."""
        path = self._stage / "diary"
        lines = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in lines.splitlines(keepends=True) if line[-1:] == "\n"]

    def batches_computed(self) -> list[list[str]]:
        """The texts of each call of `predict`."""
        return [words[1] for words in self.diary() if words[0] == "predict"]

    def computed(self) -> list[str]:
        """The texts, one after the other."""
        return [text for batch in self.batches_computed() for text in batch]

    @property
    def model(self) -> int:
        """Number of the model's process."""
        loads = [words[1] for words in self.diary() if words[0] == "load"]
        return int(loads[-1])

    def get(self, path: str) -> Any:
        """A page that must be there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        connection.close()
        kind = answer.headers["content-type"]
        return json.loads(body) if "json" in kind else body.decode()

    def left(self) -> float:
        """Visitors who left early."""
        return self.counted("space_requests_total", outcome="left")

    def leave(self, visitor: Visitor | GradioVisitor) -> None:
        """The visitor, who is inside, leaves; the page has noticed."""
        left = self.left()
        visitor.leave()
        until(lambda: self.left() == left + 1, "the page notices who leaves")

    def restarts(self) -> float:
        """How often the model's process was replaced."""
        return self.counted("space_model_restarts_total")


@pytest.fixture(scope="module")
def space(
    rendered: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Path, dict[str, str]]]:
    """A rendered Space with another model.py, and the variables it runs with."""
    hidden = tmp_path_factory.mktemp("hidden")  # the model starts faster without PyTorch
    (hidden / "torch.py").write_text("raise ImportError('hidden')", encoding="utf-8")

    def get(script: str, model_type: str, **variables: str) -> tuple[Path, dict[str, str]]:
        folder = tmp_path_factory.mktemp(model_type)
        shutil.copytree(rendered(model_type=model_type), folder / "space")
        (folder / "space" / "model.py").write_text(script, encoding="utf-8")
        (folder / "stage").mkdir()
        defaults = {
            "STAGE": str(folder / "stage"),
            "PYTHONPATH": python_path(hidden),
            "CACHE_EXAMPLES": "off",
            "MAX_BATCH_SIZE": "16",
            "MAX_BATCH_COST": "0",
            "TIME_LIMIT": "600",
            "WORKERS": "1",
            "GRADIO_MCP_SERVER": "False",
        }
        return folder / "space", {**defaults, **variables}

    return get


def running(space: Space, script: str, model_type: str, **variables: str) -> Stage:
    """A Space to be started."""
    folder, found = space(script, model_type, **variables)
    return Stage(folder, **found)


@pytest.fixture(scope="module")
def stage(space: Space) -> Iterator[Stage]:
    """A Space whose model computes two batches at the same time."""
    with running(space, SCRIPTED, "text-classification", WORKERS="2") as started:
        yield started
        started.open("orphans, go")


@pytest.fixture(scope="module")
def same(space: Space) -> Iterator[Stage]:
    """A Space whose model computes one batch at a time, and equal requests once."""
    with running(space, SCRIPTED, "text-classification", SAME="1") as started:
        yield started


@pytest.fixture(scope="module")
def impatient(space: Space) -> Iterator[Stage]:
    """A Space with a short time limit."""
    with running(space, SCRIPTED, "text-classification", TIME_LIMIT=LIMIT) as started:
        yield started


@pytest.fixture(scope="module")
def chat(space: Space) -> Iterator[Stage]:
    """A Space that streams."""
    with running(space, CHAT, "text-generation") as started:
        yield started


def check_answers(visitors: dict[str, Visitor]) -> None:
    """Each got their own answer."""
    for text, visitor in visitors.items():
        status, result = visitor.told()
        assert status == 200, (text, result)
        assert result["text"] == text


def check_error(visitor: Visitor, status: int, sentence: str) -> None:
    """The visitor got an error, in plain words."""
    told = visitor.told()
    assert told[0] == status, told
    assert told[1].startswith(sentence), told


# ---- the process of its own


def test_the_model_has_a_process_of_its_own_and_each_visitor_their_own_answer(
    stage: Stage,
) -> None:
    assert stage.process is not None
    visitors = {f"text {number}": stage.ask(f"text {number}") for number in range(40)}
    for text, visitor in visitors.items():
        status, result = visitor.told()
        assert (status, result["text"]) == (200, text)
        assert result["pid"] == stage.model != stage.process.pid
        assert result["parent"] == stage.process.pid


def test_what_the_model_prints_and_reads_does_not_touch_the_messages(stage: Stage) -> None:
    others = {f"beside {number}": stage.ask(f"beside {number}") for number in range(10)}
    status, result = stage.ask("predict-talk 1").told()
    assert status == 200, result
    assert result["found"] == ["", ""]  # the end of standard input
    check_answers(others)
    check_answers({"after": stage.ask("after")})
    for line in ("printed by the model", "printed by a child"):
        until(lambda line=line: line in stage.log, line)


# ---- crashes


@pytest.mark.parametrize("deed", ["exit", "segfault", "orphan"])
def test_only_who_ends_the_process_gets_an_error_though_others_are_computed_with_them(
    stage: Stage, deed: str
) -> None:
    before = stage.restarts()
    messages = stage.log.count("starting another one")
    here, there = f"{deed} here", f"{deed} there"
    first, second = stage.block(here), stage.block(there)
    texts = [f"{deed} one", f"predict-{deed} poison", f"{deed} two"]
    visitors = {text: stage.ask_and_be_prepared(text) for text in texts}
    stage.open("hold")
    model = stage.model
    stage.open(here)
    until(lambda: stage.log.count("starting another one") > messages, "the log says so")
    assert texts in stage.batches_computed()  # they were one batch, and the other worker was busy

    until(lambda: stage.model != model, "another process loads the model")
    assert ended(model)
    assert stage.get("/config")["dependencies"]  # while there is no model
    visitors["meanwhile"] = stage.ask("meanwhile")
    stage.open(there)
    stage.close("hold")
    stage.open("go on")
    check_error(visitors.pop(texts[1]), 500, RESTARTED)
    check_answers({**visitors, f"predict-wait {here}": first, f"predict-wait {there}": second})
    check_answers({f"after {deed}": stage.ask(f"after {deed}")})
    assert "the model is back" in stage.log
    restarts = stage.restarts() - before
    assert 1 <= restarts == stage.log.count("starting another one") - messages
    stage.close("go on")


@pytest.mark.parametrize("deed", ["exit", "kill", "segfault"])
def test_only_who_ends_the_process_when_prepared_gets_an_error(stage: Stage, deed: str) -> None:
    before = stage.restarts()
    gate = f"{deed} while prepared"
    innocent = {f"predict-wait {gate}": stage.block(gate)}
    innocent |= {text: stage.ask_and_be_prepared(text) for text in (f"{deed} 1", f"{deed} 2")}
    poison = stage.ask(f"prepare-{deed} poison")
    until(lambda: stage.restarts() > before, "another process is started")
    stage.open(gate)
    check_error(poison, 500, RESTARTED)
    check_answers(innocent)
    check_answers({f"after {deed}": stage.ask(f"after {deed}")})


@pytest.mark.parametrize("moment", ["predict", "prepare"])
def test_who_has_left_and_then_ends_the_process_takes_nobody_along(
    stage: Stage, moment: str
) -> None:
    before = stage.restarts()
    gate = f"{moment}, left"
    blocked = stage.block(gate)
    leaver = stage.ask_and_be_prepared(poison := f"{moment}-later {gate}, too")
    if moment == "predict":
        until(lambda: poison in stage.computed(), "the poison is computed")
    stage.leave(leaver)
    stage.open(f"{gate}, too")
    until(lambda: stage.restarts() > before, "another process is started")
    stage.open(gate)
    check_answers({f"predict-wait {gate}": blocked})


@pytest.mark.parametrize("poison", ["prepare-kill", "predict-kill", "crowd"])
def test_only_who_needs_too_much_memory_together_is_computed_in_smaller_batches(
    same: Stage, poison: str
) -> None:
    """Killed for memory, most likely; who alone has it killed tells nothing about batches."""
    before = same.restarts()
    for when in ("first", "later"):
        count = 8 if poison == "crowd" else 5
        texts = [f"crowd, {poison}, {when} {number}" for number in range(count)]
        blocked = same.block(f"{poison} {when}")
        visitors = {text: same.ask_and_be_prepared(text) for text in texts}
        if when == "first" and poison != "crowd":
            culprit = same.ask_and_be_prepared(f"{poison} poison")
        if poison == "prepare-kill":
            until(lambda: same.restarts() > before, "it is killed")
        same.open(f"{poison} {when}")
        if when == "first" and poison != "crowd":
            check_error(culprit, 500, RESTARTED)
        check_answers({**visitors, f"predict-wait {poison} {when}": blocked})
    assert "was killed, probably for memory" in same.log
    batches = [batch for batch in same.batches_computed() if texts[1] in batch]
    assert [len(batch) for batch in batches] == [4 if poison == "crowd" else 5]


# ---- errors


ERRORS = [
    *(f"{moment}-{deed}" for moment in ("predict", "prepare") for deed in ("raise", "quit", "odd")),
    *(f"predict-{deed}" for deed in ("stop", "short", "lambda", "endless", "unknown", "quitter")),
]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_reaches_only_who_causes_it_and_nobody_waits_for_ever(
    same: Stage, error: str
) -> None:
    before = same.restarts()
    blocked = same.block(error)
    texts = [f"one, {error}", f"{error} poison", f"two, {error}"]
    visitors = {text: same.ask_and_be_prepared(text) for text in texts}
    same.open(error)
    check_error(visitors.pop(texts[1]), 500, SORRY)
    check_answers({**visitors, f"predict-wait {error}": blocked})
    assert same.restarts() == before


def test_out_of_memory_answers_everybody_in_smaller_batches_but_who_alone_is_too_large(
    same: Stage,
) -> None:
    blocked = same.block("memory")
    big = {f"big {number}": same.ask_and_be_prepared(f"big {number}") for number in range(7)}
    huge = {moment: same.ask(f"{moment}-memory huge") for moment in ("predict", "prepare")}
    same.open("memory")
    check_answers({**big, "predict-wait memory": blocked})
    for visitor in huge.values():
        check_error(visitor, 413, TOO_LARGE)
    batches = same.batches_computed()
    assert max(sum(text.startswith("big") for text in batch) for batch in batches) > 2
    until(lambda: same.counted("space_out_of_memory_total") >= 2, "it is counted")
    check_error(same.ask("predict-exit and forget the limit"), 500, RESTARTED)


# ---- equal requests


def test_equal_requests_are_computed_once_if_the_answers_are_equal(same: Stage) -> None:
    blocked = same.block("equal")
    shared = same.counted("space_shared_total")
    first = same.ask_and_be_prepared("equal text")
    others = [same.ask("equal text") for _ in range(3)]
    until(lambda: same.counted("space_shared_total") == shared + 3, "they share")
    same.open("equal")
    check_answers({"predict-wait equal": blocked})
    for visitor in (first, *others):
        check_answers({"equal text": visitor})
    hits = same.counted("space_cache_hits_total")
    check_answers({"equal text": same.ask("equal text")})
    assert same.counted("space_cache_hits_total") == hits + 1
    assert same.computed().count("equal text") == 1


def test_equal_requests_are_computed_each_if_nothing_says_that_the_answers_are_equal(
    stage: Stage,
) -> None:
    visitors = [stage.ask("equal text") for _ in range(3)]
    for visitor in visitors:
        check_answers({"equal text": visitor})
    assert stage.computed().count("equal text") == 3
    assert stage.counted("space_shared_total") == stage.counted("space_cache_hits_total") == 0


@pytest.mark.parametrize("who", ["the first", "the second"])
def test_who_shares_and_stays_is_answered_when_the_other_leaves(same: Stage, who: str) -> None:
    text = f"stays with {who}"
    blocked = same.block(f"{who} leaves")
    shared = same.counted("space_shared_total")
    visitors = [same.ask_and_be_prepared(text), same.ask(text)]
    until(lambda: same.counted("space_shared_total") == shared + 1, "they share")
    same.leave(visitors.pop(0 if who == "the first" else 1))
    same.open(f"{who} leaves")
    check_answers({text: visitors[0], f"predict-wait {who} leaves": blocked})
    assert same.computed().count(text) == 1


def test_what_all_who_share_have_left_is_not_computed(same: Stage) -> None:
    blocked = same.block("all leave")
    shared = same.counted("space_shared_total")
    visitors = [same.ask_and_be_prepared("left by all"), same.ask("left by all")]
    until(lambda: same.counted("space_shared_total") == shared + 1, "they share")
    for visitor in visitors:
        same.leave(visitor)
    later = same.ask_and_be_prepared("asked later")  # what was said before has arrived, too
    same.open("all leave")
    check_answers({"asked later": later, "predict-wait all leave": blocked})
    assert "left by all" not in same.computed()
    check_answers({"left by all": same.ask("left by all")})  # and may be asked again


# ---- visitors who leave


@pytest.mark.parametrize("route", ["direct", "queue"])
def test_who_leaves_while_waiting_is_not_computed(stage: Stage, route: str) -> None:
    gates = [f"{route} {number}" for number in range(2)]
    blocked = {f"predict-wait {gate}": stage.block(gate) for gate in gates}
    text = f"{route} leaver"
    visitor = stage.ask(text) if route == "direct" else GradioVisitor(stage, text)
    until(lambda: ["prepare", text] in stage.diary(), "the model has it")
    stage.leave(visitor)
    later = stage.ask_and_be_prepared(f"later, {route}")
    for gate in gates:
        stage.open(gate)
    check_answers({f"later, {route}": later, **blocked})
    assert text not in stage.computed()


@pytest.mark.parametrize("route", ["events", "whole", "queue"])
def test_a_stream_stops_at_the_next_token_when_its_visitor_leaves(chat: Stage, route: str) -> None:
    name = f"gated {route}"
    visitor: Visitor | GradioVisitor
    if route == "queue":
        visitor = GradioVisitor(chat, name, None, "", 16, 0, 1)
    else:
        accept = "text/event-stream" if route == "events" else "application/json"
        visitor = Visitor(chat, {"message": name}, accept)
    chat.open(f"{route} 0")
    if route == "events":
        assert next(visitor.events()) == {"delta": "0 "}  # type: ignore[union-attr]
    until(lambda: ["token", name, 0] in chat.diary(), "the first token")
    chat.leave(visitor)
    later = Visitor(chat, {"message": f"free after {route}"})
    assert later.told() == (200, "0 1 2 3 4 ")  # the model knows as well
    for number in range(1, 5):
        chat.open(f"{route} {number}")
    assert Visitor(chat, {"message": f"free again after {route}"}).told()[0] == 200
    tokens = [words[2] for words in chat.diary() if words[:2] == ["token", name]]
    assert tokens == [0]


def test_streams_that_run_when_the_process_ends_get_an_error_and_the_next_is_answered(
    chat: Stage,
) -> None:
    before = chat.restarts()
    running = Visitor(chat, {"message": "gated crash"}, "text/event-stream")
    chat.open("crash 0")
    events = running.events()
    assert next(events) == {"delta": "0 "}
    check_error(Visitor(chat, {"message": "exit"}), 500, RESTARTED)
    assert next(events)["detail"].startswith(RESTARTED)
    assert Visitor(chat, {"message": "free after a crash"}).told() == (200, "0 1 2 3 4 ")
    assert chat.restarts() == before + 1


def test_who_leaves_before_the_stream_begins_is_not_computed(chat: Stage) -> None:
    """The model's loop is busy, so it learns of the stream and of its end at the same time."""
    blocking = Visitor(chat, {"message": "block loop"})
    until(lambda: ["begin", "block loop"] in chat.diary(), "the loop is blocked")
    chat.leave(Visitor(chat, {"message": "free but left"}))
    chat.open("loop")
    assert blocking.told()[0] == 200
    assert Visitor(chat, {"message": "free after the block"}).told()[0] == 200
    assert ["token", "free but left", 4] not in chat.diary()


# ---- too slow

DRIVER = r"""
import asyncio, json, os, resource, threading, time
from pathlib import Path
from serving.errors import ModelError
from serving.machine import write_log
from serving.metrics import Metrics
from serving.processes import Processes

write_log()
metrics = Metrics()
processes = Processes(metrics)


async def answer(text):
    result = await processes.answer((text,), time.monotonic())
    return result["text"]


async def stream(text):
    latest = None
    try:
        async for latest in processes.stream(([{"content": text}],), time.monotonic()):
            pass
    except ModelError as error:
        return latest, type(error).__name__
    return latest, ""


async def crash(text="predict-exit"):
    try:
        return await answer(text)
    except ModelError as error:
        return type(error).__name__


def open_files():
    return len(os.listdir("/proc/self/fd"))
"""
RUN = """
print(json.dumps(asyncio.run(main())))
processes.close()
"""


def drive(space: Space, script: str, code: str, **variables: str) -> Any:
    """What `main` of `code` returns, which asks the model without a page."""
    folder, found = space(script, "text-classification", **variables)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER + code + RUN],
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **found},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# as PyTorch tells it
TWO_GPUS = """
from types import SimpleNamespace

set_num_threads = lambda count: None
card = SimpleNamespace(name="NVIDIA A10G", total_memory=24 * 2**30, major=8)
cuda = SimpleNamespace(
    is_available=lambda: True,
    device_count=lambda: 2,
    get_device_properties=lambda number: card,
    empty_cache=lambda: None,
)
"""
HUNG_STREAM = """
async def main():
    slow = asyncio.ensure_future(stream("slow"))
    hung = await stream("hang")
    return [hung, await slow, await stream("free")]
"""
TWO = """
stage = Path(os.environ["STAGE"])


def diary():
    return [json.loads(line) for line in (stage / "diary").read_text().splitlines()]


async def until(true):
    while not true():
        await asyncio.sleep(0.01)


async def main():
    waiting = [asyncio.ensure_future(answer(f"predict-wait {number}")) for number in range(2)]
    await until(lambda: sum(words[0] == "predict" for words in diary()) == 2)
    (stage / "hold").touch()
    poison = asyncio.ensure_future(crash("prepare-exit"))  # takes along one of the two
    await until(lambda: sum(words[0] == "load" for words in diary()) == 3)
    for number in range(2):
        (stage / str(number)).touch()
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    others = await asyncio.gather(*(answer(f"meanwhile {number}") for number in range(4)))
    unfinished = [poison.done(), all(one.done() for one in waiting)]
    (stage / "go on").touch()
    return [others, unfinished, await poison, await asyncio.gather(*waiting)]
"""
NO_FILES = """
async def main():
    await answer("before")
    few = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, few[1]))  # no process can be started
    told = await crash()
    waiting = asyncio.ensure_future(answer("waiting"))
    await asyncio.sleep(1)
    resource.setrlimit(resource.RLIMIT_NOFILE, few)
    return [told, await asyncio.wait_for(waiting, 30)]
"""
LEAKS = """
async def main():
    counts = []
    for number in range(4):
        await answer("between")
        counts.append([threading.active_count(), open_files()])
        assert await crash() == "Restarted"
    return counts
"""


def test_a_stream_that_stops_yielding_is_ended_and_the_next_is_answered(space: Space) -> None:
    hung, slow, free = drive(space, CHAT, HUNG_STREAM, TIME_LIMIT=LIMIT)
    assert hung == ["0 ", "TookTooLong"]
    assert slow[1] == "Restarted"
    assert free == ["0 1 2 3 4 ", ""]


def test_while_one_of_two_processes_is_replaced_the_other_serves(
    space: Space, tmp_path: Path
) -> None:
    """As on two GPUs: what was computed waits for the new one, to take nobody along."""
    (tmp_path / "torch.py").write_text(TWO_GPUS, encoding="utf-8")
    variables = {"PYTHONPATH": str(tmp_path), "TIER": "a10g-largex2", "WORKERS": "2"}
    others, unfinished, poison, waiting = drive(space, SCRIPTED, TWO, **variables)
    assert others == [f"meanwhile {number}" for number in range(4)]
    assert unfinished == [False, False]
    assert poison == "Restarted"
    assert waiting == ["predict-wait 0", "predict-wait 1"]


def test_a_process_that_the_system_refuses_to_start_is_tried_again(space: Space) -> None:
    assert drive(space, SCRIPTED, NO_FILES) == ["Restarted", "waiting"]


def test_a_replaced_process_leaves_no_threads_and_files_behind(space: Space) -> None:
    counts = drive(space, SCRIPTED, LEAKS)
    assert counts[-1] == counts[1], counts


def test_who_waits_for_a_model_that_is_being_loaded_is_told_in_time(impatient: Stage) -> None:
    impatient.open("hold")
    before = impatient.model
    check_error(impatient.ask("prepare-exit 1"), 500, RESTARTED)
    until(lambda: impatient.model != before, "another process loads the model")
    check_error(impatient.ask("waiting"), 503, UNAVAILABLE)
    impatient.open("go on")
    check_answers({"loaded": impatient.ask("loaded")})


@pytest.mark.parametrize("moment", ["predict", "prepare"])
def test_who_takes_too_long_is_told_and_the_others_are_answered(
    impatient: Stage, moment: str
) -> None:
    before = impatient.restarts()
    hung = impatient.ask_and_be_prepared(f"{moment}-hang 1")
    if moment == "predict":
        until(lambda: f"{moment}-hang 1" in impatient.computed(), "it hangs")
    others = {f"{moment} {number}": impatient.ask(f"{moment} {number}") for number in range(4)}
    check_error(hung, 504, TOO_LONG)
    check_answers(others)
    until(lambda: impatient.restarts() == before + 1, "it is ended")
    assert "did not answer in time" in impatient.log


def test_who_shares_a_call_with_a_hang_is_told_as_well(impatient: Stage) -> None:
    blocked = impatient.block("shared")
    texts = ["shares 1", "predict-hang shared", "shares 2"]
    visitors = [impatient.ask_and_be_prepared(text) for text in texts]
    impatient.open("shared")
    check_answers({"predict-wait shared": blocked})
    for visitor in visitors:
        check_error(visitor, 504, TOO_LONG)
    assert texts in impatient.batches_computed()


def test_many_who_are_computed_one_by_one_after_a_crash_are_all_answered(impatient: Stage) -> None:
    """Together that takes longer than a request may, by itself none does."""
    blocked = impatient.block("slow")
    texts = ["predict-exit slow", *(f"predict-slow {number}" for number in range(4))]
    visitors = {text: impatient.ask_and_be_prepared(text) for text in texts}
    impatient.open("slow")
    check_error(visitors.pop(texts[0]), 500, RESTARTED)
    visitors["waits for them"] = impatient.ask("waits for them")
    check_answers({**visitors, "predict-wait slow": blocked})


@pytest.mark.parametrize("moment", ["predict", "prepare"])
def test_a_hang_that_nobody_waits_for_any_more_is_ended_as_well(
    impatient: Stage, moment: str
) -> None:
    texts = [f"{moment}-hang left {number}" for number in range(4)]  # as many as may be prepared
    for text in texts[: 1 if moment == "predict" else 4]:
        visitor = impatient.ask(text)
        if text == texts[0]:
            until(lambda: ["prepare", texts[0]] in impatient.diary(), "it hangs")
        if moment == "predict":
            until(lambda: texts[0] in impatient.computed(), "it hangs")
        impatient.leave(visitor)
    check_answers({f"after {moment}": impatient.ask(f"after {moment}")})


# ---- starts and ends


def test_a_page_that_is_told_to_stop_lets_the_model_unload(stage: Stage) -> None:
    model = stage.model
    check_answers({"last": stage.ask("last")})
    assert stage.stop() == 0
    assert ["unload", model] in stage.diary()
    assert ended(model)


def test_a_page_that_is_killed_leaves_no_model_behind(impatient: Stage) -> None:
    assert impatient.process is not None
    check_answers({"last": impatient.ask("last")})
    model = impatient.model
    os.kill(impatient.process.pid, signal.SIGKILL)
    impatient.process.wait()
    until(lambda: ended(model), "the model ends, too")


def test_a_model_that_cannot_be_loaded_is_the_end_of_the_start(space: Space) -> None:
    folder, variables = space(SCRIPTED, "text-classification")
    (Path(variables["STAGE"]) / "broken").touch()
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=folder,
        env={**os.environ, **variables, "GRADIO_SERVER_NAME": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
    )
    assert done.returncode == 1
    assert "RuntimeError: the weights are gone" in done.stderr
    assert "The model could not be loaded; what is above says why." in done.stderr


def test_while_the_model_cannot_be_started_visitors_are_told_and_later_it_serves_again(
    same: Stage,
) -> None:
    same.open("broken")
    blocked = same.block("gate")
    waiting = same.ask_and_be_prepared("waiting")
    poison = same.ask_and_be_prepared("prepare-exit 1")
    for visitor in (blocked, waiting, poison):
        check_error(visitor, 503, UNAVAILABLE)
    check_error(same.ask("meanwhile"), 503, UNAVAILABLE)
    assert same.get("/config")["dependencies"]
    backs = same.log.count("the model is back")
    same.close("broken")
    until(lambda: same.log.count("the model is back") > backs, "another attempt")
    check_answers({"afterwards": same.ask("afterwards")})


def test_a_page_that_is_told_to_stop_waits_for_no_model_that_is_being_loaded(
    same: Stage,
) -> None:
    same.open("hold")
    before = same.model
    check_error(same.ask("prepare-exit 2"), 500, RESTARTED)
    until(lambda: same.model != before, "another process loads the model")
    assert same.stop() == 0
    until(lambda: ended(same.model), "that process ends, too")


# ---- pictures


def test_pictures_are_encoded_by_the_model_and_shown(space: Space) -> None:
    """In a mode that PNG has; the others are an error, as any."""
    with running(space, PICTURES, "text-to-image") as stage:
        for prompt, color in [("RGB:red", (255, 0, 0)), ("L:white", 255), ("CMYK:red", None)]:
            arguments = {"prompt": prompt, "seed": 1, "randomize": False, "steps": 4}
            arguments |= {"negative_prompt": "", "guidance": 0}
            direct = Visitor(stage, arguments).told()
            shown = GradioVisitor(stage, *arguments.values()).told()
            if color is None:
                assert direct[1].startswith(SORRY)
                assert shown["error"].startswith(SORRY)
                continue
            kind, _, data = direct[1][0].partition(",")
            assert kind == "data:image/png;base64"
            path = Path(shown["data"][0]["path"])
            for png in (base64.b64decode(data), path.read_bytes()):
                picture = Image.open(io.BytesIO(png))
                assert picture.size == (8, 4)
                assert picture.getpixel((3, 3)) == color
                assert picture.info["pid"] == str(stage.model)
        assert stage.restarts() == 0
