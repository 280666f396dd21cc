"""The serving core beside what a Space's owner could take instead, on one machine, in one run.

    python benchmarks/compare.py embedding [--rounds 5] [--seconds 4] [--users 1 8 32 64] [--tuned]

Workloads: embedding (MiniLM, texts of mixed length), digits (a small image classifier), chat
(SmolLM2, 32 tokens an answer), speech (a Whisper with few weights). All contenders call the same
model.py. They are started once and stopped by SIGSTOP while another one is measured; rounds
alternate, medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from load import Result, drive
from report import RESULTS, plot, table
from rich.console import Console

from spaces_gen.embedded import minilm, smollm2
from spaces_gen.render import render
from spaces_gen.tune import tune, write
from spaces_gen.tuning.found import Settings
from spaces_gen.tuning.show import print_tuned

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent
sys.path.append(str(ROOT / "tests"))

from space_process import free_port  # noqa: E402

OTHERS = os.environ.get("BENCH_PYTHON", str(ROOT / ".venv-bench" / "bin" / "python"))
START_SECONDS = 120
MOST_USERS = 512
SETTLE_SECONDS = 4  # Gradio looks at itself when it has started, and gives up where it sleeps
OFFLINE_INPUTS = {"text": 1000, "image": 1000, "audio": 36, "chat": 64}
RECORDINGS = 12  # few, since some take much longer than others, and each run should meet all


@dataclass(frozen=True)
class Workload:
    """What is served and asked."""

    model_type: str
    kind: str  # text, image, audio or chat
    model: Callable[[], Path]
    inputs: Callable[[], Iterator[Any]]
    unit: str = "requests/s"
    folder: Path | None = None  # files that replace those of the template
    max_batch_size: int | None = None  # where the row's is for a model of another size

    @property
    def variables(self) -> dict[str, str]:
        """Of the environment of all who serve it."""
        if not self.max_batch_size:
            return {}
        return {"MAX_BATCH_SIZE": str(self.max_batch_size), "MAX_SIZE": str(MOST_USERS)}


@dataclass(frozen=True)
class Contender:
    """One way to serve it."""

    letter: str
    name: str
    server: str  # which of the processes
    protocol: str


CONTENDERS = [
    Contender("a", "Gradio's defaults", "plain_gradio", "queue"),
    Contender("b", "Gradio batch=True, 16", "batch_gradio", "queue"),
    Contender("c", "LitServe, same packing", "lit", "json"),
    Contender("d", "BentoML, same packing", "bento", "json_list"),
    Contender("e", "our Space, queue", "space", "queue"),
    Contender("f", "our Space, direct route", "space", "direct"),
]


def texts() -> Iterator[str]:
    """Endless texts of 4 to 120 words, mean about 17, from the licence of this project."""
    words = (ROOT / "LICENSE").read_text(encoding="utf-8").split()
    chance = random.Random(7)
    while True:
        length = min(120, max(4, round(chance.lognormvariate(2.6, 0.8))))
        start = chance.randrange(len(words) - length)
        yield " ".join(words[start : start + length])


def pictures() -> Iterator[bytes]:
    """Handwritten digits as PNG, again and again."""
    from tiny_models import digits

    encoded = []
    for image in digits(held_out=True)[0][:200]:
        data = io.BytesIO()
        image.save(data, "PNG")
        encoded.append(data.getvalue())
    return itertools.cycle(encoded)


def recordings() -> Iterator[bytes]:
    """Ten seconds of tones and noise, each another one."""
    chance, rate = random.Random(7), 16000
    made = []
    for _ in range(RECORDINGS):
        data = io.BytesIO()
        with wave.open(data, "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(bytes(chance.randrange(256) for _ in range(20 * rate)))
        made.append(data.getvalue())
    return itertools.cycle(made)


def messages() -> Iterator[str]:
    """Questions that take more than the allowed tokens to answer."""
    things = ("rivers", "clocks", "bread", "whales", "bridges", "stars", "tea", "maps")
    for number in itertools.count():
        yield f"Write a long story, number {number}, about {things[number % len(things)]}."


def tiny(model_type: str) -> Callable[[], Path]:
    """A model that the tests make on the spot."""

    def build() -> Path:
        import tiny_models

        return tiny_models.build(model_type, ROOT / ".cache" / "tiny-models")

    return build


WORKLOADS = {
    "embedding": Workload("sentence-similarity", "text", minilm, texts, folder=HERE / "embedding"),
    "digits": Workload(
        "image-classification",
        "image",
        tiny("image-classification"),
        pictures,
        max_batch_size=32,
    ),
    "chat": Workload("text-generation", "chat", smollm2, messages, "tokens/s"),
    "speech": Workload(
        "automatic-speech-recognition",
        "audio",
        tiny("automatic-speech-recognition"),
        recordings,
        max_batch_size=8,
    ),
}


class Server:
    """One contender's process group, asleep unless it is measured."""

    def __init__(
        self, name: str, space: Path, workload: Workload, folder: Path, tuned: bool = False
    ) -> None:
        self.name, port = name, free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "MODEL_ID": str(workload.model()),
            "HF_HUB_OFFLINE": "1",
            "BENCH_KIND": workload.kind,
            "BENCH_PORT": str(port),
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_TEMP_DIR": str(folder / f"{name}-files"),
            "BENTOML_DO_NOT_TRACK": "1",
            "CACHE_EXAMPLES": "off",
            **({} if tuned and name == "space" else workload.variables),
        }
        if tuned and name != "space":  # what tune found is the Space's own
            environment["ENGINE"] = "pytorch"
        if name != "space":  # they get the Space's model.py, and nothing of its settings
            environment["PYTHONPATH"] = f"{space}:{HERE / 'contenders'}"
        with (folder / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                command(name, port),
                cwd=space,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((folder / f"{name}.log").read_text()[-2000:])
            time.sleep(0.2)

    def sleep(self) -> None:
        """Take no CPU."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Go on."""
        os.killpg(self.process.pid, signal.SIGCONT)

    @property
    def memory(self) -> float:
        """MB that would be free without it: shared pages count once."""
        process = psutil.Process(self.process.pid)
        tree = [process, *process.children(recursive=True)]
        return sum(one.memory_full_info().pss for one in tree) / 2**20

    def stop(self) -> None:
        """End it."""
        self.wake()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        with contextlib.suppress(ProcessLookupError):  # some leave their workers behind
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def command(name: str, port: int) -> list[str]:
    """How to start a contender."""
    if name == "space":
        return [sys.executable, "app.py"]
    if name == "bento":
        where = ["--host", "127.0.0.1", "--port", str(port)]
        folder = ["--working-dir", str(HERE / "contenders")]
        return [OTHERS, "-m", "bentoml", "serve", "bento:Served", *where, *folder]
    python = OTHERS if name == "lit" else sys.executable
    return [python, str(HERE / "contenders" / f"{name}.py")]


def answers(url: str) -> bool:
    """Whether somebody listens; any answer will do."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def offline(space: Path, workload: Workload, users: list[int]) -> dict[str, Any]:
    """The bounds, measured in a process of its own."""
    inputs = itertools.islice(workload.inputs(), OFFLINE_INPUTS[workload.kind])
    values = []
    for number, value in enumerate(inputs):
        if isinstance(value, bytes):
            path = space.parent / f"input-{number}.{ {'image': 'png'}.get(workload.kind, 'wav') }"
            path.write_bytes(value)
            value = str(path)
        values.append(value)
    done = subprocess.run(
        [sys.executable, str(HERE / "contenders" / "offline.py"), *map(str, users)],
        input=json.dumps(values),
        cwd=space,
        env={
            **os.environ,
            "PYTHONPATH": f"{space}:{HERE / 'contenders'}",
            "MODEL_ID": str(workload.model()),
            "HF_HUB_OFFLINE": "1",
            "BENCH_KIND": workload.kind,
            "BENCH_PORT": "0",
            **workload.variables,
        },
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def amounts(workload: Workload) -> Callable[[Any], float]:
    """How much an answer counts for."""
    if workload.kind != "chat":
        return lambda answer: 1.0
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2())
    return lambda answer: float(len(tokenizer(str(answer))["input_ids"]))


def tune_first(space: Path) -> None:
    """Let `spaces-gen tune` choose the Space's values."""
    tuned = tune(space, Settings(), lambda step: print(step, flush=True))
    console = Console(highlight=False, width=160)
    print_tuned(console, tuned, write(space, tuned, print) if tuned.better else [], dry_run=False)


def measure(workload: Workload, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All contenders, `options.rounds` times, alternating."""
    space = folder / "space"
    render({"model_type": workload.model_type, "model_id": str(workload.model())}, space)
    if workload.folder is not None:
        shutil.rmtree(space / "examples")
        for file in workload.folder.glob("*.py"):
            shutil.copy(file, space)
    text = (space / "model.py").read_text()
    # nothing is kept: it is the model that is measured
    (space / "model.py").write_text(text.replace("DETERMINISTIC = True", "DETERMINISTIC = False"))
    if options.tuned:
        tune_first(space)
    taking_part = [
        one
        for one in CONTENDERS
        if one.letter in options.contenders and not (one.letter == "b" and workload.kind == "chat")
    ]
    servers: dict[str, Server] = {}
    results: dict[str, dict[int, list[Result]]] = {
        one.letter: {users: [] for users in options.users} for one in taking_part
    }
    memory: dict[str, float] = {}
    bounds = []
    count = amounts(workload)
    inputs = workload.inputs()
    try:
        for name in {one.server: None for one in taking_part}:
            servers[name] = Server(name, space, workload, folder, options.tuned)
            time.sleep(SETTLE_SECONDS)
            servers[name].sleep()
        for number in range(options.rounds):
            bounds.append(offline(space, workload, options.users))
            print(f"round {number + 1}, bound: {bounds[-1]}", flush=True)
            for one, users in itertools.product(taking_part, options.users):
                server = servers[one.server]
                server.wake()
                result = asyncio.run(
                    drive(
                        server.url,
                        one.protocol,
                        workload.kind,
                        inputs,
                        count,
                        users,
                        options.warm_up,
                        options.seconds,
                    )
                )
                memory[one.letter] = max(memory.get(one.letter, 0), server.memory)
                server.sleep()
                results[one.letter][users].append(result)
                print(
                    f"round {number + 1}, {one.name}, {users}: {result.rate:.1f}, "
                    f"p50 {result.quantile(50):.3f}, {result.errors} errors",
                    flush=True,
                )
    finally:
        for server in servers.values():
            server.stop()
    return {"results": results, "memory": memory, "bounds": bounds, "names": taking_part}


def main() -> None:
    """Measure, print, and write the table to results/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--warm-up", type=float, default=1.5)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--contenders", default="abcdef")
    parser.add_argument("--tuned", action="store_true", help="the Space by `spaces-gen tune` first")
    parser.add_argument("--output", help="name of the results, by default that of the workload")
    options = parser.parse_args()
    name = options.output or options.workload
    workload = WORKLOADS[options.workload]
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(workload, options, Path(temporary))
    text = table(name, workload.unit, options, found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"serving_{name}.md").write_text(text, encoding="utf-8")
    raw = {
        "bounds": found["bounds"],
        "rates": {
            letter: {users: [run.rate for run in runs] for users, runs in by_users.items()}
            for letter, by_users in found["results"].items()
        },
    }
    path = RESULTS / f"serving_{name}.json"
    path.write_text(json.dumps(raw, indent=2) + "\n", encoding="utf-8")
    plot(name, workload.unit, found)
    print(text)


if __name__ == "__main__":
    main()
