"""Captures of waits under chaos: nothing planted is in them, and a replay gives the same records.

The waits, the calls and the troubles are those of the chaos test, but fewer, and the process does
not stand still. They run twice on virtual time: against the fake cluster, whose bodies have planted
values, with `client.capture`; and against the replay of that file. What real sockets deliver at one
moment comes in an order that differs from run to run, so that requests are given an order there.

The replay of seed 2 still differs, for a reason that is not known yet: at 1583.9 s the client asks
for the node actions 4 ms early, later by more, and so 19 answers of the capture are left.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar, Final, cast

import aiohttp
import looptime
import pytest
import tenacity.wait

from redis_enterprise_actions import ActionsClient
from redis_enterprise_actions._client.capture import capture as capture_module
from redis_enterprise_actions._client.capture.format import Writer
from redis_enterprise_actions._model.text import one_line
from redis_enterprise_actions.testing import FakeCluster
from tests.conftest import NOOP_CYCLES
from tests.planting import PLANTS, found_in, planting
from tests.replays import Observed, approximate, fields_of, without_urls
from tests.test_chaos import (
    BURST,
    CALM,
    HORIZON,
    LATENESS,
    LONGEST,
    Plan,
    SlowCall,
    call_slowly,
    draw,
    draw_slow_calls,
    follow,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from pathlib import Path

    from redis_enterprise_actions.testing import ReplayedCluster

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

# The client hides the password of a URL in a text, which is then no longer the value it had.
PLANTED: Final = [plant for plant in PLANTS if "Pw@" not in str(plant)]
DIFFERS: Final = 2  # seed
DIFFERENCE: Final = "from 1583.9 s on, node actions are asked for too early, and records differ"
UUID_END: Final = "-0000-4000-8000-000000000000"
WAITS: Final = 100
SEND: Final = aiohttp.ClientSession._request
CYCLES: Final = 20  # of the event loop, in which local sockets deliver all that was sent


class Run(Observed):
    """Waits and calls of one client, and their records in the order of their beginning."""

    def __init__(self, cluster: FakeCluster | ReplayedCluster) -> None:
        super().__init__()
        self.cluster = cluster
        self._urls = cluster.urls

    def anywhere(self, text: str) -> str:
        """Return a text without what is of this run: numbers for URLs, and no wall clock."""
        return re.sub(r"@(\w+),[^,]*,\d{12,13}", r"@\1,<times>", without_urls(text, self._urls))

    def client(self) -> ActionsClient:
        """Return a client of the cluster, whose waits are observed."""
        user = {"username": self.cluster.username, "password": self.cluster.password}
        client = ActionsClient(self.cluster.urls, auth="jwt", **user)
        client.observe(self.observe)
        return client


class NoCluster:
    """Stand-in for the fake cluster where the cluster is a replay: nothing can be planned there."""

    def __init__(self, uid: str = "") -> None:
        self._uid = uid

    def add_action(self, *_: object, **__: object) -> str:
        """Return the pseudonym of the uid that the action had."""
        return self._uid

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def _inner(page: str) -> str:
    """Return the text of a page, or another text itself."""
    return page.removeprefix("<html><body>").removesuffix("</body></html>")


class KeptWriter(Writer):
    """Writer of a capture that keeps which pseudonym each value has got, in `values`.

    `made` has all of them.
    """

    made: ClassVar[list[KeptWriter]] = []

    def __init__(self, nodes: Iterable[str]) -> None:
        super().__init__(nodes)
        self.values: dict[str, str] = {}
        self.names = self._names
        pseudonym = self.names._pseudonym

        def kept(value: str) -> str:
            self.values[value] = pseudonym(value)
            return self.values[value]

        body = self.names.body

        def kept_body(text: str) -> str:
            self.values[_inner(text)] = _inner(body(text))
            return body(text)

        self.names._pseudonym = kept  # type: ignore[method-assign]
        self.names.body = kept_body  # type: ignore[method-assign]
        self.made.append(self)


class Names:
    """Pseudonyms of a capture, for the arguments of calls and the texts of records."""

    def __init__(self, writer: KeptWriter) -> None:
        self._names = writer.names
        self._texts = {
            one_line(value): pseudonym
            for value, pseudonym in writer.values.items()
            if pseudonym.startswith(("text ", "name-")) or pseudonym.endswith(UUID_END)
        }

    def plan(self, plan: Plan) -> Plan:
        """Return a wait for the same work under its pseudonyms, as yet without an end."""
        return replace(
            plan,
            uid=self._names.text(plan.uid),
            bdb_uid=int(self._names.number(str(plan.bdb_uid), "uid")),
            call=self._names.path(plan.call) if plan.call.startswith("/") else plan.call,
            seen=[],
        )

    def call(self, call: SlowCall) -> SlowCall:
        """Return the same slow call under its pseudonyms."""
        return replace(call, bdb_uid=int(self._names.number(str(call.bdb_uid), "uid")))

    def replaced(self, text: str) -> str:
        """Return a text of a record with pseudonyms in place of values."""
        if text.endswith("…"):
            text = self._completed(text.removesuffix("…"))
        for value in sorted(self._texts, key=len, reverse=True):
            whole = rf"(?<![\w-]){re.escape(value)}(?![\w-])"
            text = re.sub(whole, lambda _, value=value: self._texts[value], text)
        return re.sub(
            r"\b((?:bdb|node|shard|import|export):|database )(\d+)",
            lambda found: f"{found[1]}{self._names.number(found[2], 'uid')}",
            text,
        )

    def _completed(self, text: str) -> str:
        """Return a text whose end, the beginning of a value, is replaced."""
        for start in range(len(text)):
            for value, pseudonym in self._texts.items():
                if value.startswith(text[start:]) and len(text) - start > 20:
                    return text[:start] + pseudonym
        return f"{text}…"


def started(works: Iterable[Coroutine[object, object, None]]) -> list[asyncio.Task[None]]:
    """Start waits and calls as tasks with names by their number."""
    return [asyncio.create_task(work, name=f"work {n}") for n, work in enumerate(works)]


class Jitter:
    """Source of the jitter of retries: one for each task of the test, and one for the client.

    Calls that fail at the same moment draw in an order that is not that of the capture.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sources: dict[str, random.Random] = {}

    def uniform(self, low: float, high: float) -> float:
        """Return a number for the current task."""
        task = asyncio.current_task()
        name = task.get_name() if task is not None else ""
        name = name if name.startswith("work") else ""
        source = self._sources.setdefault(name, random.Random(f"{self._seed} {name}"))
        return source.uniform(low, high)


class Turns:
    """Order of the requests of a client that begin or end at the same moment of virtual time.

    In which order real sockets deliver what is sent at one moment differs from run to run, and all
    that follows with it. So one request begins or goes on at a time, those that began first come
    first, and the next one waits until the sockets have delivered what the one before has caused.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._giving: asyncio.Task[None] | None = None

    async def request(
        self, session: aiohttp.ClientSession, *args: object, **options: object
    ) -> aiohttp.ClientResponse:
        """Send a request as `ClientSession` does, in its turn."""
        number = next(self._numbers)
        await self._turn(number)
        response: aiohttp.ClientResponse | None = None
        try:
            response = await SEND(session, *args, **options)  # type: ignore[arg-type]
        finally:
            try:
                await self._turn(number)
            except asyncio.CancelledError:
                if response is not None:
                    response.close()
                raise
        return response

    async def _turn(self, number: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((number, turn))
        if self._giving is None:
            self._giving = asyncio.create_task(self._give())
        await turn

    async def _give(self) -> None:
        while self._waiting:
            for _ in range(CYCLES):
                await asyncio.sleep(0)
            first = min(self._waiting, key=lambda each: each[0])
            self._waiting.remove(first)
            if not first[1].done():  # as that of a cancelled request is
                first[1].set_result(None)
        self._giving = None


def virtually(work: Coroutine[object, object, Run], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run on virtual time from zero, with the requests of a client in turn.

    The clock has steps of a millisecond, as the times of a capture: otherwise a replay could not
    keep the order of what happened within one.
    """
    turns = Turns()

    async def request(session: aiohttp.ClientSession, *args: object, **options: object) -> object:
        return await turns.request(session, *args, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", request)
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(work)


def virtual_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop whose virtual time begins at zero and has steps of a millisecond."""
    return looptime.new_event_loop(start=0, resolution=1e-3, noop_cycles=NOOP_CYCLES)


async def record(seed: int, plans: list[Plan], calls: list[SlowCall], path: Path) -> Run:
    """Wait under chaos against the fake cluster, with plants in its bodies and with a capture."""
    async with FakeCluster(nodes=3, token_ttl=300, lateness=LATENESS, seed=seed) as cluster:
        run = Run(cluster)
        with planting(PLANTED):
            async with run.client() as client, client.capture(path):
                waits = started([
                    *(follow(client, cluster, plan, n) for n, plan in enumerate(plans)),
                    *(call_slowly(client, cluster, call) for call in calls),
                ])  # fmt: skip
                await asyncio.sleep(CALM)
                cluster.chaos(seed, horizon=HORIZON, episodes=40, longest=LONGEST)
                await asyncio.gather(*waits)
    return run


async def repeat(plans: list[Plan], calls: list[SlowCall], path: Path) -> Run:
    """Make the same waits and calls on the replay of a capture. Everything in it is asked for."""
    nothing = cast("FakeCluster", NoCluster())
    async with FakeCluster.replay(path) as replayed:
        run = Run(replayed)
        async with run.client() as client:
            works = [
                *(
                    follow(client, cast("FakeCluster", NoCluster(plan.uid)), plan, n)
                    for n, plan in enumerate(plans)
                ),
                *(call_slowly(client, nothing, call) for call in calls),
            ]
            await asyncio.gather(*started(works))
    assert replayed.unexpected == []
    assert replayed.unplayed == []
    assert len({exchange.failure for exchange in replayed.exchanges}) > 2
    return run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run with one seed, which `--seed` sets, or with ten of them."""
    seed = metafunc.config.getoption("--seed")
    several = range(1, 11) if metafunc.config.getoption("--full") else [1]
    seeds = [
        pytest.param(each, marks=pytest.mark.xfail(strict=True, reason=DIFFERENCE))
        if each == DIFFERS
        else each
        for each in several
    ]
    metafunc.parametrize("seed", seeds if seed is None else [seed])


@pytest.mark.timeout(300)  # 15 s of computing on an idle machine
def test_replay(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture has nothing that was planted, and its replay gives the same records."""
    path = tmp_path / "capture.json"
    plans, calls = draw(seed, WAITS), draw_slow_calls(seed)[::BURST]
    monkeypatch.setattr(capture_module, "Writer", KeptWriter)
    monkeypatch.setattr(tenacity.wait, "random", Jitter(seed))
    recorded = virtually(record(seed, plans, calls, path), monkeypatch)
    text = path.read_text("utf-8")
    writer = KeptWriter.made.pop()
    names = Names(writer)
    monkeypatch.setattr(tenacity.wait, "random", Jitter(seed))
    again = repeat([*map(names.plan, plans)], [*map(names.call, calls)], path)
    replayed = virtually(again, monkeypatch)
    pairs = zip_longest(
        [fields_of(record, lambda text: names.replaced(recorded.anywhere(text)))
         for record in recorded.records],
        [fields_of(record, replayed.anywhere) for record in replayed.records],
    )  # fmt: skip
    different = [(first, second) for first, second in pairs if first != approximate(second)]

    assert found_in(text, PLANTED) == []
    assert not any(f'"{plan.uid}"' in text for plan in plans)
    assert different == []
    assert len(recorded.records) > WAITS
    assert sum(len(record.outages) for record in recorded.records) > WAITS / 2
