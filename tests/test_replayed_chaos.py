"""Captures of waits under chaos: nothing planted is in them, and a replay gives the same records.

The waits, the calls and the troubles are those of the chaos test, but fewer, and the process does
not stand still. They run twice on virtual time: against the fake cluster, whose bodies have planted
values, with `client.capture`; and against the replay of that file.
"""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec
import pytest
import tenacity.wait

from redis_enterprise_actions import ActionsClient, Record
from redis_enterprise_actions._client.capture import capture as capture_module
from redis_enterprise_actions._client.capture.format import Writer
from redis_enterprise_actions._model.text import one_line
from redis_enterprise_actions.testing import FakeCluster
from tests.planting import PLANTS, found_in, planting
from tests.test_chaos import (
    BURST,
    CALM,
    LATENESS,
    Plan,
    SlowCall,
    call_slowly,
    draw,
    draw_slow_calls,
)
from tests.test_chaos import follow as follow_plan


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from pathlib import Path

    from redis_enterprise_actions.testing import ReplayedCluster

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

# The client hides the password of a URL in a text, which is then no longer the value it had.
PLANTED: Final = [plant for plant in PLANTS if "Pw@" not in str(plant)]
UUID_END: Final = "-0000-4000-8000-000000000000"
TOLERANCE: Final = 0.1  # seconds; the times of a capture are rounded to a millisecond


class Run:
    """Waits and calls of one client, and their records in the order of their beginning."""

    def __init__(self, cluster: FakeCluster | ReplayedCluster) -> None:
        self.cluster = cluster
        self.records: list[Record] = []

    def client(self) -> ActionsClient:
        """Return a client of the cluster, whose waits are observed."""
        user = {"username": self.cluster.username, "password": self.cluster.password}
        client = ActionsClient(self.cluster.urls, auth="jwt", **user)
        client.observe(self.observe)
        return client

    def observe(self, record: Record) -> Callable[[Record], object]:
        """Keep the last record of a wait at the place of its beginning."""
        place = len(self.records)
        self.records.append(record)
        return lambda record: self.records.__setitem__(place, record)


class NoCluster:
    """Stand-in for the fake cluster where the cluster is a replay: nothing can be planned there."""

    def __init__(self, uid: str = "") -> None:
        self._uid = uid

    def add_action(self, *_: object, **__: object) -> str:
        """Return the pseudonym of the uid that the action had."""
        return self._uid

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


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

        self.names._pseudonym = kept  # type: ignore[method-assign]
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


def without_place(text: str, urls: list[str]) -> str:
    """Return a text without what is of one run: numbers of nodes for URLs, and no wall clock."""
    for number, url in enumerate(urls, 1):
        host, _, port = url.removeprefix("http://").partition(":")
        for name in (url, f"{host}:{port}", f"('{host}', {port})"):
            text = text.replace(name, f"<node {number}>")
    return re.sub(r"@(\w+),(\w*),\d{12,13}", r"@\1,\2,<call time>", text)


def comparable(record: Record, change: Callable[[str], str]) -> dict[str, Any]:
    """Return the fields of a record with texts changed, and without the wall clock."""

    def approximate(value: object) -> object:
        if isinstance(value, dict):
            return {name: approximate(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [approximate(each) for each in value]
        return pytest.approx(value, abs=TOLERANCE) if isinstance(value, float) else value

    fields = msgspec.to_builtins(record)
    del fields["began"]
    for name in ("ref", "title", "message"):
        fields[name] = fields[name] and change(fields[name])
    for outage in fields["outages"]:
        outage["reason"] = change(outage["reason"])
    return {name: approximate(value) for name, value in fields.items()}


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


async def test_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture has nothing that was planted, and its replay gives the same records."""
    seed, path = 1, tmp_path / "capture.json"
    plans, calls = draw(seed, 100), draw_slow_calls(seed)[::BURST]
    monkeypatch.setattr(capture_module, "Writer", KeptWriter)
    with planting(PLANTED):
        async with FakeCluster(nodes=3, token_ttl=300, lateness=LATENESS, seed=seed) as cluster:
            recorded = Run(cluster)
            monkeypatch.setattr(tenacity.wait, "random", Jitter(seed))
            async with recorded.client() as client, client.capture(path):
                works = [
                    *[follow_plan(client, cluster, plan, n) for n, plan in enumerate(plans)],
                    *[call_slowly(client, cluster, call) for call in calls],
                ]
                waits = started(works)
                await asyncio.sleep(CALM)
                cluster.chaos(seed, horizon=1800, episodes=40, longest=120)
                await asyncio.gather(*waits)
            urls = cluster.urls
    names = Names(KeptWriter.made.pop())
    text = path.read_text("utf-8")
    assert found_in(text, PLANTED) == []

    async with FakeCluster.replay(path) as replayed:
        again = Run(replayed)
        monkeypatch.setattr(tenacity.wait, "random", Jitter(seed))
        async with again.client() as client:
            works = []
            for number, plan in enumerate(plans):
                known = names.plan(plan)
                works.append(follow_plan(client, NoCluster(known.uid), known, number))
            works += [call_slowly(client, NoCluster(), names.call(call)) for call in calls]
            await asyncio.gather(*started(works))
        own = replayed.urls

    def first(text: str) -> str:
        return names.replaced(without_place(text, urls))

    def second(text: str) -> str:
        return without_place(text, own)

    pairs = zip_longest(recorded.records, again.records)
    wrong = []
    for before, after in pairs:
        a, b = before and comparable(before, first), after and comparable(after, second)
        if a != b:
            wrong.append((a, b))
    print(
        len(recorded.records),
        len(wrong),
        len(text),
        len(replayed.unplayed),
        len(replayed.unexpected),
    )
    print(len(recorded.cluster.requests), len(replayed.requests), len(replayed.exchanges))
    import collections

    print(collections.Counter((e.failure or e.status) for e in replayed.exchanges))
    print(collections.Counter((e.failure or e.status) for e in replayed.unplayed))
    keys = collections.Counter()
    for a, b in wrong:
        for k in a or {}:
            if b and a[k] != b[k]:
                keys[k] += 1
    print(keys)
    for a, b in wrong[:12]:
        for k in a:
            if a[k] != b[k]:
                print("-", k, a["ref"], b["ref"])
                print("   ", str(a[k])[:1000])
                print("   ", str(b[k])[:1000])
    assert wrong == []
