"""Visitors of a Space on Ray Serve who keep on asking, and a model that says which one it is."""

from __future__ import annotations

import asyncio
import io
import itertools
import threading
import wave
from collections import Counter

import httpx

VISITORS = 12
FRAMES = itertools.count(1000)  # of a recording: no two are the same
SLOW, FATAL = (555, 556), 666  # of those that take longer, and of one that cannot be answered
LISTENS = f'''"""Says how long a recording is, and which model heard it."""

import threading
import time
import wave

VERSION = 1
DETERMINISTIC = True


def load():
    pass


def prepare(sound, *options):
    from serving.errors import InputError

    if sound is None:
        raise InputError("Please record or upload something.")
    with wave.open(sound) as file:
        return f"{{file.getnframes()}} by model {{VERSION}}"


class Unheard:
    """Comes as far as the replica, which cannot pass it on."""

    def __reduce__(self):
        return threading.Lock, ()


def predict(batch):
    heard = [int(said.split()[0]) for said in batch]
    time.sleep(3 if {{*{SLOW}}} & {{*heard}} else 0.1)
    return [Unheard() if one == {FATAL} else said for one, said in zip(heard, batch)]
'''


def recording(frames: int) -> bytes:
    """A silent one."""
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * frames)
    return data.getvalue()


class Load(threading.Thread):
    """Visitors who ask again when answered, by the direct route, each time something else."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.ended = url, threading.Event()
        self.outcomes: Counter[str] = Counter()

    def run(self) -> None:
        """Ask until told to end."""
        asyncio.run(self._all())

    async def _all(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            await asyncio.gather(*(self._visitor(client) for _ in range(VISITORS)))

    async def _visitor(self, client: httpx.AsyncClient) -> None:
        while not self.ended.is_set():
            frames = next(FRAMES)
            sent = {"audio": ("a.wav", recording(frames))}
            try:
                answer = await client.post("/api/predict", files=sent)
                self.outcomes[self._outcome(frames, answer)] += 1
            except httpx.HTTPError as error:
                self.outcomes[repr(error)] += 1

    def end(self) -> Counter[str]:
        """No more requests; what came of them all."""
        self.ended.set()
        self.join()
        return self.outcomes

    @staticmethod
    def _outcome(frames: int, answer: httpx.Response) -> str:
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.text}"
        heard, _, model = str(answer.json()["result"]).partition(" by model ")
        return f"model {model}" if heard == str(frames) else f"another's answer: {heard}"


def under_load(url: str) -> Load:
    """Visitors, who have not begun."""
    return Load(url)
