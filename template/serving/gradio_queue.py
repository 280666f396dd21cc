"""Gradio's queue, told what batching changes: the expected wait, and who is let in.

Gradio's own estimate counts one request after the other. These functions take the place
of methods of its `Queue`, written for Gradio 6.31, the version that the card names.
"""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradio.context import LocalContext
from gradio.queueing import Event, Queue
from gradio.route_utils import FnIndexInferError, get_fn
from gradio.server_messages import EstimationMessage, ProcessCompletedMessage

from serving.errors import Busy
from serving.line import Line
from serving.metrics import Metrics


@dataclass
class Visit:
    """A request: when it came, what it met, and whether its visitor is still there."""

    arrived: float
    ahead: int
    present: Callable[[], bool]
    computed: bool = False  # not taken from what is kept


def adapt(queue: Queue, line: Line, metrics: Metrics) -> None:
    """Let `line` decide who may wait in `queue`, and say how long."""
    push = queue.push

    async def admit(body: Any, request: Any, username: str | None) -> Any:
        ahead = line.length
        try:
            get_fn(queue.blocks, None, body)
        except (LookupError, FnIndexInferError):  # an error of the server otherwise
            return False, "There is no such function here.", "error"
        try:
            line.admit()
        except Busy as busy:
            metrics.ended("queue", "refused")
            return await refuse(queue, body, request, username, str(busy))
        answer = await push(body, request, username)
        event = queue.event_ids_to_events.get(str(answer[1]))
        if event is not None:
            event.ahead = ahead  # type: ignore[attr-defined]
        return answer

    def tell(concurrency_id: str, after: int | None = None) -> None:
        waiting = queue.event_queue_per_concurrency_id[concurrency_id].queue
        for rank, event in enumerate(waiting):
            if after is None or rank >= after:
                seconds = line.expected(line.inside + rank + 1)
                queue.send_message(
                    event,
                    EstimationMessage(
                        rank=rank, rank_eta=seconds, queue_size=len(waiting)
                    ),
                )

    line.queued = lambda: len(queue)
    queue.push = admit  # type: ignore[method-assign]
    queue.broadcast_estimations = tell  # type: ignore[method-assign]


async def refuse(
    queue: Queue, body: Any, request: Any, username: str | None, sentence: str
) -> tuple[bool, str, str]:
    """Answer an event with an error, as if it had been in the queue.

    Gradio's own "queue is full" reaches a browser without its text.
    """
    event = Event(body.session_hash, queue.blocks.fns[body.fn_index], request, username)
    session = body.session_hash = event.session_hash
    async with queue.pending_message_lock:
        if session not in queue.pending_messages_per_session:
            queue.pending_messages_per_session[session] = asyncio.Queue()
        queue.pending_event_ids_session.setdefault(session, set()).add(event._id)
    output = {"error": html.escape(sentence), "visible": True, "duration": 10}
    queue.send_message(
        event, ProcessCompletedMessage(output=output, title="Busy", success=False)
    )
    return True, event._id, "success"


def visit(queue: Queue | None, line: Line) -> Visit:
    """Who asks for what is being answered now."""
    number = LocalContext.event_id.get(None)
    event = queue.event_ids_to_events.get(number or "") if queue is not None else None
    if event is None:  # called directly, as for the examples
        return Visit(time.monotonic(), line.inside, lambda: True)
    ahead = getattr(event, "ahead", line.inside)
    return Visit(event.enqueue_time, ahead, lambda: event.alive)
