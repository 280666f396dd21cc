"""Every visitor gets an equal share: who they are, whose turn it is, who is refused."""

from __future__ import annotations

import asyncio
import random
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from hypothesis import given
from hypothesis import strategies as st
from served import SpaceOf
from space_process import RunningSpace

from spaces_gen.bench import ROUTES
from spaces_gen.load.endpoint import find_endpoint

sys.path.insert(0, str(Path(__file__).parent.parent / "template"))

from serving.errors import Busy, TooMany
from serving.line import Line
from serving.turnstile import Turnstile
from serving.visitors import Shares, Ticket, visitor_of

ROBOT, PERSON = "18.1.1.1", "18.2.2.2"
# the server closes a connection that is idle for five seconds
MANY = httpx.Limits(max_connections=200, keepalive_expiry=1)
SLOW = """

import time

own_predict = predict


def predict(batch):
    time.sleep(0.15)
    return own_predict(batch)
"""


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# -- who is who ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "forwarded", "expected"),
    [
        ("18.1.1.1", "", "18.1.1.1"),
        ("18.1.1.1", "18.9.9.9", "18.1.1.1"),  # no proxy: anybody could have written that
        ("10.16.3.80", "18.1.1.1", "18.1.1.1"),
        ("10.16.3.80", "18.9.9.9, 18.1.1.1", "18.1.1.1"),  # what is on the left may be made up
        ("10.16.3.80", "18.1.1.1, 10.0.0.7,192.168.1.1", "18.1.1.1"),
        ("10.16.3.80", "unknown, <script>, 18.1.1.1, ''", "18.1.1.1"),
        ("127.0.0.1", "2600:1f00:1:2:3:4:5:6", "2600:1f00:1:2::/64"),
        ("127.0.0.1", "", "127.0.0.1:5"),
        ("10.16.3.80", "nonsense", "10.16.3.80:5"),
        ("testclient", "", "testclient:5"),
    ],
)
def test_a_visitor_is_the_address_that_a_proxy_saw(
    host: str, forwarded: str, expected: str
) -> None:
    request = SimpleNamespace(
        client=SimpleNamespace(host=host, port=5), headers={"x-forwarded-for": forwarded}
    )
    assert visitor_of(request) == expected
    inside = expected.endswith(":5")
    assert visitor_of(request, "session") == ("session" if inside else expected)


def test_who_has_no_address_is_known_by_the_session() -> None:
    request = SimpleNamespace(client=None, headers={})
    assert visitor_of(request, "session") == "session"


# -- whose turn it is ------------------------------------------------------------------------------


def begun(shares: Shares, waiting: list[Ticket]) -> Ticket:
    """The one that begins next."""
    ready = [one for one in waiting if shares.may_begin(one)]
    ticket = min(ready, key=lambda one: one.turn)
    shares.begin(ticket)
    waiting.remove(ticket)
    return ticket


def test_all_go_round_however_many_requests_each_has() -> None:
    clock = Clock()
    shares = Shares(1, clock=clock)
    waiting = [shares.ticket("robot") for _ in range(100)]
    people = [f"person {number}" for number in range(20)]
    served = []
    for _ in range(3):  # they come again when they are answered
        waiting += [shares.ticket(name) for name in people]
        for _ in range(21):
            ticket = begun(shares, waiting)
            served.append(ticket.visitor)
            shares.end(ticket)
            clock.now += 0.1
    assert Counter(served) == Counter(dict.fromkeys(people, 3) | {"robot": 3})


def test_alone_a_visitor_has_everything_and_with_others_an_equal_share() -> None:
    clock = Clock()
    shares = Shares(12, clock=clock)
    robot = [shares.ticket("robot") for _ in range(100)]
    running = [begun(shares, robot) for _ in range(12)]
    others = [shares.ticket("a"), shares.ticket("b")]
    assert shares.share == 12, "counted a moment ago"
    clock.now += 1
    assert shares.share == 2
    for ticket in running[:11]:
        shares.end(ticket)
        assert shares.may_begin(robot[0]) == (ticket is running[10])
    clock.now += 11
    assert shares.share == 2, "they still wait"
    for ticket in others:
        shares.begin(ticket)
        shares.end(ticket)
    clock.now += 11
    assert shares.share == 12


def test_with_more_visitors_than_room_each_may_have_one() -> None:
    clock = Clock()
    shares = Shares(2, clock=clock)
    tickets = [shares.ticket(str(number)) for number in range(9)]
    clock.now += 1
    assert shares.share == 1
    assert all(map(shares.may_begin, tickets))


@given(st.lists(st.sampled_from("abcdr"), max_size=60), st.integers(1, 5), st.integers(0, 99))
def test_no_request_is_lost_and_none_waits_while_there_is_room(
    arrivals: list[str], at_once: int, seed: int
) -> None:
    """Of visitors who also leave while they wait."""
    chance = random.Random(seed)

    async def run() -> list[str]:
        shares = Shares(at_once, clock=Clock())
        turnstile, answered, inside = Turnstile(at_once, shares), list[str](), Counter[str]()

        async def visit(visitor: str) -> None:
            async with turnstile.passing(shares.ticket(visitor)):
                inside[visitor] += 1
                assert inside.total() <= at_once
                try:
                    for _ in range(chance.randrange(4)):
                        await asyncio.sleep(0)
                finally:
                    inside[visitor] -= 1
            answered.append(visitor)

        tasks = []
        for visitor in arrivals:
            tasks.append(asyncio.ensure_future(visit(visitor)))
            if chance.random() < 0.3:
                await asyncio.sleep(0)
            if chance.random() < 0.2:
                chance.choice(tasks).cancel()
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert not [one for one in results if one and not isinstance(one, asyncio.CancelledError)]
        assert not turnstile.waiting
        async with turnstile.passing(shares.ticket("the last")):
            assert not inside.total()
        left = sum(isinstance(one, asyncio.CancelledError) for one in results)
        assert len(answered) == len(arrivals) - left
        return answered

    asyncio.run(run())


@given(
    st.lists(st.sampled_from(["here", "there", "left"]), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_who_waits_elsewhere_has_its_turn_and_blocks_nobody_by_leaving(
    arrivals: list[str], at_once: int
) -> None:
    """Of as many visitors as requests; some wait in another line, and some of these leave it."""

    async def run() -> list[float]:
        shares, elsewhere, begun = Shares(at_once), list[Ticket](), list[float]()
        turnstile = Turnstile(
            at_once, shares, lambda: min(elsewhere, key=lambda one: one.due, default=None)
        )

        async def visit(ticket: Ticket) -> None:
            async with turnstile.passing(ticket):
                begun.append(ticket.turn)
                assert shares.running <= at_once
                await asyncio.sleep(0)

        async def serve() -> None:
            while elsewhere:
                first, rival = min(elsewhere, key=lambda one: one.turn), turnstile.next
                room = shares.running < at_once
                if room and (rival is None or first.turn <= rival.turn):
                    elsewhere.remove(first)
                    begun.append(first.turn)
                    shares.begin(first)
                    await asyncio.sleep(0)
                    shares.end(first)
                    turnstile.let_in()
                await asyncio.sleep(0)

        tickets = [Ticket(str(turn), float(turn), 0, 0.0) for turn in range(len(arrivals))]
        placed = list(zip(tickets, arrivals))
        elsewhere += [ticket for ticket, where in placed if where != "here"]
        visits = [asyncio.ensure_future(visit(one)) for one, where in placed if where == "here"]
        await asyncio.sleep(0)
        for ticket, where in placed:
            if where == "left":
                elsewhere.remove(ticket)
        await asyncio.wait_for(asyncio.gather(serve(), *visits), 5)
        return begun

    begun = asyncio.run(run())
    for place, turn in enumerate(sorted(begun)):  # one that is let in is told a bit later
        assert abs(begun.index(turn) - place) <= at_once
    assert len(begun) == len(arrivals) - arrivals.count("left")


# -- who is refused --------------------------------------------------------------------------------


def test_the_last_places_are_for_those_who_have_few() -> None:
    line = Line(4, 40)
    tickets = list[Ticket]()
    line.queued = lambda: tickets

    def came(visitor: str) -> bool:
        try:
            line.admit(visitor)
        except Busy:
            return False
        tickets.append(line.shares.ticket(visitor))
        return True

    assert sum(came("robot") for _ in range(100)) == 40, "alone it may have all"
    assert not came("person"), "there is no place left"
    del tickets[20:]
    assert came("person")
    assert sum(came("robot") for _ in range(100)) == 0, "half of them is more than its share"
    assert all(came(f"person {number}") for number in range(19))
    assert not came("one more")


def test_a_limit_for_each_minute_and_visitor() -> None:
    clock = Clock()
    shares = Shares(4, 3, clock)
    for _ in range(3):
        shares.check_rate("a")
        clock.now += 10
    with pytest.raises(TooMany, match=r"^You have sent 3 requests .* again in 30 s\.$"):
        shares.check_rate("a")
    shares.check_rate("b")
    clock.now += 30
    shares.check_rate("a")  # the first is a minute ago
    with pytest.raises(TooMany, match="again in 10 s"):
        shares.check_rate("a")


# -- in a Space ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow_space(space_of: SpaceOf) -> Iterator[RunningSpace]:
    """A classifier whose batches, of two texts, take a while."""
    settings = {"MAX_BATCH_SIZE": "2", "WORKERS": "1", "CACHE_EXAMPLES": "off"}
    space = space_of("text-classification", settings)
    with (space.folder / "model.py").open("a", encoding="utf-8") as code:
        code.write(SLOW)
    with space:
        yield space


def client_of(space: RunningSpace, address: str) -> httpx.AsyncClient:
    """Of somebody whose address a proxy has seen."""
    return httpx.AsyncClient(
        base_url=space.url, headers={"x-forwarded-for": address}, timeout=100, limits=MANY
    )


@pytest.mark.parametrize("robots_way", ROUTES.values(), ids=ROUTES)
@pytest.mark.parametrize("persons_way", ROUTES.values(), ids=ROUTES)
def test_a_robot_with_many_requests_is_no_obstacle(
    robots_way: Any, persons_way: Any, slow_space: RunningSpace
) -> None:
    """Sixty of its requests wait, and the person who comes last is answered among the first."""
    endpoint = find_endpoint(slow_space.url)
    finished = list[str]()

    async def ask(way: Any, client: httpx.AsyncClient, name: str, number: int) -> None:
        await way(client, endpoint).ask({"text": f"{name} {number} {uuid.uuid4()}"})
        finished.append(name)

    async def run() -> int:
        async with client_of(slow_space, ROBOT) as robot, client_of(slow_space, PERSON) as person:
            await ask(persons_way, person, "person", 0)  # is seen, and so has a share
            tasks = [asyncio.ensure_future(ask(robots_way, robot, "robot", n)) for n in range(60)]
            while len(finished) < 7:
                await asyncio.sleep(0.01)
            before = len(finished)
            await ask(persons_way, person, "person", 1)
            between = len(finished) - before
            await asyncio.gather(*tasks)
            return between

    between = asyncio.run(run())
    assert finished.count("robot") == 60, "the robot gets its answers, too"
    assert between <= 16, finished  # some are in before it, and it takes a while to connect


@pytest.mark.parametrize("first", ROUTES)
def test_who_comes_first_on_either_route_is_answered_first(
    first: str, slow_space: RunningSpace
) -> None:
    """Each request is another visitor's."""
    endpoint, finished = find_endpoint(slow_space.url), list[str]()
    second = next(name for name in ROUTES if name != first)

    async def ask(name: str, number: int) -> None:
        async with client_of(slow_space, f"18.3.{number}.{len(name)}") as client:
            await ROUTES[name](client, endpoint).ask({"text": f"{name} {uuid.uuid4()}"})
        finished.append(name)

    async def run() -> None:
        tasks = [asyncio.ensure_future(ask(first, number)) for number in range(30)]
        while len(finished) < 2:  # all of them have come by then
            await asyncio.sleep(0.01)
        tasks += [asyncio.ensure_future(ask(second, number)) for number in range(10)]
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert finished[:26].count(second) <= 2, finished  # a batch may overtake another on its way


def test_a_visitor_who_sends_too_many_is_told_on_both_routes(space_of: SpaceOf) -> None:
    with space_of("text-classification", {"REQUESTS_PER_MINUTE": "2"}) as space:
        client = Client(space.url, headers={"x-forwarded-for": ROBOT}, verbose=False)

        def directly(text: str, address: str) -> httpx.Response:
            headers = {"x-forwarded-for": address}
            url = f"{space.url}/api/predict"
            return httpx.post(url, json={"text": text}, headers=headers, timeout=60)

        assert directly("one", ROBOT).status_code == 200
        assert client.predict("two", api_name="/predict")
        answer = directly("three", ROBOT)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert "2 requests within a minute" in answer.json()["detail"]
        with pytest.raises(AppError, match="2 requests within a minute"):
            client.predict("four", api_name="/predict")
        assert directly("five", PERSON).status_code == 200
    assert space.summary().requests == 5
    assert space.summary().counts["refused"] == 2
