"""Benchmark of single steps: the cost of a poll, of reading a list, and of an import.

Usage: python benchmarks/micro.py [--quick] [--steps polls lists imports] [--out DIR]

The compared variants take turns, block by block, so that other load on the machine affects all of
them. A ratio is the median, over the blocks, of the ratio to the first line of the table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import aiohttp
import msgspec
import tenacity
import truth
from processes import server
from report import row
from shapes import ClusterActions, v1

from redis_enterprise_actions import ActionsClient, AimedWait
from redis_enterprise_actions._client.protocols import Wanted
from redis_enterprise_actions._client.sources.list_cache import ListCache
from redis_enterprise_actions._client.wire.actions import WireAction, read_actions, split_families
from redis_enterprise_actions._model.reference import Reference, ReferenceKind


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from processes import Server
    from tenacity.wait import wait_base

    from redis_enterprise_actions import Action
    from redis_enterprise_actions._client.sources.list_cache import ListEntry

Rows: TypeAlias = dict[str, list[float]]  # seconds, by the block

_ENDLESS: Final = 10.0**6  # seconds; duration of the polled actions
_PATH: Final = "/v1/actions"
_CLUSTERS: Final = 20  # with one wait each, and a client of its own
_ENTRIES: Final = 100_000  # read in a block
_WANTED: Final = 10  # actions of a list that have waiters
_STEP: Final = 100  # one entry of so many changes from list to list
_EPOCH: Final = 1_760_400_000  # when the actions of a list began
_BARE: Final = "bare aiohttp + msgspec"
_STAGGER: Final = 0.35  # seconds over which the waits begin, so that they do not run in step
_WARM: Final = 1.0  # seconds of waiting before the measurement
_CREDENTIALS: Final = {"Authorization": "Basic dTpw"}  # u and p; the server needs them
_SCHEDULES: Final = {  # with the shortest pauses of our client
    "wait_for_action": AimedWait(0.1, cap=0.2),
    "the same, on tenacity's": tenacity.wait_fixed(0),
}
_IMPORTS: Final = {
    "aiohttp, msgspec, tenacity": "import aiohttp, msgspec, tenacity",
    "redis_enterprise_actions": "from redis_enterprise_actions import ActionsClient",
}
_STEPS: Final = ("polls", "lists", "imports")
_TIMED: Final = "import time; t = time.process_time(); {}; print(time.process_time() - t)"


class SingleAction:
    """One action on a cluster of its own, and two ways to request it."""

    def __init__(self, control: Server, k: int) -> None:
        self.client = ActionsClient(control.url(k), username="u", password="p")
        self.session = aiohttp.ClientSession(headers=_CREDENTIALS)
        self._late = k / _CLUSTERS * _STAGGER
        self._uid = truth.uids(1 + k, 1)[0]
        self._url = f"{control.url(k)}{_PATH}/{self._uid}"
        self._read = msgspec.json.Decoder(WireAction).decode

    async def request_without_client(self) -> None:
        """Request the action with aiohttp and msgspec."""
        async with self.session.get(self._url) as response:
            self._read(await response.read())

    async def request(self) -> None:
        """Request the action with our client."""
        await self.client.get_action(self._uid)

    async def loop(self, pause: float) -> None:
        """Request the action with aiohttp and msgspec without end, with pauses of these seconds."""
        await asyncio.sleep(self._late)
        while True:
            await self.request_without_client()
            await asyncio.sleep(pause)

    async def wait(self, poll: wait_base) -> None:
        """Wait for the action with our client."""
        await asyncio.sleep(self._late)
        await self.client.wait_for_action(self._uid, poll=poll)


async def _polls(control: Server, blocks: int, polls: int, seconds: float) -> dict[str, Rows]:
    """Return the client's CPU seconds per poll, for single calls and within waits.

    A block is a number of polls, or a number of seconds in the midst of waits. The bare loop pauses
    for as long as the waits did.
    """
    calls: Rows = {_BARE: [], "get_action": []}
    waits: Rows = {name: [] for name in (_BARE, *_SCHEDULES)}
    async with AsyncExitStack() as stack:
        actions = [SingleAction(control, k) for k in range(_CLUSTERS)]
        for action in actions:
            await stack.enter_async_context(action.session)
            await stack.enter_async_context(action.client)
            await action.request_without_client()
            await action.request()
        first = actions[0]
        ways = {_BARE: first.request_without_client, "get_action": first.request}
        for _ in range(blocks):
            for name, way in ways.items():
                cpu = time.process_time()
                for _ in range(polls):
                    await way()
                calls[name].append((time.process_time() - cpu) / polls)
            for name, poll in _SCHEDULES.items():
                cpu, requests = await _cost(control, seconds, [a.wait(poll) for a in actions])
                waits[name].append(cpu)
            pause = seconds * _CLUSTERS / requests
            waits[_BARE].append(
                (await _cost(control, seconds, [a.loop(pause) for a in actions]))[0]
            )
    return {"a poll": calls, f"a poll of a wait ({1 / pause:.3g} a second)": waits}


async def _cost(
    control: Server, seconds: float, work: list[Coroutine[None, None, None]]
) -> tuple[float, int]:
    """Return the CPU seconds per request, and the number of requests, in the midst of the work."""
    tasks = [asyncio.ensure_future(each) for each in work]
    await asyncio.sleep(_WARM)
    before, cpu = control.stats()["requests"], time.process_time()
    await asyncio.sleep(seconds)
    cpu = time.process_time() - cpu
    requests = control.stats()["requests"] - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return cpu / requests, requests


class ListReader:
    """List cache that takes over some lists in turn; the first of `actions` are wanted."""

    def __init__(self, actions: list[truth.Action], wanted: int, *bodies: bytes) -> None:
        self._bodies = cycle(bodies)
        self._cache = ListCache()
        self._wanted = Wanted()
        for action in actions[:wanted]:
            self._wanted[Reference(ReferenceKind.ACTION, action.uid)] = None
            self._wanted.version += 1

    def take(self) -> list[ListEntry | None]:
        """Take over the next list; return the entries that changed, with their phases."""
        families = split_families(next(self._bodies), _PATH)
        return list(self._cache.update(families, self._wanted).values())

    def read(self) -> list[Action | None]:
        """Take over the next list; return the actions that changed."""
        return [entry and entry.read() for entry in self.take()]

    def read_all(self) -> list[Action | None]:
        """Take over the next list as if it were the first one; return all wanted actions."""
        self._cache = ListCache()
        return self.read()


def _lists(size: int, blocks: int) -> Rows:
    """Return the seconds that reading a list of `size` actions takes."""
    actions = truth.script(1, size, 30.0, "mixed")
    body, few, each = (_list_of(actions, step) for step in (size, _STEP, 1))
    reader = partial(ListReader, actions)
    ways: dict[str, Callable[[], object]] = {
        "json": partial(json.loads, body),
        "ours, all of it": partial(read_actions, body, _PATH),
    }
    for wanted in sorted({min(size, _WANTED), size}):
        ways[f"ours, {wanted:,} wanted"] = reader(wanted, body).take
    ways[f"the same, 1 of {_STEP} changed"] = reader(size, body, few).read
    ways["the same, all changed, phases alone"] = reader(size, body, each).take
    ways["the same, all changed"] = reader(size, body, each).read
    ways["the same, for the first time"] = reader(size, body).read_all
    for way in ways.values():
        way()
    rows: Rows = {name: [] for name in ways}
    for _ in range(blocks):
        for name, way in ways.items():
            rows[name].append(_seconds_of(way, max(_ENTRIES // size, 1)))
    return rows


def _list_of(actions: list[truth.Action], step: int) -> bytes:
    """Return a list of /v1 in which every entry, or one of so many, was sampled again."""
    cluster_actions = ClusterActions(actions, (), v1, _EPOCH)
    families = (cluster_actions.family(20.0, tasks=tasks) for tasks in (True, False))
    tasks, machines = (json.loads(b"[%b]" % family) for family in families)
    for number, entry in enumerate([*tasks, *machines], 1):
        entry["last_sample_time"] = _EPOCH + (number % step == 0)
    return msgspec.json.encode({"actions": tasks, "state-machines": machines})


def _seconds_of(way: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        way()
    return (time.perf_counter() - began) / times


def _imports(times: int) -> Rows:
    """Return the CPU seconds of each import of compiled modules, each time in a fresh process."""
    rows: Rows = {name: [] for name in _IMPORTS}
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(1 + times):
            for name, line in _IMPORTS.items():
                command = [sys.executable, "-c", _TIMED.format(line)]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
                rows[name].append(float(done.stdout))
    return {name: blocks[1:] for name, blocks in rows.items()}


def _page(title: str, rows: Rows) -> str:
    base = next(iter(rows.values()))
    lines = [row([title, "median", "ratio"]), row(["---", "--:", "--:"])]
    for name, blocks in rows.items():
        by = statistics.median(map(float.__truediv__, blocks, base))
        lines.append(row([name, f"{statistics.median(blocks) * 1000:.3g} ms", f"{by:.3g}"]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print tables, write the figures."""
    options = _options()
    found: dict[str, Rows] = {}
    if "polls" in options.steps:
        with server() as control:
            control.reset(n=1, clusters=_CLUSTERS, median=_ENDLESS, progress="linear")
            control.start(time.monotonic())
            found = asyncio.run(_polls(control, options.blocks, options.polls, options.seconds))
    if "lists" in options.steps:
        for size in options.sizes:
            found[f"a list of {size:,}"] = _lists(size, options.blocks)
    if "imports" in options.steps:
        found["an import"] = _imports(options.imports)
    for title, rows in found.items():
        print(_page(title, rows))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(found, indent=1) + "\n"
        (options.out / "micro.json").write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer blocks and polls")
    parser.add_argument("--steps", nargs="+", choices=_STEPS, default=[*_STEPS])
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--polls", type=int, default=500, help="in a block")
    parser.add_argument("--seconds", type=float, default=10.0, help="of waiting in a block")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 1000, 100_000])
    parser.add_argument("--imports", type=int, default=25)
    parser.add_argument("--out", type=Path)
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(blocks=5, polls=200, seconds=5.0, imports=15)
    return parser.parse_args()


if __name__ == "__main__":
    main()
