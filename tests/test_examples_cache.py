"""What a Space keeps and recognizes: answers to its examples, equal requests, its card."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))

from serving.card import Card, read_card
from serving.digest import digest, digest_files
from serving.examples import CACHE, ExampleCache, code_hash, load_examples
from serving.values import Media, as_json, encode_pictures, from_entry, holds_media, to_entry

TEMPLATE = Path(__file__).parent.parent / "template"
IN_A_FOLDER = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def drawn(mode: str, data: bytes) -> Image.Image:
    """A picture of three times two pixels, as a model draws it."""
    wanted = len(Image.new(mode, (3, 2)).tobytes())
    return Image.frombytes(mode, (3, 2), (data * wanted)[:wanted])


def picture(mode: str, data: bytes) -> Media:
    """The same as it travels."""
    encoded: Media = encode_pictures(drawn(mode, data))
    return encoded


DRAWN = st.builds(
    drawn, st.sampled_from(["1", "L", "LA", "RGB", "RGBA", "I;16"]), st.binary(min_size=1)
)
PICTURES = DRAWN.map(encode_pictures)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
HASHABLE = st.recursive(PLAIN, lambda inner: st.tuples(inner, inner), max_leaves=3)


def answers(*leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists, tuples and dicts of these leaves, nested."""
    return st.recursive(
        st.one_of(*leaves),
        lambda inner: st.one_of(
            st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(HASHABLE, inner)
        ),
        max_leaves=12,
    )


ANSWERS = answers(PLAIN, PICTURES)


def shown(value: Any) -> Any:
    """The value with its types and its pictures' pixels, so that `==` tells all differences."""
    if isinstance(value, Image.Image):
        return ("picture", value.mode, value.size, value.tobytes())
    if isinstance(value, Media):
        return (Media, shown(Image.open(io.BytesIO(value.content))))
    if isinstance(value, list | tuple):
        return (type(value), [shown(item) for item in value])
    if isinstance(value, dict):
        return (dict, [(shown(key), shown(item)) for key, item in value.items()])
    return (type(value), repr(value))


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: what of a Space the cache looks at."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "examples.json").write_text('[["a"], ["b"]]', encoding="utf-8")
    (tmp_path / "examples" / "cat.jpg").write_bytes(b"a cat")
    for name in ("app.py", "model.py"):
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept() -> list[str]:
    """The names of the files that are kept."""
    return sorted(path.name for path in CACHE.rglob("*") if path.is_file())


# -- answers on their way --------------------------------------------------------------------------


@settings(deadline=None)
@given(answer=answers(PLAIN, DRAWN))
def test_pictures_travel_as_png_without_a_loss_and_all_else_as_it_is(answer: Any) -> None:
    def unpacked(value: Any) -> Any:
        if isinstance(value, tuple) and value[:1] == (Media,):
            return value[1]
        several = isinstance(value, list | tuple)
        return type(value)(unpacked(item) for item in value) if several else value

    encoded = encode_pictures(answer)
    assert unpacked(shown(encoded)) == shown(answer)
    assert holds_media(encoded) == holds_media(answer) == ("picture" in repr(shown(answer)))


class Scores(NamedTuple):
    """What a person's own model might return."""

    label: str
    score: float


@pytest.mark.parametrize(
    "answer",
    [b"a", {1, 2}, object(), Scores("cat", 0.5), [Scores("cat", 0.5)]],
    ids=["bytes", "set", "object", "named tuple", "list"],
)
def test_what_would_come_back_as_something_else_is_not_kept(answer: Any) -> None:
    """Or the second visitor's `answer.label` would fail."""
    with pytest.raises(TypeError):
        to_entry(answer, bytes.hex)


@settings(deadline=None)
@given(answer=ANSWERS)
def test_what_json_kept_comes_back_as_it_was(answer: Any) -> None:
    text = json.dumps(to_entry(answer, lambda media: media.content.hex()))
    assert shown(from_entry(json.loads(text), bytes.fromhex)) == shown(answer)


def test_as_json_a_picture_is_a_data_uri_and_arrays_are_lists() -> None:
    answer = {"a": [picture("RGB", b"abc"), (1, None)], "b": np.float32(0.5), "c": np.ones((1, 2))}
    told = json.loads(json.dumps(as_json(answer)))
    head, _, data = told["a"][0].partition(",")
    assert head == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert shown(image) == shown(drawn("RGB", b"abc"))
    assert (told["a"][1], told["b"], told["c"]) == ([1, None], 0.5, [[1.0, 1.0]])
    with pytest.raises(TypeError):
        as_json([b"a"])


def test_a_picture_that_png_cannot_hold_is_an_error_where_it_is_encoded() -> None:
    with pytest.raises(OSError, match="CMYK"):
        encode_pictures([drawn("CMYK", b"abcd")])


# -- answers to examples ---------------------------------------------------------------------------


@settings(IN_A_FOLDER, max_examples=150)
@given(answer=ANSWERS, number=st.integers(0, 3))
def test_any_answer_of_plain_values_and_pictures_comes_back_as_it_was(
    space: Path, answer: Any, number: int
) -> None:
    cache = ExampleCache("me/model", "float32")
    cache.put(number, answer)
    assert number in cache
    assert shown(cache.get(number)) == shown(answer)
    assert shown(ExampleCache("me/model", "float32").get(number)) == shown(answer)


def test_an_answer_survives_a_new_process(space: Path) -> None:
    answer = [("label", 0.25), {"picture": picture("RGB", b"abc"), 7: None}]
    ExampleCache("me/model", "float32").put(1, answer)
    code = (
        "from serving.examples import ExampleCache\n"
        "cache = ExampleCache('me/model', 'float32')\n"
        "(label, rest) = cache.get(1)\n"
        "print(0 in cache, 1 in cache, label, rest['picture'].content.hex(), rest[7])"
    )
    variables = {**os.environ, "PYTHONPATH": str(TEMPLATE)}
    told = subprocess.check_output([sys.executable, "-c", code], env=variables, text=True)
    png = picture("RGB", b"abc").content.hex()
    assert told.strip() == f"False True ('label', 0.25) {png} None"


def test_how_fast_it_is_does_not_forget_the_answers(space: Path) -> None:
    before = code_hash()
    ExampleCache("me/model", "float32").put(0, "old")
    (space / "tuning.py").write_text("changed", encoding="utf-8")
    assert ExampleCache("me/model", "float32").get(0) == "old"
    assert code_hash() == before
    (space / "model.py").write_text("changed", encoding="utf-8")
    assert code_hash() != before


@pytest.mark.parametrize(
    "changed",
    [
        "examples/examples.json",
        "examples/cat.jpg",
        "examples/new.txt",
        "app.py",
        "model.py",
        "images.py",
        "MODEL_ID",
        "DTYPE",
    ],
)
def test_a_change_of_examples_code_model_or_dtype_forgets_and_removes_the_old_answers(
    space: Path, changed: str
) -> None:
    ExampleCache("me/model", "float32").put(0, "old")
    assert ExampleCache("me/model", "float32").get(0) == "old"
    of_a_file = "/" in changed or changed.endswith(".py")
    if of_a_file:
        (space / changed).write_text("changed", encoding="utf-8")
    model_id, dtype = [
        "other" if changed == name else value
        for name, value in [("MODEL_ID", "me/model"), ("DTYPE", "float32")]
    ]
    cache = ExampleCache(model_id, dtype)
    assert 0 not in cache
    cache.put(1, "new")
    assert kept() == ["1.json"]
    assert len([*CACHE.iterdir()]) == 1


def test_bytes_that_move_from_one_file_to_the_next_are_a_change(space: Path) -> None:
    one, other = space / "examples" / "a", space / "examples" / "b"
    one.write_bytes(b"xy")
    other.write_bytes(b"z")
    ExampleCache("me/model", "float32").put(0, "old")
    one.write_bytes(b"x")
    other.write_bytes(b"yz")
    assert 0 not in ExampleCache("me/model", "float32")


@pytest.mark.parametrize(
    "answer",
    [
        {"bytes": b"a"},
        [{1, 2}],
        object(),
        drawn("RGB", b"abc"),
        "half a pair \ud800",
        10**5000,
    ],
    ids=lambda value: str(type(value)),
)
def test_an_answer_that_cannot_be_kept_is_left_out_with_a_warning_and_nothing_breaks(
    space: Path, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    cache = ExampleCache("me/model", "float32")
    with caplog.at_level(logging.WARNING, "space"):
        cache.put(0, answer)
    if 0 in cache:
        assert shown(cache.get(0)) == shown(answer)
    else:
        assert "example 0 is not kept" in caplog.text
        assert not [name for name in kept() if name.endswith(".json")]


def test_a_place_that_cannot_be_written_is_a_warning(
    space: Path, caplog: pytest.LogCaptureFixture
) -> None:
    CACHE.write_text("a file in the way", encoding="utf-8")
    with caplog.at_level(logging.WARNING, "space"):
        ExampleCache("me/model", "float32").put(0, "answer")
    assert "example 0 is not kept" in caplog.text


def test_first_answers_that_arrive_at_the_same_time_are_all_kept(space: Path) -> None:
    """Two visitors with the same example, and others with other ones, on first use."""
    for turn in range(20):
        cache, together = ExampleCache(f"me/{turn}", "float32"), threading.Barrier(8)

        def put(number: int, cache: Any = cache, together: Any = together) -> None:
            together.wait(20)
            cache.put(number // 2, ["answer", picture("RGB", b"abc")])

        with ThreadPoolExecutor(8) as visitors:
            list(visitors.map(put, range(8)))
        assert [number in cache for number in range(4)] == [True] * 4
        assert all(cache.get(number)[0] == "answer" for number in range(4))


ANSWER = {"text": ("a", 1), "list": [None, 0.5], "picture": picture("RGB", b"abcdef")}


@settings(IN_A_FOLDER, max_examples=100)
@given(end=st.integers(0, 400), which=st.sampled_from(["0.json", "picture"]))
def test_a_half_written_file_is_never_an_answer(space: Path, end: int, which: str) -> None:
    cache = ExampleCache("me/model", "float32")
    cache.put(0, ANSWER)
    (path,) = CACHE.rglob("0.json" if which == "0.json" else "*.png")
    whole = path.read_bytes()
    path.write_bytes(whole[: min(end, len(whole) - 1)])
    try:
        answer = cache.get(0)
    except LookupError:
        return
    assert which == "picture", "a cut JSON file was taken"
    assert shown(answer) == shown(ANSWER), "only what comes after the pixels was lost"


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "7", "[]", "{}", '"text"', '{"list": 5}', '{"bogus": []}', '{"tuple": [7]}'),
        *('{"dict": [[{"list": []}, {"value": 1}]]}', '{"value": 1, "list": []}', "[" * 100_000),
        *(
            '{"media": [".png", "none.png"]}',
            '{"media": [".png", "0.json"]}',
            '{"media": [".png", "../../app.py"]}',
        ),
    ],
    ids=lambda text: text[:30],
)
def test_a_damaged_file_is_a_lookup_error_and_the_next_answer_replaces_it(
    space: Path, text: str
) -> None:
    cache = ExampleCache("me/model", "float32")
    cache.put(0, "answer")
    (path,) = CACHE.rglob("0.json")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LookupError):
        cache.get(0)
    cache.put(0, "answer")
    assert cache.get(0) == "answer"


SERVE = """
import asyncio, json, pathlib, shutil
from serving.server import Server
server = Server()

async def visit(text):
    try:
        return await server.answer(text)
    except Exception as error:
        return repr(error)

async def serve():
    await asyncio.create_task(server._know_examples(server.answer))
    (first, *_) = server.examples
    answers = [await visit(*first), await visit(*first)]
    for path in pathlib.Path("examples_cache").rglob("*.json"):
        path.write_text('{"value": "half of')
    answers += [await visit(*first), await visit(*first)]
    shutil.rmtree("examples_cache")
    pathlib.Path("examples_cache").write_text("a file in the way")
    answers += [await visit(*first)]
    return [len(server.examples), answers]

print(json.dumps(asyncio.run(serve())))
server.close()
"""
ECHO = """
def load(): pass

def predict(texts):
    with open("computed", "a") as file:
        file.writelines(text + chr(10) for text in texts)
    return [[text] for text in texts]
"""


def test_the_server_answers_itself_where_the_kept_answer_is_damaged_or_cannot_be_kept(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    space = tmp_path / "space"
    shutil.copytree(rendered(model_type="text-classification"), space)
    (space / "model.py").write_text(ECHO, encoding="utf-8")
    told = subprocess.check_output([sys.executable, "-c", SERVE], cwd=space, text=True, timeout=90)
    count, answers = json.loads(told.splitlines()[-1])
    rows = json.loads((space / "examples" / "examples.json").read_text(encoding="utf-8"))
    assert len(rows) == count
    assert answers == [rows[0]] * 5
    computed = (space / "computed").read_text(encoding="utf-8").splitlines()
    once = [text for (text,) in rows]
    assert computed == [*once, once[0], once[0]], "again for the damaged, and the unkept"


@pytest.mark.parametrize("text", ["x" * 300, "é" * 200, "a\0b", "a/b", ".", "..", "", "cat", "*"])
def test_an_example_that_is_a_text_stays_one_however_odd_or_long(space: Path, text: str) -> None:
    rows = [[text, "cat.jpg", 7, None, {"text": text, "files": []}]]
    (space / "examples" / "examples.json").write_text(json.dumps(rows), encoding="utf-8")
    ((first, file, *rest),) = load_examples()
    assert (first, rest) == (text, rows[0][2:])
    assert Path(file).read_bytes() == b"a cat"


def test_without_examples_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_examples() == []


# -- equal requests --------------------------------------------------------------------------------


def rebuilt(value: Any) -> Any:
    """An equal value that shares no part with `value`."""
    if isinstance(value, list | tuple):
        return type(value)(rebuilt(item) for item in value)
    if isinstance(value, dict):
        return {rebuilt(key): rebuilt(item) for key, item in value.items()}
    if isinstance(value, Media):
        return Media(bytes([*value.content]))
    return "".join([*value]) if isinstance(value, str) else value


@settings(deadline=None)
@given(value=ANSWERS)
def test_equal_values_that_share_nothing_have_equal_digests(value: Any) -> None:
    known = digest(value)
    assert known == digest(rebuilt(value))
    assert isinstance(known, str)
    assert set(known) <= set("0123456789abcdef")


@given(text=st.text(min_size=2), others=st.lists(st.text()))
def test_whether_parts_are_shared_does_not_matter(text: str, others: list[str]) -> None:
    copy = "".join([*text])
    assert digest([text, text, *others, {text: text}]) == digest(
        [text, copy, *others, {copy: text}]
    )
    part = [text, *others]
    assert digest((part, part)) == digest((part, list(part)))


@settings(deadline=None)
@given(one=ANSWERS, other=ANSWERS)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    assert (digest(one) == digest(other)) == (shown(one) == shown(other))


class Explosive:
    """Its own code raises while it is pickled."""

    def __reduce__(self) -> Any:
        raise MemoryError


def test_what_cannot_be_pickled_has_no_digest() -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (lambda: None, threading.Lock(), Explosive(), (n for n in ()), cyclic, deep):
        assert digest([value]) is None


# -- the card --------------------------------------------------------------------------------------

BROKEN = Card("Space", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\ntitle: A\nshort_description: B\n---\ntext", Card("A", "B")),
        ("---\r\ntitle: A\r\n---\r\n", Card("A", "")),
        ("\ufeff---\ntitle: 7\n---\n", Card("7", "")),
        ("---\nemoji: x\n---\n", BROKEN),
        ("---\ntitle:\nshort_description:\n---\n", BROKEN),
        ("---\ntitle: 2001-99-99\n---\n", BROKEN),
        ("---\ntitle: 0x_\n---\n", BROKEN),
        ("---\ntitle: [\n---\n", BROKEN),
        ("---\n- a\n---\n", BROKEN),
        ("---\ntitle\n---\n", BROKEN),
        ("---\n---\n", BROKEN),
        ("---\n", BROKEN),
        ("# Only text\n", BROKEN),
        ("", BROKEN),
    ],
)
def test_the_card_is_read_and_a_broken_one_gives_plain_words(
    tmp_path: Path, text: str, expected: Card
) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(text.encode())
    assert read_card(path) == expected


def test_a_card_that_is_missing_no_file_or_no_text_gives_plain_words(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"---\n\xff\xfe\n---\n")
    assert [read_card(tmp_path / name) for name in ("none", ".", "binary")] == [BROKEN] * 3


@settings(IN_A_FOLDER)
@given(header=st.text(st.sampled_from("titleshor_d:- '\"[]{}&*!|>#%@\n0123")))
def test_no_header_whatsoever_stops_the_start(tmp_path: Path, header: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"---\n{header}\n---\n", encoding="utf-8")
    assert all(isinstance(word, str) for word in read_card(path))


# -- files on their way ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".exe", "../x.png", None, 7])
def test_media_of_another_kind_is_refused(suffix: Any) -> None:
    """Whoever can write to a shared cache names no file and no kind of their own."""
    with pytest.raises(ValueError, match="no kind of media"):
        from_entry({"media": [suffix, "a"]}, bytes.fromhex)


def test_a_file_is_whole_as_soon_as_it_is_there(tmp_path: Path) -> None:
    """Many write the same at once; nothing else is left in its folder."""
    media = Media(os.urandom(2**20), ".wav")
    seen: list[bytes] = []

    def write() -> None:
        seen.append(Path(media.file(tmp_path)).read_bytes())

    threads = [threading.Thread(target=write) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [media.content] * 16
    (path,) = (one for one in tmp_path.rglob("*") if one.is_file())
    assert path.name == "audio.wav"


def test_files_inside_a_message_count_by_their_content(tmp_path: Path) -> None:
    for name, content in (("a", "same"), ("b", "same"), ("c", "other")):
        (tmp_path / name).write_text(content)
    for shape in (lambda path: path, lambda path: [path], lambda path: {"files": [path, "x"]}):
        first, second, third = (
            asyncio.run(digest_files((shape(str(tmp_path / name)),), (str(tmp_path),)))
            for name in "abc"
        )
        assert first == second != third
