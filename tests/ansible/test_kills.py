"""Tests of playbooks that are killed at any of five places of a call, and run again.

The places: before the intention is written, before the call reaches the cluster, after it, after
its reference is written, and during the wait.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from redis_enterprise_actions.testing import FakeCluster
    from tests.ansible.playbooks import Playbooks
    from tests.threaded_cluster import ThreadedCluster


class Case(NamedTuple):
    """A call of the playbook on the page.

    `look` is the request before the call, and `wait` those of the wait. `machine` is the state
    machine that the call starts, and `number` that of the task.
    """

    task: str
    file: str
    path: str
    look: str
    wait: str
    machine: str = ""
    number: int = 0


CASES = {
    "cluster": Case(
        task="Create the cluster",
        file="create-cluster.json",
        path="/v1/bootstrap/create_cluster",
        look="/v1/bootstrap",
        wait="/v1/bootstrap",
    ),
    "create": Case(
        task="Create the database",
        file="create-cache.json",
        path="/v1/bdbs",
        look="/v1/bdbs",
        wait="/v1/actions",
        machine="SMCreateBDB",
        number=3,
    ),
    "upgrade": Case(
        task="Upgrade the database",
        file="upgrade-cache.json",
        path="/v1/bdbs/7/upgrade",
        look="/v1/bdbs",
        wait="/v1/actions",
        machine="SMUpgradeBDB",
        number=4,
    ),
}


class Killed:
    """A playbook of one call of the page, and the cluster that it is for."""

    def __init__(self, case: Case, playbooks: Playbooks) -> None:
        self.case = case
        self.playbooks = playbooks
        self.server: ThreadedCluster = playbooks.server
        site = playbooks.site()
        self.site: Path = site
        (play,) = yaml.safe_load(site.read_text("utf-8"))
        play["tasks"] = [play["tasks"][case.number]]
        site.write_text(json.dumps([play]), "utf-8")
        if case.machine == "SMUpgradeBDB":
            self.server.do(lambda cluster: cluster.add_bdb(7, name="cache"))

    def arrived(self, method: str, path: str) -> int:
        """Return the number of requests of a method whose path begins so."""
        return self.server.do(
            lambda cluster: sum(
                each.method == method and each.path.startswith(path) for each in cluster.requests
            )
        )

    def executed(self) -> int:
        """Return how often the cluster has begun the work of the call."""
        if self.case.machine:
            return self.server.do(self._machines)
        return int(self.server.do(lambda cluster: cluster.bootstrap_state(1)) != "idle")

    def _machines(self, cluster: FakeCluster) -> int:
        return sum(each.name == self.case.machine for each in cluster.actions.values())

    def hold(self, method: str, path: str) -> None:
        """Let requests hang, so that the cluster does not execute them."""
        self.server.do(lambda cluster: cluster.inject(path=path, method=method, hang=True))

    def hold_answers(self) -> None:
        """Let the answer to the call hang, after the cluster has executed it."""
        middleware = self.server.cluster._middleware
        answer = middleware._answer

        async def held(node: int, request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await answer(node, request, handler)
            if self._holds and (request.method, request.path) == ("POST", self.case.path):
                await asyncio.get_running_loop().create_future()
            return response

        self._holds = True
        middleware._answer = held  # type: ignore[method-assign]

    def heal(self) -> None:
        """End all that `hold` and `hold_answers` began."""
        self._holds = False
        self.server.do(lambda cluster: cluster.heal())

    # --- the places ---

    def before_intention(self) -> None:
        """Kill it while the cluster does not answer the look before the call."""
        self.hold("GET", self.case.look)
        self.kill_when(lambda: self.arrived("GET", self.case.look) > 0)
        assert self.phase is None

    def before_post(self) -> None:
        """Kill it before the cluster has executed the call."""
        self.hold("POST", self.case.path)
        self.kill_when(lambda: self.arrived("POST", self.case.path) > 0)
        assert self.phase == "intended"
        assert self.executed() == 0

    def after_post(self) -> None:
        """Kill it while it waits for the answer to the call."""
        self.hold_answers()
        self.kill_when(lambda: self.executed() > 0)
        assert self.phase == "intended"

    def after_reference(self) -> None:
        """Kill it as soon as it has written the reference."""
        self.kill_when(lambda: self.phase == "started")
        assert self.executed() == 1

    def during_wait(self) -> None:
        """Kill it while it waits."""
        self.kill_when(lambda: self.phase == "started" and self.arrived("GET", self.case.wait) > 1)
        assert self.phase == "started"

    def kill_when(self, condition: Callable[[], bool]) -> None:
        """Kill the playbook once a condition is true, and let the cluster answer again."""
        self.playbooks.kill_when(self.site, condition)
        self.heal()

    @property
    def phase(self) -> str | None:
        """Phase in the state file."""
        return self.playbooks.phase(self.case.file)


PLACES = ["before_intention", "before_post", "after_post", "after_reference", "during_wait"]
# The other calls differ in the looks only: `utils/test_task.py` has all of them
OTHERS = [("cluster", "before_post"), ("cluster", "after_post"), ("upgrade", "after_post")]


@pytest.mark.parametrize(("name", "place"), [*(("create", each) for each in PLACES), *OTHERS])
def test_places(request: pytest.FixtureRequest, name: str, place: str) -> None:
    """A playbook that is killed and run again has made its call once, and says so once."""
    case = CASES[name]
    fixture = "playbooks" if case.machine else "first_playbooks"
    killed = Killed(case, request.getfixturevalue(fixture))
    getattr(killed, place)()

    second = killed.playbooks.run(killed.site)

    assert second.code == 0, second.output
    assert killed.executed() == 1
    made = {"before_post": 2, "before_intention": 1}.get(place, 1)  # the first one was held
    assert killed.arrived("POST", "/v1") == made
    result = second.task(killed.case.task)
    started = "unknown" if place == "after_post" else "yes"  # what is found may be another's
    assert (second.changed, result["outcome"], result["call_started"]) == (1, "completed", started)

    third = killed.playbooks.run(killed.site)

    assert third.code == 0, third.output
    assert third.changed == 0
    assert killed.arrived("POST", "/v1") == made


def test_one_after_another(first_playbooks: Playbooks) -> None:
    """The whole playbook, killed after each of two calls, has made each call once."""
    calls = [Killed(CASES[name], first_playbooks) for name in ("cluster", "create")]
    site = first_playbooks.site()
    for killed in calls:
        killed.site = site
        killed.after_post()

    last = first_playbooks.run(site)

    assert last.code == 0, last.output
    assert last.changed == 2, "the work of the last kill, and the upgrade"
    assert [killed.executed() for killed in calls] == [1, 1]
    assert calls[0].arrived("POST", "/v1/bootstrap/join_cluster") == 2


def test_not_known(playbooks: Playbooks) -> None:
    """A call that leaves no trace is not made again; the second run says that it is not known."""
    path = "/v1/shards/actions/failover"
    killed = Killed(Case("it", "state.json", path, path, path, "SMRedisFailover"), playbooks)
    killed.server.do(lambda cluster: cluster.add_bdb(1))
    killed.site = playbooks.operation(
        call="shards.fail_over",
        arguments={"shard_uids": [1]},
        state_file=str(playbooks.state / "state.json"),
    )
    killed.after_post()

    second = playbooks.run(killed.site)

    assert second.code == 2
    assert killed.executed() == killed.arrived("POST", "/v1") == 1
    result = second.task("it")
    assert (result["outcome"], result["call_started"], result["changed"]) == (
        *("not known", "unknown", False),
    )
    assert "it is not known whether shards.fail_over was started" in result["msg"]
    assert killed.phase == "intended"
