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
from gradio.queueing import Event, EventQueue, Queue
from gradio.route_utils import FnIndexInferError, get_fn
from gradio.server_messages import EstimationMessage, ProcessCompletedMessage
from gradio.utils import LRUCache

from serving.errors import Refused
from serving.line import Line, direct
from serving.metrics import Metrics
from serving.visitors import Ticket, visitor_of


@dataclass
class Visit:
    """A request: when it came, what it met, and whether its visitor is still there."""

    arrived: float
    ahead: int
    present: Callable[[], bool]
    computed: bool = False  # not taken from what is kept


def adapt(queue: Queue, line: Line, metrics: Metrics) -> None:
    """Let `line` decide who may wait in `queue`, who is next, and say how long."""
    queue.pending_messages_per_session = Sessions(queue)
    push, take, process = queue.push, queue.get_events, queue.process_events

    async def admit(body: Any, request: Any, username: str | None) -> Any:
        visitor = visitor_of(request, body.session_hash or "")
        ahead = line.length
        try:
            get_fn(queue.blocks, None, body)
        except (LookupError, FnIndexInferError):  # an error of the server otherwise
            return False, "There is no such function here.", "error"
        try:
            line.shares.check_rate(visitor)
            line.admit(visitor)
        except Refused as error:
            metrics.ended("queue", "refused")
            return await refuse(queue, body, request, username, str(error))
        answer = await push(body, request, username)
        event = queue.event_ids_to_events.get(str(answer[1]))
        if event is not None:
            event.ticket = line.shares.ticket(visitor, ahead)  # type: ignore[attr-defined]
        return answer

    def shares_places(waiting: EventQueue) -> bool:
        # a function to which the owner gave another limit has places of its own
        return waiting.concurrency_limit == line.at_once

    def due(event: Event) -> tuple[float, float]:
        return ticket_of(event).due

    def first() -> Event | None:
        """Whose turn it is, of those in the queue."""
        ready = (
            event
            for waiting in queue.event_queue_per_concurrency_id.values()
            if shares_places(waiting) and waiting.current_concurrency < line.at_once
            for event in waiting.queue
            if line.shares.may_begin(ticket_of(event))
        )
        return min(ready, key=due, default=None)

    def next_queued() -> Ticket | None:
        event = None if queue.stopped else first()
        return None if event is None else ticket_of(event)

    def next_events() -> Any:
        """What Gradio's own does, with the one whose turn it is in front."""
        event, rival = first(), line.turnstile.next
        if line.shares.running >= line.at_once or (
            event and rival and rival.due < due(event)
        ):
            event = None
        kept = []
        for waiting in queue.event_queue_per_concurrency_id.values():
            shared = shares_places(waiting)
            front = event if shared else min(waiting.queue, key=due, default=None)
            if front in waiting.queue:
                waiting.queue.remove(front)
                waiting.queue.insert(0, front)
            elif shared:
                kept.append((waiting, waiting.queue))
                waiting.queue = []
        try:
            taken = take()
        finally:
            for waiting, events in kept:
                waiting.queue = events
        if taken:
            shared = shares_places(queue.event_queue_per_concurrency_id[taken[2]])
            for event in taken[0]:
                # at once: Gradio takes others before it begins with this one
                ticket = ticket_of(event)
                (line.shares.begin if shared else line.shares.pass_turn)(ticket)
            line.turnstile.let_in()
        return taken

    async def answer(events: list[Event], *rest: Any) -> None:
        try:
            await process(events, *rest)
        finally:
            for event in events:
                line.shares.end(ticket_of(event))
                if not event.alive:  # its stream would never end for this one
                    ids = queue.pending_event_ids_session
                    ids.get(event.session_hash, set()).discard(event._id)
            line.turnstile.let_in()

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

    line.queued = lambda: [
        ticket_of(event)
        for waiting in queue.event_queue_per_concurrency_id.values()
        for event in waiting.queue
    ]
    line.next_queued = next_queued
    queue.push = admit  # type: ignore[method-assign]
    queue.get_events = next_events  # type: ignore[method-assign]
    queue.process_events = answer  # type: ignore[method-assign, assignment]
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


def ticket_of(event: Event) -> Ticket:
    """The place of an event; one that Gradio makes itself is its session's."""
    if not hasattr(event, "ticket"):
        ticket = Ticket(event.session_hash, 0.0, 0, event.enqueue_time)
        event.ticket = ticket  # type: ignore[attr-defined]
    found: Ticket = event.ticket  # type: ignore[attr-defined]
    return found


class Sessions(LRUCache[str, Any]):
    """What each session is yet to be told; the oldest are forgotten.

    Gradio forgets also those that wait for an answer, if enough others come after them.
    """

    def __init__(self, queue: Queue) -> None:
        super().__init__(queue.pending_messages_per_session.max_size)
        self._queue = queue

    def __setitem__(self, session: str, messages: Any) -> None:
        """Keep what a session is told, in place of what another one was told."""
        if session not in self and len(self) >= self.max_size:
            self._forget_one()
            self.max_size = max(self.max_size, len(self) + 1)
        super().__setitem__(session, messages)

    def _forget_one(self) -> None:
        waiting = {one.session_hash for one in self._queue.event_ids_to_events.values()}
        over = [session for session in self if session not in waiting]
        heard = (session for session in over if self[session].empty())
        session = next(heard, over[0] if over else None)
        if session is not None:
            del self[session]
            self._queue.pending_event_ids_session.pop(session, None)


def visit(queue: Queue | None, line: Line) -> Visit:
    """Who asks for what is being answered now."""
    if (ticket := direct.get()) is not None:
        return Visit(ticket.arrived, ticket.ahead, lambda: True)
    number = LocalContext.event_id.get(None)
    event = queue.event_ids_to_events.get(number or "") if queue is not None else None
    if event is None:  # called by the Space itself, as for the examples
        return Visit(time.monotonic(), line.inside, lambda: True)
    return Visit(event.enqueue_time, ticket_of(event).ahead, lambda: event.alive)
