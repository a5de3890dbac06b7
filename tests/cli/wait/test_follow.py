"""Tests of `_cli.wait.follow`, with the command on a virtual clock."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.wait import ci as _ci
from redis_enterprise_actions._cli.wait import live as _live
from redis_enterprise_actions._cli.wait import plain as _plain
from redis_enterprise_actions._cli.wait.events import ChangeEvent
from redis_enterprise_actions._cli.wait.follow import EXIT_CODES_WORST_FIRST, StopCondition
from redis_enterprise_actions._model.outcome import Outcome as End
from redis_enterprise_actions.testing import Plan
from tests.cli.wait import run_command
from tests.event_samples import conforms


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis_enterprise_actions._cli.wait.events import AnyEvent
    from redis_enterprise_actions._cli.wait.progress import Progress
    from redis_enterprise_actions.testing import FakeCluster, Outcome

MODES = ["plain", "json", "github", "gitlab", "rich"]

# An action of the cluster, options of the command, the outcome and the exit code.
ENDS = [
    (Plan(duration=5), [], "completed", 0),
    (Plan(duration=60), ["--until", "progress=20"], "reached", 0),
    (Plan(duration=5, outcome="failed", error="no room"), [], "failed", 1),
    (Plan(duration=5, outcome="cancelled"), [], "cancelled", 1),
    (Plan(duration=5, outcome="aborted"), [], "aborted", 1),
    (Plan(outcome="never"), ["--timeout", "30"], "timed out", 3),
    (Plan(outcome="never"), ["--stall-timeout", "40"], "stalled", 3),
    (None, [], "not found", 4),
    (Plan(duration=5, outcome="vanishes"), [], "vanished", 4),
    (503, [], "unreachable", 5),
    (403, [], "rejected", 5),
]


def run(*line: str) -> asyncio.Task[int]:
    """Run a command on this loop."""
    return asyncio.create_task(run_command(*line))


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("does", "options", "outcome", "code"), ENDS, ids=[end[2].replace(" ", "-") for end in ENDS]
)
async def test_exit_code(
    cluster_in_environment: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[], list[str]],
    mode: str,
    does: Plan | int | None,
    options: list[str],
    outcome: str,
    code: int,
) -> None:
    """Each outcome has its exit code in every output, and is printed."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    uid = "x"
    if isinstance(does, Plan):
        uid = cluster_in_environment.add_action("retry_bdb", does)
    if isinstance(does, int):
        cluster_in_environment.inject(status=does, times=None)

    assert await run("wait", uid, "--output", mode, *options) == code
    printed = lines()
    texts = {"timed out": "timed out", "stalled": "nothing moved", "unreachable": "answered 503"}
    texts |= {"rejected": "answered 403"}
    assert any(texts.get(outcome, outcome) in line for line in printed)
    if mode == "json":
        assert all(conforms(line) for line in printed)
        *_, end, done = map(json.loads, printed)
        assert (end["outcome"], end["exit_code"], done["exit_code"]) == (outcome, code, code)
        assert done["ended"] == {outcome: 1}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("outcome", "expected", "code"),
    [
        ("completed", "had already completed", 0),
        ("failed", "had already failed: internal_error: no room", 1),
        ("cancelled", "had already been cancelled", 1),
        ("aborted", "had already been aborted", 1),
    ],
)
async def test_ended_before(
    cluster_in_environment: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[], list[str]],
    mode: str,
    outcome: Outcome,
    expected: str,
    code: int,
) -> None:
    """An action that had ended before is reported as such, without a duration."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    uid = cluster_in_environment.add_action(
        "retry_bdb", Plan(duration=5, outcome=outcome, error="no room")
    )
    await asyncio.sleep(60)

    assert await run("wait", uid, "--output", mode) == code
    printed = lines()
    if mode in {"plain", "rich"}:
        expected = (
            f"{outcome} +had ended before{expected.partition(': ')[2] and ': internal_error'}"
        )
    assert any(re.search(expected, re.sub(r"\x1b\[[\d;]*m", "", line)) for line in printed)
    assert not any(f"{outcome} after" in line or "seen after" in line for line in printed)
    if mode == "json":
        assert [json.loads(line).get("already_over") for line in printed][-2:] == [True, None]


async def test_seen_late(
    cluster_in_environment: FakeCluster, lines: Callable[[], list[str]]
) -> None:
    """An action that had ended when it was seen after an outage is reported with that time."""
    uid = cluster_in_environment.add_action("retry_bdb", Plan(duration=5))
    cluster_in_environment.inject(status=503, times=None)
    waiting = run("wait", uid, "--output", "json")
    await asyncio.sleep(100)
    cluster_in_environment.heal()
    await waiting

    assert re.search(r"\] had already completed when first seen, after 1m \d\ds\"", lines()[-2])


@pytest.mark.parametrize("mode", MODES)
async def test_waited(
    cluster_in_environment: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[], list[str]],
    mode: str,
) -> None:
    """The duration of the wait is reported as waiting time."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    uid = cluster_in_environment.add_action("retry_bdb", Plan(duration=40))
    await run("wait", uid, "--output", mode)
    text = " ".join(lines())

    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert re.search(
        r"completed +4\ds" if mode in {"plain", "rich"} else r"completed after 4\ds", text
    )
    assert "had already" not in text


@pytest.mark.parametrize(
    ("older", "expected"),
    [
        (-7200, ""),  # the clocks of the cluster and of the client differ
        (0, ""),
        (3, ""),  # whole seconds count, and the clock goes on meanwhile
        (100, r", about 2m \d\ds after it was created"),
        (7200, ", about 2h 00m after it was created"),
    ],
)
async def test_creation_time(
    cluster_in_environment: FakeCluster, lines: Callable[[], list[str]], older: float, expected: str
) -> None:
    """The age of an action is reported if the cluster gives its creation time."""
    uid = cluster_in_environment.add_action("retry_bdb", Plan(duration=40))
    cluster_in_environment._clock._epoch = time.time() - now() - older
    await run("wait", uid, "--output", "json", "--interval", "1")

    assert re.search(rf"\] completed after 4\ds{expected}\"", lines()[-2])


def test_every_outcome_is_above() -> None:
    """Each outcome is in the table above, and in the order of exit codes."""
    # Wrong usage and calls that cannot be followed are no ends of waits for references.
    other = {End.WRONG_USAGE, End.NOT_FOLLOWED, End.UNHEALTHY, End.INTERRUPTED, End.UNDER_WAY}
    ends = {(str(each), each.exit_code) for each in End if each not in other}

    assert {(outcome, code) for *_, outcome, code in ENDS} == ends
    assert {code for _, code in ends} | {2} == set(EXIT_CODES_WORST_FIRST)


@pytest.mark.parametrize(
    ("until", "codes", "enough", "code"),
    [
        (StopCondition.ALL, [], False, 0),
        (StopCondition.ALL, [0, 5, 3], False, 3),
        (StopCondition.ALL, [3, 4, 1], False, 1),
        (StopCondition.FAIL_FAST, [0], False, 0),
        (StopCondition.FAIL_FAST, [0, 3], True, 3),
        (StopCondition.ANY, [1, 5], False, 1),
        (StopCondition.ANY, [1, 0], True, 0),
    ],
)
def test_until(until: StopCondition, codes: list[int], enough: bool, code: int) -> None:
    """A stop condition decides if exit codes end the waits, and the exit code of the command."""
    assert (until.stop_reason(codes) is not None) == enough
    assert until.exit_code(codes) == code


class TestSeveral:
    """Waits for several."""

    def add(self, cluster: FakeCluster) -> list[str]:
        """Add an action that completes, one that fails, and one that completes last."""
        return [
            cluster.add_action("retry_bdb", Plan(duration=10)),
            cluster.add_action("retry_bdb", Plan(duration=20, outcome="failed")),
            cluster.add_action("retry_bdb", Plan(duration=30)),
        ]

    @pytest.mark.parametrize(
        ("options", "code", "ends", "left", "after"),
        [
            ([], 1, 3, 0, 30),
            (["--all"], 1, 3, 0, 30),
            (["--fail-fast"], 1, 2, 1, 20),
            (["--any"], 0, 1, 2, 10),
        ],
    )
    async def test_ends(
        self,
        cluster_in_environment: FakeCluster,
        lines: Callable[[], list[str]],
        options: list[str],
        code: int,
        ends: int,
        left: int,
        after: float,
    ) -> None:
        """The other waits are abandoned when the condition is met; their work goes on."""
        uids = self.add(cluster_in_environment)
        began = now()
        forgotten: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: forgotten.append(context)
        )

        assert await run("wait", *uids, "--json", *options) == code
        gc.collect()
        assert forgotten == []
        assert now() - began == pytest.approx(after, abs=3)
        events = [json.loads(line) for line in lines()]
        kinds = [event["event"] for event in events]
        assert (kinds.count("end"), kinds.count("left")) == (ends, left)
        assert (events[-1]["left"], events[-1]["why"] is None) == (left, left == 0)
        assert all("goes on" in each["message"] for each in events if each["event"] == "left")

    async def test_any_fails(self, cluster_in_environment: FakeCluster) -> None:
        """With `--any` failures do not stop the waits; if all fail, the worst decides."""
        uids = [
            cluster_in_environment.add_action("retry_bdb", Plan(duration=1, outcome="failed")),
            cluster_in_environment.add_action("retry_bdb", Plan(outcome="never")),
        ]

        assert await run("wait", *uids, "--any", "--timeout", "60") == 1

    async def test_same_moment(
        self, cluster_in_environment: FakeCluster, lines: Callable[[], list[str]]
    ) -> None:
        """If all waits end together, none is abandoned and no reason is given."""
        uid = cluster_in_environment.add_action("retry_bdb", Plan(duration=0))

        assert await run("wait", uid, "--json", "--any") == 0
        assert json.loads(lines()[-1])["why"] is None

    async def test_allow_empty(
        self,
        cluster_in_environment: FakeCluster,
        lines: Callable[[], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """With `--allow-empty` an empty input is a success."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"# none\n")))

        assert await run("wait", "-", "--allow-empty") == 0
        (line,) = lines()
        assert line == "nothing to wait for (exit code 0)"

    async def test_listing_fails(
        self, cluster_in_environment: FakeCluster, lines: Callable[[], list[str]]
    ) -> None:
        """Listing what the filters match is retried, and that time counts as elapsed."""
        cluster_in_environment.inject(times=None, status=503)
        began = now()

        assert await run("wait", "--status", "running", "--json") == 5
        end, done = map(json.loads, lines())
        assert (end["ref"], end["outcome"], done["exit_code"]) == (None, "unreachable", 5)
        assert end["elapsed"] == pytest.approx(now() - began, abs=0.1)
        assert 1 < end["elapsed"] < 15

    @pytest.mark.parametrize(("args", "code"), [((143,), 143), ((), 130), (("x",), 130)])
    async def test_cancelled(
        self,
        cluster_in_environment: FakeCluster,
        lines: Callable[[], list[str]],
        args: tuple[object, ...],
        code: int,
    ) -> None:
        """The message of a cancellation is the exit code; abandoned waits are reported."""
        uids = self.add(cluster_in_environment)
        task = run("wait", *uids, "--json")
        await asyncio.sleep(15)
        task.cancel(*args)

        with pytest.raises(asyncio.CancelledError):
            await task
        *_, done = [json.loads(line) for line in lines()]
        assert (done["exit_code"], done["left"], done["why"]) == (code, 2, "interrupted")
        assert done["ended"] == {"completed": 1}

    async def test_interval(self, cluster_in_environment: FakeCluster) -> None:
        """`--interval` sets the time between two requests, whatever the progress is."""
        uid = cluster_in_environment.add_action("retry_bdb", Plan(duration=100, progress="linear"))

        assert await run("wait", uid, "--interval", "20") == 0
        assert len(cluster_in_environment.requests) == pytest.approx(6, abs=1)


async def test_outage_and_keep_alive(
    cluster_in_environment: FakeCluster, lines: Callable[[], list[str]]
) -> None:
    """An outage is reported when it begins and ends, and keep-alive events mention it."""
    uid = cluster_in_environment.add_action("retry_bdb", Plan(duration=400))
    cluster_in_environment.inject(status=503, times=None)
    task = run("wait", uid, "--json", "--keep-alive", "30", "--outage-timeout", "10m")
    await asyncio.sleep(200)
    cluster_in_environment.heal()

    assert await task == 0
    events = [json.loads(line) for line in lines()]
    began, over = [event for event in events if event["event"] == "outage"]
    assert (began["over"], over["over"]) == (False, True)
    assert began["reason"] == "it answered 503"
    assert over["seconds"] == pytest.approx(200, abs=15)
    alive = [
        each
        for each in events
        if each["event"] == "alive" and began["elapsed"] < each["elapsed"] < 200
    ]
    assert len(alive) >= 5
    assert all(each["outage"] == pytest.approx(each["elapsed"], abs=1) for each in alive)
    times = [event["elapsed"] for event in events]
    assert max(b - a for a, b in zip([0, *times], times, strict=False)) <= 30


async def test_own_outage(
    cluster_in_environment: FakeCluster, lines: Callable[[], list[str]]
) -> None:
    """An outage of one action is reported with its reference, when it begins and ends."""
    good = cluster_in_environment.add_action(plan=Plan(duration=400))
    bad = cluster_in_environment.add_action("export", Plan(duration=300))
    task = run("wait", good, bad, "--json")
    await asyncio.sleep(5)
    cluster_in_environment.inject(path="/v2", status=500, times=None)
    await asyncio.sleep(100)
    cluster_in_environment.heal()

    assert await task == 0
    began, over = [event for event in map(json.loads, lines()) if event["event"] == "outage"]
    assert (began["over"], began["reason"]) == (False, "it answered 500")
    assert (began["ref"], over["ref"]) == (f"action:{bad}", f"action:{bad}")
    assert over["over"]
    assert over["seconds"] == pytest.approx(100, abs=30)


@pytest.mark.parametrize(("place", "mode"), [("show", "plain"), ("draw", "rich")])
async def test_display_fails(
    cluster_in_environment: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[], list[str]],
    tmp_path: Path,
    place: str,
    mode: str,
) -> None:
    """An error of the display ends the waits; they are reported, and the report is written."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    uid = cluster_in_environment.add_action("retry_bdb", Plan(duration=50))
    report = tmp_path / "r.json"

    event_text = _plain.event_text

    def fail(event: AnyEvent, progress: Progress) -> str | None:
        if isinstance(event, ChangeEvent) and event.elapsed > 20:
            raise ZeroDivisionError
        return event_text(event, progress)

    def fail_late(_: object, elapsed: float, __: object) -> None:
        if elapsed > 20:
            raise ZeroDivisionError

    if place == "show":
        for module in (_plain, _ci):
            monkeypatch.setattr(module, "event_text", fail)
    else:
        monkeypatch.setattr(_live.LiveDisplay, "draw", fail_late)
    with pytest.raises(ZeroDivisionError):
        await run("wait", uid, "--output", mode, "--report", str(report))

    text = "\n".join(lines())
    why = "unexpected error: 1 no longer waited for (exit code 70). Resume: redis-actions"
    assert (why in text) is (mode != "rich")  # which cannot be drawn any more
    assert uid in report.read_text("utf-8")
