"""Tests of requests in flight together, with different fates, at several nodes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import aiohttp
from hypothesis import example, given
from hypothesis import strategies as st

from redis_enterprise_actions import Action, ActionsClient, WaitTimeout
from tests.conftest import virtual_loop


if TYPE_CHECKING:
    from collections.abc import Iterable

    from yarl import URL

    from redis_enterprise_actions._client.http.transport import Transport

LAST_FAULT: Final = 90.0  # seconds; no fault lasts longer
LONGEST_REST: Final = 60.0  # seconds between two polls, after slow ones
SLACK: Final = 30.0  # seconds for the requests that are out, 10 a node, and the next poll
ABANDONED: Final = 2.0  # seconds after which a request that is cut short counts as failed
NODES: Final = ("n1", "n2", "n3")


class Fault(NamedTuple):
    """Fault of one node, for lists, single requests, or both."""

    node: str
    begins: float
    lasts: float
    kind: str  # "hangs", "breaks" or "503"
    paths: str  # "list", "single" or "all"

    def hits(self, node: str, path: str, now: float) -> bool:
        """Return True if the fault concerns a request that begins now."""
        what = "list" if path == "/v1/actions" else "single"
        is_on = self.begins <= now < min(self.begins + self.lasts, LAST_FAULT)
        return is_on and node == self.node and self.paths in {"all", what}


FAULTS: Final = st.lists(
    st.builds(
        Fault,
        node=st.sampled_from(NODES),
        begins=st.floats(0, 60),
        lasts=st.floats(1, 60),
        kind=st.sampled_from(["hangs", "hangs", "breaks", "503"]),
        paths=st.sampled_from(["list", "single", "all"]),
    ),
    max_size=8,
)


class Session:
    """Cluster in the place of an aiohttp session. `failed` has the node and time of each fault."""

    closed = False

    def __init__(self, faults: Iterable[Fault], ends: dict[str, float], latency: float) -> None:
        self.faults = tuple(faults)
        self.ends = ends
        self.latency = latency
        self.in_flight = 0
        self.most_in_flight = 0
        self.failed: Counter[tuple[str, float]] = Counter()

    async def close(self) -> None:
        """Do nothing."""

    async def request(
        self, _: str, url: URL, *, timeout: aiohttp.ClientTimeout, **__: object
    ) -> SimpleNamespace:
        """Answer, hang or fail, as the faults of the node say."""
        clock, node = asyncio.get_running_loop().time, str(url.host)
        began, status = clock(), 200
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            fault = next((it for it in self.faults if it.hits(node, url.path, began)), None)
            if fault is not None and fault.kind == "hangs":
                await asyncio.sleep(timeout.total or 0)
                raise TimeoutError  # noqa: TRY301 - as aiohttp does
            await asyncio.sleep(self.latency)
            if fault is not None and fault.kind == "breaks":
                raise aiohttp.ClientPayloadError("cut off")
        except asyncio.CancelledError:
            if clock() - began >= ABANDONED:
                self.failed[node, clock()] += 1
            raise
        except (aiohttp.ClientError, TimeoutError):
            self.failed[node, clock()] += 1
            raise
        finally:
            self.in_flight -= 1
        if fault is not None:
            self.failed[node, clock()] += 1
            status = 503
        body = json.dumps(self._answer(url.path.removeprefix("/v1/actions").strip("/"), clock()))
        content = SimpleNamespace(
            is_eof=lambda: True, total_bytes=len(body), read_nowait=body.encode
        )
        return SimpleNamespace(status=status, content=content, headers={}, connection=None)

    def _answer(self, uid: str, now: float) -> object:
        entries = [
            {
                "action_uid": each,
                "name": "SMUpdateBDB",
                "status": "completed" if now >= ends else "active",
            }
            for each, ends in self.ends.items()
        ]
        if uid:
            return next(entry for entry in entries if entry["action_uid"] == uid)
        return {"actions": [], "state-machines": entries}


async def run(session: Session, deadline: float, leaves_at: float) -> None:
    """Follow five actions, one of them until a deadline and one until its task is cancelled."""
    loop = asyncio.get_running_loop()
    booked: Counter[tuple[str, float]] = Counter()
    urls = [f"http://{node}:8080" for node in NODES]
    async with ActionsClient(urls) as client:
        transport: Transport = client._transport
        transport._session, transport._loop = cast("aiohttp.ClientSession", session), loop
        mark_failed = transport.nodes.mark_failed

        def book(nodes: Iterable[URL], now: float, *, backoff: float | None = None) -> None:
            booked.update((str(node.host), now) for node in nodes)
            mark_failed(nodes, now, backoff=backoff)

        transport.nodes.mark_failed = book  # type: ignore[method-assign]

        async def follow(uid: str, timeout: float | None) -> tuple[object, float]:
            try:
                result: object = await client.wait_for_action(
                    uid, timeout=timeout, outage_timeout=None
                )
            except WaitTimeout as error:
                result = error
            return result, loop.time()

        leaver = asyncio.create_task(follow("d", None))
        loop.call_at(leaves_at, leaver.cancel)
        timed, *ended = await asyncio.gather(
            follow("e", deadline), *(follow(uid, None) for uid in "abc")
        )
        await asyncio.wait([leaver])

    for uid, (result, when) in zip("abc", ended, strict=True):
        assert isinstance(result, Action)
        ends = session.ends[uid]
        assert ends <= when <= max(ends, LAST_FAULT) + LONGEST_REST + SLACK
    assert isinstance(timed[0], WaitTimeout)
    assert deadline <= timed[1] <= deadline + 2.001
    assert booked == session.failed
    assert session.in_flight == 0
    assert session.most_in_flight <= 2
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [it for it in loop._scheduled if not it.cancelled()] == []  # type: ignore[attr-defined]


@given(
    faults=FAULTS,
    ends=st.lists(st.floats(1, 120), min_size=3, max_size=3),
    latency=st.sampled_from([0.0, 0.01, 0.5]),
    deadline=st.floats(1, 100),
    leaves_at=st.floats(0.5, 100),
)
@example(  # all nodes fail, one of them until shortly before the end of all faults
    faults=[
        Fault("n1", 0, 1, "hangs", "list"),
        Fault("n1", 0, 24, "breaks", "single"),
        Fault("n2", 0, 25, "hangs", "single"),
        Fault("n3", 0, 14, "hangs", "single"),
        Fault("n3", 24, 60, "hangs", "single"),
    ],
    ends=[1.0, 1.0, 11.0],
    latency=0.0,
    deadline=24.0,
    leaves_at=1.0,
)
@example(  # the list is cut short while the current node is another one
    faults=[Fault("n1", 5, 60, "hangs", "list"), Fault("n1", 5, 60, "breaks", "single")],
    ends=[100.0, 100.0, 100.0],
    latency=0.01,
    deadline=90.0,
    leaves_at=80.0,
)
def test_fates(
    faults: list[Fault], ends: list[float], latency: float, deadline: float, leaves_at: float
) -> None:
    """Each failure is booked on its own node, each wait ends in time, and nothing is left."""
    never = {"d": 1e9, "e": 1e9}
    session = Session(faults, {**dict(zip("abc", ends, strict=True)), **never}, latency)
    loop = virtual_loop()
    try:
        loop.run_until_complete(run(session, deadline, leaves_at))
    finally:
        loop.close()
