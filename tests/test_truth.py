"""Facts about whole operations: no call is said to be done before it is, whatever is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionNotFound,
    ActionsClient,
    AnswerLost,
    FinishedAction,
    NothingToFollow,
    RedisActionsError,
)
from redis_enterprise_actions._client.http.transport import Transport
from tests.conftest import examples, virtual_loop
from tests.truth import CALLS, HANDLES, KINDS, OURS, THEIRS, Plot, Truth


if TYPE_CHECKING:
    from collections.abc import Iterator

    from yarl import URL

    from redis_enterprise_actions._client.http.auth import Secret
    from redis_enterprise_actions._client.http.transport import Reply, Request

pytestmark = pytest.mark.core

LATEST: Final = 8.0  # seconds by which the server is late at most
LATEST_UNCHANGED: Final = 0.8  # ... of a change that it answers with the settled database
CHANGES: Final = {"change", "database", "delete"}
END: Final = 600.0  # seconds after which nobody waits any more


@st.composite
def plots(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(CALLS)) -> Plot:
    """Draw what happens."""
    kind = draw(st.sampled_from(kinds))
    call = draw(st.sampled_from(CALLS[kind]))
    handle = draw(st.sampled_from(HANDLES))
    shown = draw(st.booleans())
    fate = draw(
        st.sampled_from(["answered", "answered", "accepted", "lost", "dropped"])
        | st.sampled_from(["503", "503 for nothing"])
    )
    answers_settled = kind == "change" and shown and fate == "answered"
    latest = LATEST_UNCHANGED if answers_settled else LATEST
    # A call that is refused with 503 is made again where nothing shows that it was taken.
    late = draw(st.floats(0, 0.0 if fate == "503" else latest))
    shortest = 1.0 if fate == "503" else 0.0
    old = {
        "transfer": ["", "succeeded", "failed"],
        "node": ["", "completed", "failed"],
        "cancel": ["", "forgotten"],
    }
    return Plot(
        call=call,
        late=late,
        duration=max(shortest, draw(st.sampled_from([0.0, 0.3, 1.0, 5.0]) | st.floats(0, 60))),
        succeeds=draw(st.booleans()),
        shows=draw(st.sampled_from(["status", "action_uid", "pending", "active"])),
        theirs=draw(st.sampled_from([0.0, 0.0, 2.0, 6.0])),
        old=draw(st.sampled_from(old.get(kind, ["", "failed"]))),
        ids=draw(st.sampled_from(["none", "old", "new", "both"])),
        reset=draw(st.sampled_from(["works", "refused", "ignored"])),
        handle=handle,
        shown=shown,
        fate=fate,
        v2=draw(st.booleans()),
    )


@pytest.fixture(scope="module", autouse=True)
def truths() -> Iterator[dict[int, Truth]]:
    """Let each client be answered by the truth that was made for it, in place of sockets."""
    by_client: dict[int, Truth] = {}

    async def once(self: Transport, node: URL, call: Request, proof: Secret | None) -> Reply:
        reply = await by_client[int(node.port or 0)].once(call)
        self.requests_sent += 1
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transport, "_send_to_node", once)
        patch.setattr("tests.test_truth.TRUTHS", by_client)
        yield by_client


TRUTHS: dict[int, Truth] = {}


async def told_of(truth: Truth) -> tuple[Action | RedisActionsError, float]:
    """Make the call, and follow it; return what was told in the end, and when.

    Where the answer is lost, what the error refers to is followed.
    """
    port = 10_000 + len(TRUTHS) % 50_000
    TRUTHS[port] = truth
    clock = asyncio.get_running_loop().time
    method, path = truth.plot.call
    async with ActionsClient(f"http://127.0.0.1:{port}", username="u", password="p") as client:
        try:
            operation = await client.submit(method, path, busy_timeout=60)
            return await operation.wait(timeout=END), clock()
        except AnswerLost as error:
            if error.ref is None:
                return error, clock()
            lost = client.operation(error.ref)
        except RedisActionsError as error:
            return error, clock()
        try:
            return await lost.wait(timeout=END), clock()
        except RedisActionsError as error:
            return error, clock()


def run(plot: Plot) -> tuple[Truth, Action | RedisActionsError, float]:
    """Play a plot on a loop with virtual time."""
    truth = Truth(plot)
    loop = virtual_loop()
    try:
        told, now = loop.run_until_complete(told_of(truth))
        assert asyncio.all_tasks(loop) == set()
    finally:
        loop.close()
    return truth, told, now


def check(truth: Truth, told: Action | RedisActionsError, now: float) -> None:
    """Check that nothing was said to have ended that had not, nor another run's end."""
    plot = truth.plot
    reason = str(told)
    assert THEIRS not in reason, reason
    if isinstance(told, Action) and truth.called is None:
        # Nobody took the call. That a database has settled is no claim that it was made.
        assert told.uid.startswith("bdb:"), told
    elif isinstance(told, Action):
        assert now >= truth.ends, f"{told} at {now}, and not before {truth.ends}"
        well = not plot.succeeds if plot.kind == "cancel" else plot.succeeds
        assert well, f"{told}, and it failed"
    elif isinstance(told, ActionFailed):
        assert truth.called is not None
        assert now >= truth.ends
        assert not plot.succeeds
        assert OURS in reason or "creation-failed" in str(told.action)


@settings(
    max_examples=examples(400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(plots())
def test_never_done_before_it_is(plot: Plot) -> None:
    """Whatever becomes of any modifying call, no end is told before it comes, nor another's."""
    truth, told, now = run(plot)

    event(f"{plot.kind}: {type(told).__name__}")
    check(truth, told, now)


@pytest.mark.parametrize("call", KINDS, ids=" ".join)
@pytest.mark.parametrize("succeeds", [True, False], ids=["succeeds", "fails"])
@pytest.mark.parametrize("handle", ["handle", "nothing"])
@pytest.mark.parametrize("late", [0.0, 0.8, 7.9])
def test_told_in_the_end(call: tuple[str, str], succeeds: bool, handle: str, late: float) -> None:
    """Each call is followed to its end, be there a handle in its answer or not."""
    kind = KINDS[call]
    if kind == "change" and handle == "nothing" and late > LATEST_UNCHANGED:
        pytest.skip("its answer shows the settled database")
    plot = Plot(call=call, late=late, duration=20, succeeds=succeeds, handle=handle)
    truth, told, now = run(plot)
    check(truth, told, now)

    names_nothing = kind == "shards" and handle == "nothing"
    unknown = kind == "other" and handle == "nothing"
    purged = call[1].endswith("purge") and handle == "nothing"
    if names_nothing or purged or unknown:
        assert isinstance(told, NothingToFollow)
    elif kind == "cancel":
        assert isinstance(told, Action) is not succeeds
    elif succeeds:
        assert isinstance(told, Action), told
    else:
        assert isinstance(told, ActionFailed), told
    assert now < 60


@pytest.mark.parametrize("shows", ["status", "action_uid", "pending", "active"])
@pytest.mark.parametrize("call", [c for c, kind in KINDS.items() if kind in CHANGES], ids=" ".join)
@pytest.mark.parametrize("succeeds", [True, False], ids=["succeeds", "fails"])
def test_shown_somewhere(call: tuple[str, str], shows: str, succeeds: bool) -> None:
    """Wherever a database shows that something is done to it, that is waited for."""
    plot = Plot(call=call, late=0.7, duration=30, succeeds=succeeds, shows=shows, old="failed")
    truth, told, now = run(plot)
    check(truth, told, now)

    assert type(told) is (FinishedAction if succeeds else ActionFailed)


@pytest.mark.parametrize("kind", ["node", "transfer", "crdb"])
@pytest.mark.parametrize("ids", ["none", "old", "new", "both"])
@pytest.mark.parametrize("old", ["completed", "failed", "succeeded"])
def test_never_taken(kind: str, ids: str, old: str) -> None:
    """What was called for, and never begun, has not ended, whatever result an older run left."""
    for call in CALLS[kind]:
        plot = Plot(
            call=call, late=1, duration=5, fate="dropped", old=old, ids=ids, reset="ignored"
        )
        truth, told, now = run(plot)

        check(truth, told, now)
        assert isinstance(told, ActionNotFound | AnswerLost), told


def test_plots_reach_every_end() -> None:
    """The plots above come to good ends and to bad ones, so that the check is not an empty one."""
    ends: Counter[str] = Counter()

    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(plots())
    def play(plot: Plot) -> None:
        _, told, _ = run(plot)
        ends[type(told).__name__] += 1

    play()
    assert {"FinishedAction", "ActionFailed", "AnswerLost"} <= ends.keys()
    assert ends["FinishedAction"] > 20
