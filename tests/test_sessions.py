"""What Gradio keeps of each visitor's session: nobody's answer is forgotten, every stream ends."""

from __future__ import annotations

import json
import sys
from asyncio import Queue as Messages
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from gradio.utils import LRUCache
from scripted import until
from served import SpaceOf

from spaces_gen.load.endpoint import find_endpoint

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))

from serving.gradio_queue import Sessions

SLOW = """

import time

own_predict = predict


def predict(batch):
    time.sleep(1)
    return own_predict(batch)
"""


def queue_with(*waiting: str, room: int = 3) -> Any:
    """What is looked at of Gradio's queue; these sessions wait for an answer."""
    return SimpleNamespace(
        pending_messages_per_session=LRUCache(room),
        pending_event_ids_session={},
        event_ids_to_events={name: SimpleNamespace(session_hash=name) for name in waiting},
    )


def come(sessions: Sessions, queue: Any, *names: str) -> None:
    for name in names:
        sessions[name] = Messages()
        queue.pending_event_ids_session[name] = set()


def test_the_oldest_who_have_their_answers_are_forgotten() -> None:
    queue = queue_with()
    sessions = Sessions(queue)
    come(sessions, queue, "a", "b", "c", "d", "e")
    assert list(sessions) == list(queue.pending_event_ids_session) == ["c", "d", "e"]
    come(sessions, queue, "c")
    assert set(sessions) == {"c", "d", "e"}


def test_who_waits_or_has_not_yet_heard_is_not_forgotten_for_others() -> None:
    queue = queue_with("a")
    sessions = Sessions(queue)
    come(sessions, queue, "a", "b", "c")
    sessions["b"].put_nowait("the answer")
    come(sessions, queue, "d")
    assert list(sessions) == ["a", "b", "d"]
    come(sessions, queue, "e")
    assert list(sessions) == ["a", "b", "e"]


def test_where_all_wait_there_is_room_for_one_more() -> None:
    queue = queue_with("a", "b", "c", "d")
    sessions = Sessions(queue)
    come(sessions, queue, "a", "b", "c", "d")
    assert list(sessions) == ["a", "b", "c", "d"]
    queue.event_ids_to_events.clear()
    come(sessions, queue, "e", "f")
    assert list(sessions) == ["c", "d", "e", "f"]


def test_the_stream_of_who_hung_up_and_came_again_ends(space_of: SpaceOf) -> None:
    """In the same session; what was computed for nobody does not hold it open."""
    settings = {"CACHE_EXAMPLES": "off", "METRICS": "1"}
    space = space_of("text-classification", settings)
    with (space.folder / "model.py").open("a", encoding="utf-8") as code:
        code.write(SLOW)
    with space:
        number = find_endpoint(space.url).number
        query = {"session_hash": "visitor"}

        def join(text: str) -> None:
            body = {"data": [text], "fn_index": number, **query}
            answer = httpx.post(f"{space.url}/gradio_api/queue/join", json=body, timeout=30)
            assert answer.status_code == 200

        def messages(until_message: str) -> list[str]:
            heard = []
            url = f"{space.url}/gradio_api/queue/data"
            with httpx.stream("GET", url, params=query, timeout=30) as stream:
                for line in stream.iter_lines():
                    if line.startswith("data:"):
                        heard.append(json.loads(line[5:])["msg"])
                        if heard[-1] == until_message:
                            break
            return heard

        join("the first")
        assert messages("process_starts")[-1] == "process_starts"  # and hangs up
        until(lambda: space.counted("space_requests_total", outcome="left") == 1, "it is dropped")
        for text in ("the second", "the third"):
            join(text)
            assert messages("nothing")[-2:] == ["process_completed", "close_stream"]
