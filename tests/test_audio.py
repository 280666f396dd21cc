"""Sounds and speech: long recordings, other kinds of models, and answers that are recordings."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from batches import batches
from cases import case
from gradio_client import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from pydub import AudioSegment
from scipy.io import wavfile
from scripted import until
from space_process import QuickSpace, RunningSpace
from tiny_audio import BEEP_SECONDS, RATE, beeps, some_words

from spaces_gen.bench import Demand
from spaces_gen.bench import bench as measure
from spaces_gen.load.endpoint import find_endpoint
from spaces_gen.tables import load_model_types

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))
sys.path.insert(0, f"{sys.path[0]}/{{% if 'audio' in files %}}.{{% endif %}}")

from audio import cut, passes, read_audio
from serving.errors import InputError

Served = Callable[..., RunningSpace]
LINE = re.compile(r"\[(\d\d):(\d\d\.\d) - (\d\d):(\d\d\.\d)\] (.+)")


@pytest.fixture(scope="module")
def served(
    rendered: Callable[..., Path],
    tiny_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """Starts the Space of a model type with one of its tiny models, when it is first asked for."""
    running: dict[str, RunningSpace] = {}
    with ExitStack() as stack:

        def get(model_type: str, model: str = "") -> RunningSpace:
            model = model or model_type
            if model not in running:
                folder = tmp_path_factory.mktemp("audio")
                (folder / "space").symlink_to(rendered(model_type=model_type))
                most = str(load_model_types()[model_type].input.most)
                values = {"CACHE_EXAMPLES": "off", "MAX_INPUT": most}
                space = QuickSpace(folder / "space", MODEL_ID=str(tiny_model(model)), **values)
                running[model] = stack.enter_context(space)
            return running[model]

        yield get


def post(space: RunningSpace, sound: np.ndarray | None = None, **arguments: Any) -> httpx.Response:
    """Ask by the direct route, with a recording or without one."""
    if sound is None:
        return httpx.post(f"{space.url}/api/predict", json=arguments, timeout=120)
    data = io.BytesIO()
    wavfile.write(data, RATE, (sound * 20_000).astype(np.int16))
    files = {"audio": ("a.wav", data.getvalue())}
    return httpx.post(f"{space.url}/api/predict", files=files, data=arguments, timeout=120)


def lines(text: str) -> list[tuple[float, float, str]]:
    """Start, end and words of each line of a transcript with times."""
    found = []
    for line in text.splitlines():
        parts = LINE.fullmatch(line)
        assert parts, line
        start, end = (60 * int(parts[i]) + float(parts[i + 1]) for i in (1, 3))
        found.append((start, end, parts[5]))
    return found


def spoken(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Words, and a recording of them."""
    chance = np.random.default_rng(seed)
    text = some_words(chance, count)
    return text.split(), beeps(f" {text} ", chance)


# -- windows ---------------------------------------------------------------------------------------


@given(st.integers(1, 4000), st.sampled_from([100, 200, 1100]), st.sampled_from([2.0, 3.5]))
@settings(deadline=None)
def test_a_recording_is_cut_without_loss_and_no_window_is_too_long(
    length: int, rate: int, longest: float
) -> None:
    samples = np.random.default_rng(length).normal(size=length).astype(np.float32)
    windows = cut(samples, rate, longest)
    assert np.array_equal(np.concatenate(windows), samples)
    assert all(0 < len(window) <= longest * rate for window in windows)
    # the last but one may leave a short rest
    assert all(len(window) >= longest * rate * 0.8 for window in windows[:-1])


def test_a_recording_is_cut_in_its_pauses() -> None:
    _, sound = spoken(300, seed=3)
    windows = cut(sound, RATE, 29)
    assert len(windows) == -(-len(sound) // (29 * RATE)) or len(windows) > 4
    at = 0
    for window in windows[:-1]:
        at += len(window)
        assert np.abs(sound[at - 160 : at + 160]).max() < 0.05


@given(st.lists(st.integers(1, 5), max_size=20), st.integers(1, 4), st.booleans())
def test_each_window_goes_through_the_model_once(
    lengths: list[int], most: int, padded: bool
) -> None:
    found = passes(lengths, most, padded)
    assert sorted(index for chosen in found for index in chosen) == list(range(len(lengths)))
    assert all(0 < len(chosen) <= most for chosen in found)
    if not padded:
        assert all(len({lengths[index] for index in chosen}) == 1 for chosen in found)


def compared(space: Path, model: Path, sounds: list[np.ndarray], folder: Path) -> dict[str, Any]:
    """What tests/batches.py finds out about the model.py of a Space, from some recordings."""
    calls = []
    for number, sound in enumerate(sounds):
        calls.append([str(folder / f"{number}.wav")])
        wavfile.write(calls[-1][0], RATE, (sound * 20_000).astype(np.int16))
    values = {"MODEL_ID": str(model), "DTYPE": "float32", "MAX_BATCH_SIZE": str(len(calls))}
    return batches(space, values, calls, rounds=0)


# -- speech ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ctc", "ctc-unmasked"])
def test_a_batch_of_a_ctc_model_is_its_singles(
    kind: str, rendered: Callable[..., Path], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    name = "automatic-speech-recognition"
    sounds = [spoken(1 + number % 4, number)[1] for number in range(8)]
    sounds += [sounds[0][::-1], sounds[1][::-1]]
    model = tiny_model(f"{name}-{kind}")
    found = compared(rendered(model_type=name), model, sounds, tmp_path)
    assert found["largest_batch"] == len(sounds)
    assert found["difference"] == 0


def test_a_ctc_model_reads_a_long_recording_word_by_word_with_their_times(served: Served) -> None:
    """Of more than a minute, so in several windows."""
    space = served("automatic-speech-recognition", "automatic-speech-recognition-ctc")
    words, sound = spoken(150, seed=5)
    assert len(sound) > 60 * RATE
    read = post(space, sound).json()["result"].split()
    assert len(read) == len(words)
    right = [one == other for one, other in zip(read, words)]
    assert sum(right) > 0.9 * len(words)

    # a pause of more than half a second ends a line
    one, two = (spoken(1, seed)[1] for seed in (6, 7))
    pause = beeps(" " * 8, np.random.default_rng(8))
    pair = np.concatenate([one, pause, two])
    (start, end, _), (later, until_, _) = lines(
        post(space, pair, timestamps="true").json()["result"]
    )
    assert abs(start - BEEP_SECONDS) < 0.15
    assert abs(end - (len(one) / RATE - BEEP_SECONDS)) < 0.15
    assert abs(later - ((len(one) + len(pause)) / RATE + BEEP_SECONDS)) < 0.15
    assert abs(until_ - (len(pair) / RATE - BEEP_SECONDS)) < 0.15


def test_whisper_writes_all_windows_of_a_long_recording_with_rising_times(served: Served) -> None:
    space = served("automatic-speech-recognition")
    _, sound = spoken(150, seed=8)
    seconds = len(sound) / RATE
    found = lines(post(space, sound, timestamps="true").json()["result"])
    assert all(0 <= start <= end <= seconds + 0.05 for start, end, _ in found)
    assert found == sorted(found, key=lambda line: line[0])
    assert found[-1][0] > seconds - 40
    text = post(space, sound).json()["result"]
    parts = [post(space, window).json()["result"] for window in cut(sound, RATE, 29)]
    assert text == " ".join(part for part in parts if part)


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("", {"language": "Klingon"}, "does not know this language"),
        ("", {"task": "sing"}, "task: Value"),
        ("-ctc", {"language": "German"}, "knows one language"),
        ("-ctc", {"task": "translate"}, "does not translate"),
    ],
)
def test_what_a_model_cannot_do_is_said(
    served: Served, model: str, arguments: dict[str, str], words: str
) -> None:
    name = "automatic-speech-recognition"
    refused = post(served(name, name + model), spoken(2, seed=1)[1], **arguments)
    assert refused.status_code == 422
    assert words in refused.json()["detail"]


def test_a_language_is_named_in_any_way(served: Served) -> None:
    space = served("automatic-speech-recognition")
    _, sound = spoken(2, seed=9)
    answers = {
        post(space, sound, language=name).json()["result"] for name in ("German", "de", " german ")
    }
    assert len(answers) == 1


# -- sounds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["masked", "unmasked"])
def test_a_batch_of_a_classifier_of_samples_is_its_singles(
    kind: str, rendered: Callable[..., Path], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """The lengths of the recordings differ, so that only what has a mask shares a batch."""
    name = "audio-classification"
    sounds = [spoken(1 + number % 4, number)[1] for number in range(8)]
    sounds += [sounds[0][::-1], sounds[1][::-1]]
    model = tiny_model(f"{name}-{kind}")
    found = compared(rendered(model_type=name), model, sounds, tmp_path)
    assert found["largest_batch"] > 1
    assert (found["largest_batch"] == len(sounds)) == (kind == "masked")
    assert found["difference"] < 1e-5


@pytest.mark.parametrize("model_type", ["audio-classification", "zero-shot-audio-classification"])
def test_a_long_recording_is_all_heard_and_always_gets_the_same_answer(
    model_type: str, served: Served
) -> None:
    space = served(model_type)
    given = {"labels": "rain, music"} if "zero" in model_type else {}
    chance = np.random.default_rng(1)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(15 * RATE) / RATE)
    noise = 0.1 * chance.normal(size=15 * RATE)
    whole = post(space, np.concatenate([tone, noise]), **given).json()["result"]
    # another name of the file, so that no kept answer is given
    again = post(space, np.concatenate([tone, noise, [0.0]]), **given).json()["result"]
    assert again == pytest.approx(whole, abs=0.02)
    beginning = post(space, tone, **given).json()["result"]
    assert beginning != pytest.approx(whole, abs=0.02)
    too_long = post(space, np.zeros(601 * RATE), **given)
    assert too_long.status_code in (413, 422)


def test_bench_sends_the_recordings_of_the_examples(
    served: Served,
) -> None:
    """Of which the page shows the names alone."""
    space = served("audio-classification")
    endpoint = find_endpoint(space.url)
    assert len(endpoint.examples) > 1
    assert all(row[0]["path"].endswith(".wav") for row in endpoint.examples)
    demand = Demand(users=(2,), rates=(), seconds=3, warm_up=0.2)
    (found,) = measure([space.url], demand, None, lambda _: None)
    assert {one.route for one in found.rows} == {"direct", "queue"}
    assert all(one.clean for one in found.rows), found.rows


# -- recordings as answers -------------------------------------------------------------------------


def test_speech_is_a_file_on_the_page_and_text_for_programs(
    served: Served, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    space = served("text-to-speech")
    one = case("text-to-speech", tiny_model("text-to-speech"), tmp_path)
    expected = one.expected(["good morning", 1, 0, 0])
    path = Client(space.url, verbose=False).predict("good morning", api_name="/predict")
    assert path.endswith(".wav")
    assert one.same(path, expected)
    result = post(space, text="good morning").json()["result"]
    kind, _, data = result.partition(",")
    assert kind == "data:audio/wav;base64"
    assert base64.b64decode(data) == Path(path).read_bytes()
    schema = httpx.get(f"{space.url}/api/openapi.json").json()
    body = schema["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["required"] == ["text"]
    assert set(body["schema"]["properties"]) == {"text", "speaking_rate", "speaker", "seed"}


def length(answer: httpx.Response) -> float:
    """Seconds of a recording."""
    assert answer.status_code == 200, answer.text
    data = base64.b64decode(answer.json()["result"].partition(",")[2])
    rate, samples = wavfile.read(io.BytesIO(data))
    return float(len(samples) / rate)


def test_a_long_text_is_said_in_parts_with_pauses(served: Served) -> None:
    space = served("text-to-speech")
    sentence = "one two three four five six seven eight nine ten. "
    single = length(post(space, text=sentence * 4))
    many = length(post(space, text=sentence * 40))
    assert 5 * single < many < 20 * single
    assert length(post(space, text="word" * 100)) > 0


def test_the_same_seed_says_the_same_and_another_says_it_differently(served: Served) -> None:
    space = served("text-to-speech")
    text = "say it again"
    asked = [
        {"text": text},
        {"text": text, "seed": 0, "speaker": 0, "speaking_rate": 1},
        {"text": text, "seed": 1},
        {"text": text, "speaker": 1},
        {"text": text, "speaking_rate": 1.5},
    ]
    first, again, *others = [post(space, **arguments).json()["result"] for arguments in asked]
    assert again == first
    assert len({first, *others}) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": " "}, "type a text"),
        ({"text": "!!!"}, "nothing that the voice can say"),
        ({"text": "a" * 5001}, "characters are the limit"),
        ({"text": "a", "speaker": 3}, "Speakers go from 0 to 2"),
        ({"text": "a", "speaking_rate": 9}, "maximum value 2"),
        ({"text": "a", "seed": -1}, "minimum value 0"),
    ],
)
def test_what_cannot_be_said_is_explained(
    served: Served, arguments: dict[str, Any], words: str
) -> None:
    refused = post(served("text-to-speech"), **arguments)
    assert refused.status_code == 422
    assert words in refused.json()["detail"]


def test_kept_examples_are_recordings(
    rendered: Callable[..., Path], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copytree(rendered(model_type="text-to-speech"), tmp_path / "space")
    rows = json.loads((tmp_path / "space/examples/examples.json").read_text())
    with QuickSpace(tmp_path / "space", MODEL_ID=str(tiny_model("text-to-speech"))) as space:
        kept = tmp_path / "space"
        until(lambda: len([*kept.glob("examples_cache/*/*.json")]) == len(rows), "all are kept")
        answer = Client(space.url, verbose=False).predict(*rows[0], api_name="/predict")
        (file,) = kept.glob("examples_cache/*/0-0.wav")
        assert Path(answer).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:1.0,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile 'other.wav'\n",
        b"<?xml version='1.0'?><MPD><BaseURL>http://127.0.0.1/</BaseURL></MPD>",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
        b"",
    ],
    ids=lambda content: str(content[:10]),
)
def test_no_list_of_other_files_is_given_to_the_decoder(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would read what the list names."""
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    opened: list[Any] = []
    monkeypatch.setattr(AudioSegment, "from_file", lambda *given, **_: opened.append(given))
    with pytest.raises(InputError, match="cannot be read as a recording"):
        read_audio(str(path), RATE, 60)
    assert opened == []
