"""The direct route: right answers, plain refusals, and what the Space says it has counted."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import chromium, screenshot, toast, visit
from cases import SENTENCES, Case, case
from fastapi.openapi.models import OpenAPI
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from scripted import scripted, until
from space_process import QuickSpace, RunningSpace

SORRY = "Something went wrong with this request. Please try again, or try another input."
MEGABYTE = 2**20
FORM = "multipart/form-data; boundary=x"
Served = Callable[[str], tuple[RunningSpace, Case]]
# by model type; the one without METRICS shows its counters only to this machine
VARIABLES = {
    "text-classification": {},
    "text-generation": {},
    "image-classification": {"METRICS": "1"},
    "automatic-speech-recognition": {"METRICS": "0"},
}


RESULTS = {  # JSON types
    "text-classification": "object",
    "text-generation": "string",
    "image-classification": "object",
    "automatic-speech-recognition": "string",
}


@pytest.fixture(scope="module")
def served(
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """Starts the Space of a model type, with a tiny model, when it is first asked for."""
    running: dict[str, tuple[RunningSpace, Case]] = {}
    with ExitStack() as stack:

        def get(model_type: str) -> tuple[RunningSpace, Case]:
            if model_type not in running:
                folder = tmp_path_factory.mktemp("direct")
                model = tiny_model(model_type)
                one = case(model_type, model, folder / "inputs")
                space = rendered(model_type=model_type)
                (folder / "space").symlink_to(space)
                variables = {"MODEL_ID": str(model), "CACHE_EXAMPLES": "off"}
                process = QuickSpace(folder / "space", **variables, **VARIABLES[model_type])
                running[model_type] = stack.enter_context(process), one
            return running[model_type]

        yield get


def post(space: RunningSpace, **kwargs: Any) -> httpx.Response:
    """Ask by the direct route."""
    return httpx.post(f"{space.url}/api/predict", timeout=120, **kwargs)


def answered(response: httpx.Response) -> Any:
    """What it was answered with."""
    assert response.status_code == 200, response.text
    (name,) = response.json()
    assert name == "result"
    return response.json()["result"]


def refused(response: httpx.Response, status: int = 422) -> str:
    """The sentence with which it was refused: plain words, and nothing of the server's disk."""
    assert response.status_code == status, response.text
    (name,) = response.json()
    assert name == "detail"
    detail: str = response.json()["detail"]
    assert "Traceback" not in detail
    assert "/tmp" not in detail
    return detail


# -- the answers -----------------------------------------------------------------------------------


def test_json_with_named_arguments_gets_the_models_answer_as_gradio_gives_it(
    served: Served,
) -> None:
    space, one = served("text-classification")
    client = Client(space.url, verbose=False)
    for text in SENTENCES[:3]:
        scores = answered(post(space, json={"text": text}))
        assert scores == pytest.approx(one.expected([text]), abs=1e-4)
        shown = client.predict(text, api_name="/predict")
        assert one.same(shown, scores)


def test_fields_of_a_form_are_arguments_as_well(served: Served) -> None:
    space, _ = served("text-classification")
    by_json = answered(post(space, json={"text": "Grüße, 猫 & <b>"}))
    by_form = answered(post(space, files={"text": (None, "Grüße, 猫 & <b>")}))
    assert by_form == pytest.approx(by_json, abs=1e-4)


def test_many_requests_at_once_get_an_answer_of_their_own_each(served: Served) -> None:
    space, one = served("text-classification")
    texts = [text for (text,) in one.inputs(48)]
    with httpx.Client(timeout=120) as program, ThreadPoolExecutor(24) as threads:
        address = f"{space.url}/api/predict"
        asked = [threads.submit(program.post, address, json={"text": text}) for text in texts]
    for text, response in zip(texts, asked):
        assert answered(response.result()) == pytest.approx(one.expected([text]), abs=1e-4)


def test_a_picture_as_a_file_gets_the_models_answer_as_gradio_gives_it(served: Served) -> None:
    space, one = served("image-classification")
    client = Client(space.url, verbose=False)
    for (picture,) in one.inputs(2):
        content = Path(picture["path"]).read_bytes()
        scores = answered(post(space, files={"image": ("a.png", content)}))
        for label, score in one.expected([picture]).items():
            assert scores.get(label, score) == pytest.approx(score, abs=1e-4)
        assert one.same(client.predict(picture, api_name="/predict"), scores)


def test_a_recording_as_a_file_gets_the_models_answer_as_gradio_gives_it(served: Served) -> None:
    space, one = served("automatic-speech-recognition")
    ((recording,), *_) = one.inputs(1)
    content = Path(recording["path"]).read_bytes()
    text = answered(post(space, files={"audio": ("a.wav", content)}))
    assert text == one.expected([recording])
    assert text == Client(space.url, verbose=False).predict(recording, api_name="/predict")


CHAT = {
    "message": SENTENCES[0],
    "system_prompt": "You are kind.",
    "max_new_tokens": 128,
    "temperature": 0,
    "top_p": 0.9,
}

SPOKEN = {"language", "task", "timestamps"}  # what may be said of a recording


def events(response: httpx.Response) -> list[dict[str, Any]]:
    """The server-sent events of a whole response."""
    assert response.status_code == 200, response.read()
    assert response.headers["content-type"].startswith("text/event-stream")
    *parts, rest = response.read().decode().split("\n\n")
    assert rest == ""
    assert all(part.startswith("data: ") and "\n" not in part for part in parts)
    return [json.loads(part.removeprefix("data: ")) for part in parts]


def test_a_chat_answers_whole_or_as_a_stream_whose_parts_are_the_whole(served: Served) -> None:
    space, one = served("text-generation")
    expected = one.expected([CHAT["message"], CHAT["system_prompt"], 128, 0])
    assert answered(post(space, json=CHAT)) == expected
    *parts, last = events(post(space, json=CHAT, headers={"Accept": "text/event-stream"}))
    assert len(parts) >= 3
    assert all(list(part) == ["delta"] for part in parts)
    assert "".join(part["delta"] for part in parts) == expected
    assert last == {"result": expected}
    client = Client(space.url, verbose=False)
    assert expected == client.predict(CHAT["message"], "You are kind.", 128, 0, api_name="/predict")


def test_a_chat_goes_on_from_its_history(served: Served) -> None:
    """Otherwise than without it, and as often as the same is asked."""
    space, _ = served("text-generation")
    history = [{"role": "user", "content": "No."}, {"role": "assistant", "content": "Why?"}]
    with_history = answered(post(space, json={**CHAT, "history": history}))
    assert with_history != answered(post(space, json=CHAT))
    assert with_history == answered(post(space, json={**CHAT, "history": history}))


def test_a_chat_that_cannot_be_answered_is_refused_whole_or_as_a_stream(served: Served) -> None:
    space, _ = served("text-generation")
    for headers in ({}, {"Accept": "text/event-stream"}):
        empty = post(space, json={**CHAT, "message": " "}, headers=headers)
        assert refused(empty) == "Please type a message first."
        assert "temperature" in refused(post(space, json={**CHAT, "temperature": 9}))
        no_role = post(space, json={**CHAT, "history": [{"content": "Hm."}]}, headers=headers)
        assert "needs a role" in refused(no_role)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, ["text"]),
        ({"text": "a", "more": 1}, ["more"]),
        ({"text": 7}, ["text", "string"]),
        ({"text": None}, ["text", "string"]),
        ({"text": ["a"]}, ["text", "string"]),
        ({"text": " "}, ["Please type a text first."]),
        ({"text": "a" * 20_001}, ["20,000 characters"]),
        ({"text": "half a pair \ud800"}, []),
        ([], ["object"]),
        ("text", ["object"]),
        (None, ["object"]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_arguments_that_are_missing_unknown_or_wrong_are_named(
    served: Served, body: Any, words: list[str]
) -> None:
    space, _ = served("text-classification")
    detail = refused(post(space, content=json.dumps(body)))
    assert all(word in detail for word in words), detail


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b'{"text": "a"', "application/json"),
        (b"\xff\xfe{", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"text=a", "application/x-www-form-urlencoded"),
        (b"no boundary", "multipart/form-data"),
        (b"no such boundary", FORM),
        (b"--x\r\nbroken", FORM),
        (b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\na', FORM),
    ],
    ids=str,
)
def test_a_body_that_cannot_be_read_is_explained(served: Served, content: bytes, kind: str) -> None:
    space, _ = served("text-classification")
    refused(post(space, content=content, headers={"Content-Type": kind}))


def test_a_file_where_text_is_wanted_and_text_where_a_file_is_wanted_are_told_apart(
    served: Served,
) -> None:
    space, _ = served("text-classification")
    assert "text" in refused(post(space, files={"text": ("a.txt", b"a")}))
    assert "more" in refused(post(space, files={"text": (None, "a"), "more": ("a.txt", b"a")}))
    space, _ = served("image-classification")
    for given in ({"json": {"image": "/etc/passwd"}}, {"files": {"image": (None, "/etc/passwd")}}):
        detail = refused(post(space, **given))
        assert "image" in detail
        assert "file" in detail
    assert "image" in refused(post(space, json={}))
    two = [("image", ("a.png", b"a")), ("other", ("b.png", b"b"))]
    refused(post(space, files=two))


def test_a_file_that_is_no_picture_or_no_recording_is_explained(served: Served) -> None:
    space, one = served("image-classification")
    broken = {"image": ("a.png", b"\x89PNG\r\n\x1a\n but no picture")}
    assert "“Picture” cannot be read" in refused(post(space, files=broken))
    cut = {"image": ("a.png", Path(one.inputs(1)[0][0]["path"]).read_bytes()[:60])}
    assert "cannot be read as a picture" in refused(post(space, files=cut))
    assert refused(post(space, files={"image": ("a.png", b"")}))
    space, _ = served("automatic-speech-recognition")
    broken = {"audio": ("a.wav", b"RIFF but no recording")}
    assert "cannot be read as a recording" in refused(post(space, files=broken))


def chunks(count: int) -> Iterator[bytes]:
    """A body whose length nobody knows before."""
    for _ in range(count):
        yield b" " * MEGABYTE


def test_a_body_that_is_too_large_is_refused_also_when_its_length_is_not_told(
    served: Served,
) -> None:
    space, _ = served("text-classification")
    assert post(space, json={"text": "a" * 21 * MEGABYTE}).status_code == 413
    assert post(space, content=chunks(21)).status_code == 413
    space, _ = served("image-classification")
    assert post(space, files={"image": ("a.png", b"a" * 21 * MEGABYTE)}).status_code == 413
    assert answered(post(served("text-classification")[0], json={"text": "still there"}))


NAMES = [
    "../../../escaped.png",
    "..\\..\\escaped.png",
    "/etc/escaped.png",
    "..",
    ".",
    "",
    ".png",
    "a" * 300 + ".png",
    "猫" * 300 + ".png",
    "🐱é\u202e.png",
    "a b;c'd$(e)`f`|g&h.png",
    "%2e%2e%2fescaped.png",
    "-rf.png",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_whatever_a_file_is_called_it_is_kept_in_its_place(served: Served, name: str) -> None:
    space, one = served("image-classification")
    ((picture,), *_) = one.inputs(1)
    head = f'--x\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    content = Path(picture["path"]).read_bytes()
    scores = answered(
        post(
            space,
            content=head.encode() + content + b"\r\n--x--\r\n",
            headers={"Content-Type": FORM},
        )
    )
    assert scores == answered(post(space, files={"image": ("plain.png", content)}))
    around = {path.name for path in space.folder.parent.iterdir()}
    assert around == {"inputs", "space", "space-temp", f"space-{space.port}.log"}
    kept = {
        path.relative_to(space.folder.parent / "space-temp")
        for path in files_in(space.folder.parent / "space-temp")
        if path.read_bytes() == content
    }
    assert len(kept) >= 2
    assert {len(path.parts) for path in kept} == {2}
    assert len({path.parent for path in kept if path.name == "plain.png"}) == 1


# -- what it says of itself ------------------------------------------------------------------------


def test_its_schema_is_openapi_and_names_the_arguments(served: Served) -> None:
    for model_type, media, names in (
        ("text-classification", "application/json", {"text"}),
        ("text-generation", "application/json", {"message", "history", *CHAT}),
        ("image-classification", "multipart/form-data", {"image"}),
        ("automatic-speech-recognition", "multipart/form-data", {"audio", *SPOKEN}),
    ):
        space, _ = served(model_type)
        schema = httpx.get(f"{space.url}/api/openapi.json").json()
        OpenAPI.model_validate(schema)
        assert schema["openapi"].startswith("3.1")
        assert list(schema["paths"]) == ["/predict"]
        post_it = schema["paths"]["/predict"]["post"]
        bodies = post_it["requestBody"]["content"]
        files = {"image", "audio"} & names
        assert set(bodies) == {"multipart/form-data"} | {media}
        for body in bodies.values():
            assert set(body["schema"]["properties"]) == names
            for described in body["schema"]["properties"].values():
                assert described["description"]
                assert {"type", "anyOf"} & set(described)
        for name in files:
            described = bodies[media]["schema"]["properties"][name]
            assert (described["type"], described["format"]) == ("string", "binary")
        required = set(bodies[media]["schema"]["required"])
        assert required == ({"message"} if "message" in names else names - SPOKEN)
        assert post_it["description"].endswith(".")
        assert "Args:" not in post_it["description"]
        good = post_it["responses"]["200"]
        assert good["description"].endswith(".")
        result = good["content"]["application/json"]["schema"]["properties"]["result"]
        assert result["type"] == RESULTS[model_type]
        statuses = {"200", "413", "422", "503"}
        assert statuses <= set(post_it["responses"])
        streams = "text/event-stream" in post_it["responses"]["200"]["content"]
        assert streams == (model_type == "text-generation")


def test_its_page_shows_the_schema(served: Served) -> None:
    space, _ = served("text-classification")
    page = httpx.get(f"{space.url}/api/docs")
    assert page.status_code == 200
    assert "'/api/openapi.json'" in page.text
    assert httpx.get(f"{space.url}/api/predict").status_code == 405
    assert httpx.get(f"{space.url}/api/none").status_code == 404


def test_who_may_see_the_counters(served: Served) -> None:
    """This machine; nobody behind a proxy; everybody or nobody, if the owner says so."""
    proxied = {"X-Forwarded-For": "203.0.113.7"}
    for model_type, here, elsewhere in (
        ("text-classification", 200, 403),
        ("image-classification", 200, 200),
        ("automatic-speech-recognition", 403, 403),
    ):
        space, _ = served(model_type)
        answer = httpx.get(f"{space.url}/metrics")
        assert answer.status_code == here
        assert ("space_requests_total" in answer.text) == (here == 200)
        assert httpx.get(f"{space.url}/metrics", headers=proxied).status_code == elsewhere
        several = {"X-Forwarded-For": "127.0.0.1, 203.0.113.7"}
        assert httpx.get(f"{space.url}/metrics", headers=several).status_code == elsewhere


def test_the_counters_add_up_with_what_was_asked(served: Served) -> None:
    space, _ = served("text-classification")
    client = Client(space.url, verbose=False)

    def counters() -> dict[str, float]:
        found = {
            f"{route} {outcome}": space.counted(
                "space_requests_total", route=route, outcome=outcome
            )
            for route in ("direct", "queue")
            for outcome in ("answered", "invalid", "failed", "refused", "left")
        }
        for name in ("cache_hits_total", "shared_total", "batch_size_sum", "latency_seconds_count"):
            found[name] = space.counted(f"space_{name}")
        return found

    before = counters()
    answered(post(space, json={"text": "never asked before"}))
    answered(post(space, json={"text": "never asked before"}))  # from the cache
    client.predict("never asked before", api_name="/predict")  # so is this
    client.predict("neither was this", api_name="/predict")
    refused(post(space, json={"text": ""}))
    refused(post(space, json={}))
    with pytest.raises(AppError, match="Please type a text first"):
        client.predict("", api_name="/predict")
    expected = {
        "direct answered": 2,
        "queue answered": 2,
        "direct invalid": 2,
        "queue invalid": 1,
        "cache_hits_total": 2,
        "batch_size_sum": 2,
        "latency_seconds_count": 4,
    }

    def grown() -> dict[str, float]:
        return {name: value - before[name] for name, value in counters().items()}

    until(lambda: grown()["batch_size_sum"] == 2, "both batches are counted")
    assert grown() == {**dict.fromkeys(before, 0), **expected}


# -- with a model that does as it is told ----------------------------------------------------------

PAINTER = """
import pathlib, time
from PIL import Image
from serving.errors import InputError

GATE = pathlib.Path("gate")


def load(): pass


def note(name, text):
    with open(name, "a") as file:
        file.write(text + chr(10))


def prepare(prompt, seed, steps, *options):
    if prompt == "<b>bad</b>":
        raise InputError("This is <b>bad</b> & wrong.")
    note("prepared", prompt)
    return prompt, seed


def predict(items):
    answers = []
    for prompt, seed in items:
        note("computed", prompt)
        while prompt.startswith("wait") and GATE.exists():
            time.sleep(0.01)
        if prompt == "secret":
            raise ValueError("a secret of the server")
        values = {"nan": float("nan"), "bytes": b"a", "list": [1, (2.5, None)]}
        answers.append(values.get(prompt, Image.new("RGB", (8, 8), (seed, 2, 3))))
    return answers
"""


@pytest.fixture(scope="module")
def painter(
    rendered: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSpace]:
    """Two requests at a time; they may wait for as long as the file "gate" is there."""
    title = '</title><img src=x onerror="window.pwned=1">'
    space = scripted(
        tmp_path_factory.mktemp("painter"),
        rendered(model_type="text-to-image", title=title),
        PAINTER,
        MAX_BATCH_SIZE=2,
        WORKERS=1,
        MAX_SIZE=2,
    )
    make_hasty(space)
    with space:
        yield space


def make_hasty(space: RunningSpace) -> None:
    """Let it delete files after eight seconds, in place of a day."""
    launch = space.folder / "serving" / "launch.py"
    code = launch.read_text(encoding="utf-8")
    hasty = code.replace("DELETE_CACHE = (3600, 86400)", "DELETE_CACHE = (1, 8)")
    assert hasty != code
    launch.write_text(hasty, encoding="utf-8")


def paint(space: RunningSpace, prompt: str, seed: int = 1, timeout: int = 120) -> httpx.Response:
    """Ask for a picture."""
    wanted = {"prompt": prompt, "seed": seed, "randomize": False, "steps": 1}
    return httpx.post(f"{space.url}/api/predict", json=wanted, timeout=timeout)


def by_gradio(space: RunningSpace, *arguments: Any) -> Any:
    """The answer through Gradio's queue."""
    client = Client(space.url, verbose=False)
    return client.submit(*arguments, api_name="/predict").result(timeout=60)


@contextmanager
def gate(space: RunningSpace) -> Iterator[Path]:
    """What begins with "wait" takes until the file is gone."""
    path = space.folder / "gate"
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def files_in(folder: Path) -> list[Path]:
    """All files below."""
    return [path for path in folder.rglob("*") if path.is_file()]


def lines(space: RunningSpace, name: str) -> list[str]:
    """What model.py has noted."""
    path = space.folder / name
    return path.read_text().splitlines() if path.exists() else []


def test_a_picture_is_a_data_uri_and_the_same_as_through_gradio(painter: RunningSpace) -> None:
    uri, seed = answered(paint(painter, "a cat", seed=77))
    head, _, data = uri.partition(",")
    assert (head, seed) == ("data:image/png;base64", 77)
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (picture.size, picture.getpixel((3, 3))) == ((8, 8), (77, 2, 3))
    shown, _ = by_gradio(painter, "a cat", 77, False, 1)
    assert Image.open(shown).getpixel((3, 3)) == (77, 2, 3)


def test_plain_values_come_as_they_are(painter: RunningSpace) -> None:
    assert answered(paint(painter, "list")) == [[1, [2.5, None]], 1]


@pytest.mark.parametrize("prompt", ["bytes", "nan"])
def test_an_answer_that_is_no_json_is_an_error_of_the_server(
    painter: RunningSpace, prompt: str
) -> None:
    refused(paint(painter, prompt), 500)


def test_an_error_keeps_its_secrets_and_its_sentence_is_plain_text(painter: RunningSpace) -> None:
    assert refused(paint(painter, "secret"), 500) == SORRY
    assert refused(paint(painter, "<b>bad</b>")) == "This is <b>bad</b> & wrong."


def test_a_title_is_text_on_the_page_of_the_schema(painter: RunningSpace) -> None:
    page = httpx.get(f"{painter.url}/api/docs").text
    assert "<img" not in page
    title = httpx.get(f"{painter.url}/api/openapi.json").json()["info"]["title"]
    assert title


def test_who_hangs_up_is_not_computed_for(painter: RunningSpace) -> None:
    def left() -> float:
        return painter.counted("space_requests_total", route="direct", outcome="left")

    before = left()
    with gate(painter) as closed, ThreadPoolExecutor(1) as program:
        first = program.submit(paint, painter, "wait for the first")
        until(lambda: "wait for the first" in lines(painter, "computed"), "it is computed")
        with pytest.raises(httpx.ReadTimeout):
            paint(painter, "a leaver", timeout=3)
        until(lambda: left() == before + 1, "who left is counted")
        closed.unlink()
        assert answered(first.result())
    assert answered(paint(painter, "who came later"))
    assert "a leaver" in lines(painter, "prepared")
    assert "a leaver" not in lines(painter, "computed")


def test_requests_of_both_routes_share_a_batch(painter: RunningSpace) -> None:
    def batches() -> tuple[float, float]:
        return painter.counted("space_batch_size_count"), painter.counted("space_batch_size_sum")

    count, items = batches()
    with gate(painter) as closed, ThreadPoolExecutor(3) as programs:
        first = programs.submit(paint, painter, "wait alone", 1)
        until(lambda: "wait alone" in lines(painter, "computed"), "the first is computed")
        second = programs.submit(paint, painter, "with another", 2)
        third = programs.submit(by_gradio, painter, "with one more", 3, False, 1)
        both = {"with another", "with one more"}
        until(lambda: both <= {*lines(painter, "prepared")}, "both wait for the model")
        closed.unlink()
        assert [answered(asked.result())[1] for asked in (first, second)] == [1, 2]
        assert third.result()[1] == 3
    until(lambda: batches() == (count + 2, items + 3), f"two batches for three, not {batches()}")


BUSY = "The queue is full. Please try again in about {} s."


@pytest.mark.browser
def test_when_the_queue_is_full_everybody_reads_the_same_sentence(painter: RunningSpace) -> None:
    """Four are let in at a time and two may wait; they all get their answers in the end."""

    def turned_away() -> dict[str, float]:
        return {
            route: painter.counted("space_requests_total", route=route, outcome="refused")
            for route in ("direct", "queue")
        }

    before = turned_away()
    with gate(painter) as closed, ThreadPoolExecutor(6) as programs:
        inside = [programs.submit(paint, painter, f"wait {seed}", seed) for seed in range(6)]
        until(lambda: painter.counted("space_waiting") == 2, "four are inside, and two wait")
        response = paint(painter, "one too many")
        seconds = int(response.headers["Retry-After"])
        assert seconds >= 1
        sentence = refused(response, 503)
        assert sentence == BUSY.format(seconds)
        with pytest.raises(AppError) as caught:
            by_gradio(painter, "one too many", 1, False, 1)
        assert str(caught.value) == sentence
        with chromium() as browser, visit(browser, painter) as page:
            page.get_by_label("Description", exact=True).fill("one too many")
            page.get_by_role("button", name="Draw").click()
            assert toast(page).inner_text() == sentence
            screenshot(page, "queue-full")
        closed.unlink()
        for seed, answer in enumerate(inside):
            assert answered(answer.result())[1] == seed
    assert answered(paint(painter, "there is room again"))
    assert "one too many" not in lines(painter, "prepared")
    after = turned_away()
    assert {route: after[route] - before[route] for route in before} == {"direct": 1, "queue": 2}


def test_who_waits_in_gradios_queue_takes_a_place_as_well(painter: RunningSpace) -> None:
    config = httpx.get(f"{painter.url}/config").json()
    (number,) = [one["id"] for one in config["dependencies"] if one["api_name"] == "predict"]
    with gate(painter):
        for seed in range(6):
            data = [f"wait for {seed}", seed, False, 1, "", 0]
            body = {"data": data, "fn_index": number, "session_hash": f"visitor {seed}"}
            joined = httpx.post(f"{painter.url}/gradio_api/queue/join", json=body, timeout=60)
            assert joined.status_code == 200
        until(lambda: painter.counted("space_waiting") == 2, "four are inside, and two wait")
        assert refused(paint(painter, "one too many"), 503).startswith("The queue is full.")
    assert [seed_of_answer(painter, f"visitor {seed}") for seed in range(6)] == [*range(6)]


def seed_of_answer(painter: RunningSpace, session: str) -> int:
    """Of the picture that a visitor in Gradio's queue gets."""
    url = f"{painter.url}/gradio_api/queue/data"
    with httpx.stream("GET", url, params={"session_hash": session}, timeout=60) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed":
                return int(message["output"]["data"][1])
    raise AssertionError("no answer")


READER = """
def load(): pass
def prepare(path): return open(path, "rb").read()
def predict(contents): return [{content[-20:].decode("latin1"): 1.0} for content in contents]
"""


def marked(folder: Path, name: str) -> Path:
    """A picture that ends with its name."""
    path = folder / name
    Image.new("RGB", (8, 8)).save(path, "PNG")
    path.write_bytes(path.read_bytes() + f"{name:>20}".encode())
    return path


def is_gone(folder: Path, name: str) -> bool:
    """Whether no file below has this name."""
    return name not in {path.name for path in files_in(folder)}


def test_what_is_uploaded_or_drawn_is_deleted_after_its_time(
    painter: RunningSpace, rendered: Callable[..., Path], tmp_path: Path
) -> None:
    """By both routes; Gradio looks only after the files that it knows."""
    drawn, uploaded = painter.folder.parent / "space-temp", tmp_path / "space-temp"
    by_gradio(painter, "a dog", 99, False, 1)
    assert "image.png" in {path.name for path in files_in(drawn)}
    space = scripted(tmp_path, rendered(model_type="image-classification"), READER)
    make_hasty(space)
    with space:
        by_queue = by_gradio(space, handle_file(str(marked(tmp_path, "queue.png"))))
        assert by_queue["label"].strip() == "queue.png"
        direct = marked(tmp_path, "direct.png")
        assert answered(post(space, files={"image": direct.open("rb")})) == {
            f"{direct.name:>20}": 1
        }
        for folder, name in (
            (uploaded, "queue.png"),
            (drawn, "image.png"),
            (uploaded, "direct.png"),
        ):
            until(lambda place=(folder, name): is_gone(*place), f"{name} is deleted")


# -- with an app.py of the owner's -----------------------------------------------------------------

AROUND = """async def around(image):
    return await classify(image)


with gr.Blocks"""
FILES = 'gr.File(label="Files", file_count="multiple")'
PICTURE = """gr.Image(
                label="Picture", type="filepath", image_mode=None, height=320
            )"""
OWN_APPS = {
    "a video": [(PICTURE, 'gr.Video(label="Film")')],
    "files": [
        (PICTURE, FILES),
        ("image: str | None", "image: list[str]"),
        ("answer(image)", "answer(*image)"),
        ("image.upload", "image.change"),
    ],
    "a hidden name": [("image: str", "_image: str"), ("answer(image)", "answer(_image)")],
    "a function around it": [("classify,", "around,"), ("with gr.Blocks", AROUND)],
    "a function that makes a path of a name": [
        ("classify,", "around,"),
        ("with gr.Blocks", AROUND.replace("classify(image)", 'classify(f"examples/{image}.png")')),
        (PICTURE, 'gr.Textbox(label="Name")'),
        ("image.upload", "image.change"),
    ],
}


def own_app(folder: Path, rendered: Path, changes: list[tuple[str, str]]) -> RunningSpace:
    """A Space whose owner has changed app.py."""
    space = scripted(folder, rendered, READER)
    path = space.folder / "app.py"
    code = path.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in code
        code = code.replace(before, after)
    path.write_text(code, encoding="utf-8")
    return space


def test_where_the_disk_is_full_only_who_brings_a_large_file_is_told(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    """No file may be larger than 100 KB there, which fails as a full disk does."""
    space = scripted(tmp_path, rendered(model_type="image-classification"), READER)
    app = space.folder / "app.py"
    limit = "import resource\n\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    app.write_text(limit + app.read_text(encoding="utf-8"), encoding="utf-8")
    small, large = marked(tmp_path, "small.png"), marked(tmp_path, "large.png")
    large.write_bytes(large.read_bytes() + bytes(200_000))

    def directly(path: Path) -> httpx.Response:
        with path.open("rb") as file:
            return httpx.post(f"{space.url}/api/predict", files={"image": file}, timeout=60)

    with space:
        for _ in range(2):
            refusal = directly(large)
            assert refusal.status_code == 507
            assert refusal.json()["detail"].startswith("There is no room for files")
            with pytest.raises(Exception, match=r"500|413|room"):
                by_gradio(space, handle_file(str(large)))
            assert directly(small).status_code == 200
            assert by_gradio(space, handle_file(str(small)))


@pytest.mark.parametrize("name", OWN_APPS)
def test_no_file_of_the_server_can_be_named(
    name: str, rendered: Callable[..., Path], tmp_path: Path
) -> None:
    """Whatever component takes the file, and however the page calls the function."""
    secret = tmp_path / "secret"
    secret.write_text("of the server", encoding="utf-8")
    named = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    with own_app(tmp_path, rendered(model_type="image-classification"), OWN_APPS[name]) as space:
        for given in (
            {"json": {"image": str(secret)}},
            {"json": {"image": [str(secret)]}},
            {"json": {"image": named}},
            {"json": {"image": [named]}},
            {"files": {"image": (None, str(secret))}},
        ):
            response = post(space, **given)
            assert response.status_code in (404, 422), response.text
            assert "of the server" not in response.text


def test_a_page_that_asks_for_a_password_has_no_side_door(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    asks = [("server.launch(demo, classify)", 'server.launch(demo, classify, auth=("me", "pass"))')]
    space = own_app(tmp_path, rendered(model_type="image-classification"), asks)
    with space:
        assert httpx.get(f"{space.url}/gradio_api/info").status_code == 401
        response = post(space, files={"image": ("a.txt", b"mine")})
        assert response.status_code in (401, 404), response.text
        assert httpx.get(f"{space.url}/api/openapi.json").status_code in (401, 404)


def test_a_function_that_asks_gradio_for_more_does_not_stop_the_start(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    more = [
        ("image: str | None)", "image: str | None, request: gr.Request, progress=gr.Progress())"),
        ("return await", "assert request.client.host\n    progress(0.5)\n    return await"),
    ]
    with own_app(tmp_path, rendered(model_type="image-classification"), more) as space:
        answer = by_gradio(space, handle_file(str(marked(tmp_path, "mine.png"))))
        assert answer["label"].strip() == "mine.png"
        assert post(space, json={"request": 1}).status_code in (404, 422)
