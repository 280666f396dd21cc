"""All that is tried on a Space: one input is hostile to its kind, the others are good."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import hostile_files
import psutil
from case_parts import Case
from cases_documents import videos
from hostile_files import Upload, images, read
from hostile_values import KINDS, NESTED, Raw, histories, messages, tables
from hostile_visit import FILES, JSON, Doors, Field, Outcome, defects, forged, listener
from space_process import RunningSpace

LONGEST_SECONDS = 30
GROUP = 8  # hostile requests between two good ones
AT_ONCE = 3
PART = 5  # a fifth, where not everything is sent


class Try(NamedTuple):
    """One hostile request."""

    name: str
    ask: Callable[[], Outcome]
    value: Any
    may_be_answered: bool = True


@dataclass
class Report:
    """What came of all of them."""

    tried: int = 0
    answered: int = 0
    refused: int = 0
    slowest: tuple[float, str] = (0.0, "")
    grown: dict[str, int] = field(default_factory=dict)  # megabytes at most, by process
    defects: list[str] = field(default_factory=list)


def hostile_to(one: Field, forgeries: Mapping[str, Any], video: bytes) -> dict[str, Any]:
    """The hostile values for an input, by name."""
    if one.kind in FILES:
        uploads = {
            "image": hostile_files.images,
            "audio": hostile_files.recordings,
            "video": lambda: hostile_files.videos(video),
        }[one.kind]()
        strange = {"None": None, "[]": [], "{}": {}, "a number": 7, "deep": NESTED, "true": True}
        return {**uploads, **strange, **forgeries}
    if one.kind == "dataframe":
        good = one.good
        if isinstance(good, dict):
            return tables(list(good["headers"]), list(good["data"][0]))
        headers = [str(name) for name in one.props["headers"]]
        return tables(headers, list(good[0]))
    if one.kind == "multimodaltextbox":
        pictures = {f"with {name}": one for name, one in hostile_files.images().items()}
        seen = {name: {"text": "a", "files": [file]} for name, file in pictures.items()}
        return {**messages(forgeries), **seen, "100 files": hundred()}
    return dict(KINDS[one.kind])


def hundred() -> dict[str, Any]:
    """A message with more files than anybody looks at."""
    picture = hostile_files.images()["1 x 1"]
    return {"text": "a", "files": [Upload(f"{i}.png", picture.content) for i in range(100)]}


def tries(
    doors: Doors, forgeries: Mapping[str, Any], video: bytes, whole: Collection[str] | None
) -> Iterator[Try]:
    """The hostile requests.

    Args:
        whole: kinds of which the first input gets all that there is, and others a part; where it is
            None every input gets all.
    """
    good = [one.good for one in doors.fields]
    named = {one.name: one.good for one in doors.fields if one.name}
    seen: set[str] = set()
    for place, one in enumerate(doors.fields):
        if not one.name:
            continue
        everything = list(hostile_to(one, forgeries, video).items())
        partly = whole is not None and (one.kind not in whole or one.kind in seen)
        seen.add(one.kind)
        for name, value in everything[:: PART if partly else 1]:
            values = [*good[:place], value, *good[place + 1 :]]
            fields = {**named, one.name: value}
            own = [value, name]
            refused = one.kind in FILES and name in forgeries
            what = f"{one.name}: {name}"
            yield Try(f"queue {what}", lambda v=values: doors.by_queue(v), own, not refused)
            if doors.is_direct:
                yield Try(f"direct {what}", lambda f=fields: doors.directly(f), own, not refused)
    yield from shapes(doors, good, named)
    if doors.is_direct and any(one.kind == "state" for one in doors.fields):
        said = list(histories(forgeries).items())
        for name, value in said[:: 1 if whole is None or "state" in whole else PART]:
            fields = {**named, "history": value}
            for stream in (False, True):
                yield Try(
                    f"direct history: {name}, {stream=}",
                    lambda f=fields, s=stream: doors.directly(f, s),
                    value,
                )


def shapes(doors: Doors, good: list[Any], named: dict[str, Any]) -> Iterator[Try]:
    """Requests that are hostile as a whole."""
    sent = doors.uploaded(good)
    wrong: dict[str, Any] = {
        "no values": [],
        "one value": sent[:1] if len(sent) > 1 else [],
        "values of None": [None] * len(sent),
        "values as a text": "a",
        "values as an object": {"0": "a"},
        "values 10,000 deep": NESTED,
        "NaN for values": [Raw("NaN")] * len(sent),
        "no list": None,
    }
    for name, value in wrong.items():
        yield Try(f"queue {name}", lambda v=value: doors.by_queue(v), value)
    more: dict[str, dict[str, Any]] = {
        "another function": {"fn_index": 10_000},
        "a function below 0": {"fn_index": -1},
        "a function of text": {"fn_index": "predict"},
        "no function": {"fn_index": None},
        "a batch": {"batched": True},
        "a trigger of nobody": {"trigger_id": 10**9},
        "hostile data of the event": {"event_data": NESTED},
        "another event": {"event_id": "../../etc/passwd"},
    }
    for name, fields in more.items():
        yield Try(f"queue {name}", lambda f=fields: doors.by_queue(good, **f), fields)
    yield Try("queue 5,000 more", lambda: doors.by_queue([*good, *["x"] * 5_000]), "x")
    many = {"x": [1] * 1_000_000}  # which all would wait for
    yield Try("queue 3 MB of numbers", lambda: doors.by_queue([*good, many]), "", False)
    if not doors.is_direct:
        return
    yield Try("direct 3 MB of numbers", lambda: doors.directly({**named, **many}), "x", False)
    bodies = {
        "no JSON": b"{",
        "nothing": b"",
        "half a character": b'{"\xff": 1}',
        "a list": b"[1]",
        "deep": b'{"text":' * 20_000,
        "a name twice": b'{"text":"a","text":"b"}',
        "__proto__": b'{"__proto__": {"x": 1}, "constructor": 1}',
        "5,000 names": b"{" + b",".join(b'"a%d":1' % i for i in range(5_000)) + b"}",
    }
    for name, body in bodies.items():
        yield Try(f"direct {name}", lambda b=body: doors.post(b, {"Content-Type": JSON}), name)
    for name in (*named, "x"):
        less = {key: value for key, value in named.items() if key != name}
        yield Try(f"direct without {name}", lambda f=less: doors.directly(f), name)
    yield Try("direct one more", lambda: doors.directly({**named, "x<b>": 1}), "x<b>")


def mutated(doors: Doors, count: int) -> Iterator[Try]:
    """Good requests with one input changed at random; the same each time."""
    chance = random.Random(0)
    strange = [value for kind in KINDS.values() for value in kind.values()]
    places = [place for place, one in enumerate(doors.fields) if one.name]
    for number in range(count):
        place = chance.choice(places)
        one = doors.fields[place]
        value = mutant(one.good, chance, strange)
        values = [field.good for field in doors.fields]
        values[place] = value
        fields = {field.name: given for field, given in zip(doors.fields, values) if field.name}
        name = f"{one.name}: mutant {number}"
        if doors.is_direct and chance.random() < 0.5:
            yield Try(f"direct {name}", lambda f=fields: doors.directly(f), value)
        else:
            yield Try(f"queue {name}", lambda v=values: doors.by_queue(v), value)


def mutant(value: Any, chance: random.Random, strange: list[Any]) -> Any:
    """The value with something changed."""
    if isinstance(value, Upload):
        return Upload(value.name, shuffled(value.content, chance))
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        return {**value, key: mutant(value[key], chance, strange)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], mutant(value[place], chance, strange), *value[place + 1 :]]
    if isinstance(value, str) and value and chance.random() < 0.5:
        letters = [*value, *map(chr, chance.choices(range(0x20, 0x3000), k=8))]
        chance.shuffle(letters)
        return "".join(letters)
    return chance.choice(strange)


def shuffled(content: bytes, chance: random.Random) -> bytes:
    """A file with some bytes changed, put in, taken away or repeated."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        start = chance.randrange(len(data) or 1)
        if chance.random() < 0.5:  # mostly headers matter
            start = min(start, chance.randrange(64))
        end = start + chance.randint(1, 16)
        data[start:end] = chance.choice(
            [chance.randbytes(end - start), b"\xff" * (end - start), b"", data[start:end] * 4]
        )
    return bytes(data)


def peak(number: int) -> int:
    """The most memory that a process has held, in megabytes."""
    status = Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    (line,) = (one for one in status.splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def family(space: RunningSpace) -> dict[str, int]:
    """The processes of a Space."""
    assert space.process is not None
    page = psutil.Process(space.process.pid)
    children = page.children()
    return {"page": page.pid, **{f"model {n}": one.pid for n, one in enumerate(children)}}


def attacked(
    space: RunningSpace, one: Case, whole: Collection[str] | None = None, mutants: int = 0
) -> Report:
    """Send everything to a running Space, with good requests in between.

    Args:
        whole: see `tries`.
        mutants: further requests that are good ones with something changed at random.
    """
    report = Report()
    good = one.inputs(1)[0]
    video = Path(videos(1, one.folder / "hostile")[0]).read_bytes()
    named = [given for given in good if isinstance(given, dict) and "path" in given]
    decoy = read(named[0]["path"]) if named else images()["1 x 1"]
    doors = Doors(space, good)
    values = [one.good for one in doors.fields]
    expected = doors.by_queue(values)
    assert expected.kind == "answered", expected
    before = family(space)
    peaks = {name: peak(number) for name, number in before.items()}
    with listener() as (port, asked), ThreadPoolExecutor(AT_ONCE) as threads:
        everything = list(tries(doors, forged(space, port, decoy), video, whole))
        everything += mutated(doors, mutants)
        for start in range(0, len(everything), GROUP):
            group = everything[start : start + GROUP]
            coming = [threads.submit(one.ask) for one in group]
            for request, future in zip(group, coming):
                note(report, request, future.result())
            again = doors.by_queue(values)
            if answer(again) != answer(expected):
                report.defects.append(f"{[request.name for request in group]}: changes {again}")
            if again.kind != "answered":  # whatever comes now would tell nothing new
                break
        if asked:
            report.defects.append(f"asked another server: {asked}")
    after = family(space)
    if after != before:
        report.defects.append(f"processes ended: {before} became {after}")
    report.grown = {name: peak(number) - peaks.get(name, 0) for name, number in after.items()}
    return report


def note(report: Report, one: Try, outcome: Outcome) -> None:
    """Count an outcome, and what is wrong with it."""
    report.tried += 1
    report.answered += outcome.kind == "answered"
    report.refused += outcome.kind == "refused"
    report.slowest = max(report.slowest, (round(outcome.seconds, 1), one.name))
    found = defects(outcome, one.value, one.may_be_answered)
    honest = one.name.startswith("direct without")  # what is left out is as the page has it
    if outcome.seconds > LONGEST_SECONDS and not honest:
        found.append(f"took {outcome.seconds:.0f} s")
    report.defects += [f"{one.name}: {defect}" for defect in found]


def answer(outcome: Outcome) -> str:
    """The answer alone, without the numbers of its event."""
    text = outcome.text
    start, end = text.find('"data":'), text.find('"is_generating"')
    return text[start:end] if outcome.kind == "answered" else repr(outcome)
