"""Tests of `testing.routes.kept_texts`: lists show at each moment what their entries are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, get_args

import pytest

from redis_enterprise_actions.testing import Outcome, Plan, Progress
from redis_enterprise_actions.testing.routes.kept_texts import KeptTexts


if TYPE_CHECKING:
    from tests.http_client import HttpClient

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


class Entry:
    """Source of an entry that time changes at 10 s."""

    revision = 0

    def steady_until(self, now: float) -> float:
        """Return the time of the next change."""
        return 10.0 if now < 10 else now


def test_kept_until_it_changes() -> None:
    """A text is made anew when time, a change, or another source of that key makes it stale."""
    texts, made = KeptTexts(), list[float]()
    first, second = Entry(), Entry()

    def text(source: Entry, now: float) -> None:
        texts.text("key", source, now, lambda: made.append(now) or {})

    for now in (0.0, 5.0, 9.9, 10.0, 10.0, 11.0):
        text(first, now)
    assert made == [0.0, 10.0, 10.0, 11.0]
    text(second, 1.0)
    text(second, 2.0)
    second.revision += 1
    text(second, 3.0)
    assert made[4:] == [1.0, 3.0]


async def entries(call: HttpClient) -> list[Any]:
    """Return the entries of all lists."""
    v1 = await call.ok("GET", "/v1/actions")
    actions = v1["actions"] + v1["state-machines"]
    return [*actions, *await call.ok("GET", "/v2/actions"), *await call.ok("GET", "/v1/bdbs")]


async def singles(call: HttpClient, shown: list[Any]) -> list[Any]:
    """Return the same entries, each read alone."""
    machines_and_tasks = [each for each in shown if "action_type" not in each and "uid" not in each]
    return [
        *[await call.ok("GET", f"/v1/actions/{e['action_uid']}") for e in machines_and_tasks],
        *[
            await call.ok("GET", f"/v2/actions/{e['action_uid']}")
            for e in shown
            if "action_type" in e
        ],
        *[await call.ok("GET", f"/v1/bdbs/{e['uid']}") for e in shown if "uid" in e],
    ]


@pytest.mark.parametrize("progress", get_args(Progress))
@pytest.mark.parametrize("lateness", [0.0, 2.5])
async def test_lists_and_singles(call: HttpClient, progress: Progress, lateness: float) -> None:
    """At each moment a list shows an entry as the single object is."""
    cluster, bdb = call.cluster, 0
    cluster.lateness = lateness
    for outcome in get_args(Outcome):
        for name in ("SMUpdateBDB", "SMCreateBDB", "SMDeleteBDB", "retry_bdb", "import", "backup"):
            if outcome in {"cancelled", "aborted"} and name != "retry_bdb":
                continue
            bdb += 1
            plan = Plan(duration=7, queued=bdb % 2, progress=progress, outcome=outcome)
            task = name == "retry_bdb"
            cluster.add_action(name, plan, bdb_uid=None if task else bdb, shards=(1,) * (bdb % 3))
    cluster.plan("PUT", "/v1/bdbs/1", Plan(duration=2))
    for turn in range(30):
        if turn == 17:
            await call.ok("PUT", "/v1/bdbs/1", {"name": "renamed"})
            cluster.start_transfer(2, "export", Plan(duration=1))
            cluster.forget(next(iter(cluster.actions)))
        if turn == 21:
            await call.ok("PUT", "/v1/bdbs/2/actions/export_reset_status")
        shown = await entries(call)
        assert shown == await singles(call, shown), turn
        await asyncio.sleep(0.5)
    databases = {each["uid"]: each for each in shown if "uid" in each}
    assert databases[1]["name"] == "renamed"
    assert databases[2]["export_status"] == ""
    assert "last_export_time" in databases[2]
