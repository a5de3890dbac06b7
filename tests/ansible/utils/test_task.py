"""Tests of tasks with a state file, which are interrupted in this process."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from ansible_collections.redis_enterprise.actions.plugins.module_utils import looks
from ansible_collections.redis_enterprise.actions.plugins.module_utils import task as task_module
from ansible_collections.redis_enterprise.actions.plugins.module_utils.calls import Call, named_call
from ansible_collections.redis_enterprise.actions.plugins.module_utils.runs import (
    Settings,
    TaskFailure,
    follow,
)
from ansible_collections.redis_enterprise.actions.plugins.module_utils.state_file import (
    State,
    StateFile,
    StateFileError,
)
from ansible_collections.redis_enterprise.actions.plugins.module_utils.task import ResumableTask

from redis_enterprise_actions.sync import ActionsClient, ClusterUnreachable, RequestRejected
from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from pathlib import Path

    from tests.threaded_cluster import ThreadedCluster

UPGRADE = named_call("databases.upgrade", {"uid": 1})
CREATE = named_call("databases.create", {"config": {"name": "cache", "memory_size": 1000}})


class Killed(BaseException):
    """Kill of a task."""


class Tasks:
    """Runner of one task, again and again, as separate processes would."""

    def __init__(self, path: Path, server: ThreadedCluster) -> None:
        self.path = path
        self.server = server
        self.urls: tuple[str, ...] = ("https://a:9443",)

    def run(self, call: Call, *, waits: bool = True, **options: object) -> dict[str, Any]:
        """Run the task, and return its result or its failure."""
        self.plan(times=None, duration=0.1)
        submits: dict[str, Any] = {"outage_timeout": "5s", "untracked": "refused"}
        submits |= {name: options.pop(name) for name in list(options) if name in submits}
        settings = Settings(waits, {"outage_timeout": "5s", **options}, submits)
        cluster = self.server.cluster
        file = StateFile(str(self.path))
        try:
            with ActionsClient(
                cluster.urls, username=cluster.username, password=cluster.password
            ) as client:
                return ResumableTask(client, call, settings, file, self.urls).run()
        except TaskFailure as failure:
            json.dumps(failure.result)
            return failure.result
        finally:
            file.close()

    def kill(self, call: Call, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
        """Run the task until just before or just after its call."""
        submit = task_module.submit

        def killed(*arguments: Any) -> None:  # noqa: ANN401
            if after:
                submit(*arguments)
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(task_module, "submit", killed)
            self.run(call)
        assert self.state["phase"] == "intended"

    def kill_and_read_run(self, call: Call, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> str:
        """Kill the task, and return the id of the run of its action before the call."""
        self.kill(call, monkeypatch, after=after)
        return str(self.state["before"]["task_id"])

    def calls(self) -> int:
        """Return the number of calls that start work."""
        return self.server.do(
            lambda cluster: sum(each.method != "GET" for each in cluster.requests)
        )

    def plan(self, times: int | None = 1, **plan: Any) -> None:  # noqa: ANN401
        """Plan the work of the next calls, after what is planned already."""
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            self.server.do(
                lambda cluster, method=method: cluster.plan(
                    method, "/v1", Plan(**plan), times=times
                )
            )

    def outage(self) -> None:
        """Let the cluster answer 503 from now on."""
        self.server.do(lambda cluster: cluster.inject(path="/v1", status=503, times=None))

    @property
    def state(self) -> dict[str, Any]:
        """The content of the state file."""
        found: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        return found


@pytest.fixture
def tasks(tmp_path: Path, server: ThreadedCluster, monkeypatch: pytest.MonkeyPatch) -> Tasks:
    """Return a runner of a task for a cluster with a database and an Active-Active one."""
    monkeypatch.setattr(task_module, "_SETTLED", 0.2)
    server.do(lambda cluster: (cluster.add_bdb(1, name="db1"), cluster.add_crdb("g")))
    return Tasks(tmp_path / "state.json", server)


def ended(result: dict[str, Any]) -> tuple[object, ...]:
    """Return what matters of a result."""
    return result["outcome"], result["call_started"], result["changed"]


def test_again(tasks: Tasks) -> None:
    """A task that is run again after its end reports the same end, without a request."""
    first = tasks.run(CREATE, until="available")
    seen = len(tasks.server.cluster.requests)

    second = tasks.run(CREATE, until="available")

    assert ended(first) == ("completed", "yes", True)
    assert ended(second) == ("completed", "yes", False)
    assert first | {"changed": False} == second
    assert len(tasks.server.cluster.requests) == seen


def test_without_wait(tasks: Tasks) -> None:
    """A task that does not wait reports its change; the next run waits, and reports none."""
    first = tasks.run(UPGRADE, waits=False)
    second = tasks.run(UPGRADE, waits=False)
    third = tasks.run(UPGRADE)

    assert [ended(each) for each in (first, second, third)] == [
        *((None, "yes", True), (None, "yes", False), ("completed", "yes", False)),
    ]
    assert first["ref"] == second["ref"] == third["ref"]
    assert tasks.calls() == 1


def test_failed(tasks: Tasks) -> None:
    """Work that failed fails the next run, too, without a call, until the file is deleted."""
    tasks.plan(duration=0.1, outcome="failed", error="no memory")
    first = tasks.run(UPGRADE)
    second = tasks.run(UPGRADE)

    assert ended(first) == ("failed", "yes", True)
    assert "no memory" in first["msg"]
    assert f"delete {tasks.path}" in first["msg"]
    assert second == first | {"changed": False}
    assert tasks.calls() == 1
    tasks.path.unlink()
    tasks.run(UPGRADE)
    assert tasks.calls() == 2


def test_timeout(tasks: Tasks) -> None:
    """After a time limit, the next run goes on waiting, and reports the change."""
    tasks.plan(duration=2.0)
    first = tasks.run(UPGRADE, timeout="100ms")
    second = tasks.run(UPGRADE, timeout="1m")

    assert ended(first) == ("timed out", "yes", True)
    assert ended(second) == ("completed", "yes", True)
    assert tasks.calls() == 1


def test_condition(tasks: Tasks) -> None:
    """After a time limit of a condition, the next run waits for the condition alone."""
    tasks.server.do(lambda cluster: setattr(cluster, "availability_delay", 4.0))
    first = tasks.run(CREATE, until="available", timeout="2s")

    assert ended(first) == ("timed out", "yes", True)
    assert tasks.state["ref"] == first["ref"] == "bdb:2@available"
    tasks.server.do(lambda cluster: cluster.actions.clear())
    second = tasks.run(CREATE, until="available", timeout="1m")
    assert ended(second) == ("completed", "yes", True)
    assert tasks.calls() == 1


def test_rejected(tasks: Tasks) -> None:
    """A call that is refused leaves no file; the next run makes it again."""
    call = named_call("databases.upgrade", {"uid": 77})
    for _ in range(2):
        result = tasks.run(call)
        assert ended(result) == ("rejected", "no", False)
        assert (result["status"], result["error_code"]) == (404, "db_not_exist")
        assert not tasks.path.exists()
    assert tasks.calls() == 2


def test_lost_answer(tasks: Tasks) -> None:
    """After a lost answer, the next run finds the work."""
    tasks.server.do(lambda cluster: cluster.inject(path="/v1/bdbs", method="POST", lose=True))
    first = tasks.run(CREATE)
    tasks.server.do(FakeCluster.heal)
    second = tasks.run(CREATE)

    assert ended(first) == ("unreachable", "unknown", True)
    assert first["msg"].endswith("The next run of this task looks for the work")
    assert ended(second) == ("completed", "unknown", True)
    assert tasks.calls() == 1


def test_unreachable(tasks: Tasks) -> None:
    """Before the call, a cluster out of reach ends the task without a file."""
    tasks.outage()

    result = tasks.run(UPGRADE, outage_timeout="0")

    assert ended(result) == ("unreachable", "no", False)
    assert not tasks.path.exists()


def test_unreachable_look(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cluster is out of reach when a task looks, it is still not known."""
    tasks.kill(UPGRADE, monkeypatch, after=False)
    tasks.outage()

    result = tasks.run(UPGRADE, outage_timeout="0")

    assert ended(result) == ("unreachable", "unknown", False)
    assert tasks.state["phase"] == "intended"


def test_nothing_to_change(tasks: Tasks) -> None:
    """A call that changes nothing is no change."""
    result = tasks.run(named_call("databases.update", {"uid": 1, "changes": {}}))

    assert ended(result) == ("completed", "yes", False)


def test_not_followed(tasks: Tasks) -> None:
    """A call that names no work is not repeated; `untracked` makes it a success."""
    call = Call(method="POST", path="/v1/services", json={"cm_server": "restart"})
    tasks.server.do(lambda cluster: cluster.inject(path="/v1/services", status=200, body=b"{}"))
    first = tasks.run(call)
    second = tasks.run(call)
    third = tasks.run(call, untracked="completed")

    assert ended(first) == ("not followed", "yes", True)
    assert ended(second) == ("not followed", "yes", False)
    assert ended(third) == ("completed", "yes", False)
    assert tasks.calls() == 1


def test_untracked(tasks: Tasks) -> None:
    """With `untracked`, such a call is complete when it is answered."""
    call = Call(method="POST", path="/v1/services")
    tasks.server.do(lambda cluster: cluster.inject(path="/v1/services", status=200, body=b"{}"))

    assert ended(tasks.run(call, untracked="completed")) == ("completed", "yes", True)
    assert ended(tasks.run(call, untracked="completed")) == ("completed", "yes", False)


def test_other_call(tasks: Tasks) -> None:
    """The file of another call, or of another end of the wait, is an error; nothing is sent."""
    tasks.run(UPGRADE)
    for call, options in ((CREATE, {}), (UPGRADE, {"until": "available"})):
        result = tasks.run(call, **options)
        assert ended(result) == ("wrong usage", "yes", False)
        assert "is of databases.upgrade of 1, with other arguments than" in result["msg"]
    assert tasks.calls() == 1


def test_other_cluster(tasks: Tasks) -> None:
    """The file of another cluster is an error; one more node is no other cluster."""
    tasks.run(UPGRADE)

    tasks.urls = ("https://b:9443", "https://a:9443")
    assert ended(tasks.run(UPGRADE)) == ("completed", "yes", False)
    tasks.urls = ("https://b:9443",)
    result = tasks.run(UPGRADE)
    assert ended(result) == ("wrong usage", "yes", False)
    assert "is of the cluster at https://a:9443, and this is another one" in result["msg"]


class Kind(NamedTuple):
    """A call, and the ends of the runs after a kill before it and after it.

    `started` says whether the call is known to be executed by then; `again` is True if it is made
    again, which does no harm.
    """

    call: Call
    before: str
    after: str
    started: str = "unknown"
    again: bool = False


KINDS = {
    "create": Kind(CREATE, "completed", "completed"),
    "update": Kind(
        named_call("databases.update", {"uid": 1, "changes": {"memory_size": 5}}),
        *("completed", "completed", "yes", True),
    ),
    "rebalance": Kind(
        named_call("databases.rebalance", {"uid": 1}), "completed", "completed", "yes", again=True
    ),
    "upgrade": Kind(UPGRADE, "completed", "completed"),
    "upgrade by name": Kind(
        named_call("databases.upgrade", {"uid": "name:db1"}), "completed", "completed"
    ),
    "flush": Kind(Call(method="PUT", path="/v1/bdbs/1/flush"), "not known", "not known"),
    "delete": Kind(named_call("databases.delete", {"uid": 1}), "completed", "completed"),
    "maintenance": Kind(named_call("nodes.maintenance_on", {"uid": 1}), "completed", "completed"),
    "primary": Kind(named_call("cluster.change_primary", {"uid": 2}), "completed", "completed"),
    "crdb": Kind(
        named_call("crdbs.update", {"guid": "g", "changes": {"memory_size": 5}}),
        *("completed", "completed", "yes"),
    ),
    "failover": Kind(named_call("shards.fail_over", {"shard_uids": [1]}), "not known", "not known"),
    "export": Kind(
        named_call("databases.export", {"uid": 1, "location": {"type": "mount_point"}}),
        *("not known", "not known"),
    ),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_killed_before(tasks: Tasks, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """A task that was killed before its call makes it, or says that it is not known."""
    tasks.kill(kind.call, monkeypatch, after=False)
    assert tasks.calls() == 0

    result = tasks.run(kind.call)

    assert result["outcome"] == kind.before, result
    assert result["changed"] is (kind.before == "completed")
    assert bool(tasks.calls()) is (kind.before == "completed")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_killed_after(tasks: Tasks, monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    """A task that was killed after its call does not make it again, unless that is harmless.

    Work that is found may be that of another: the result does not say that the call was made.
    """
    tasks.plan(duration=1.0)
    tasks.kill(kind.call, monkeypatch, after=True)
    calls = tasks.calls()

    result = tasks.run(kind.call)

    assert result["outcome"] == kind.after, result
    assert tasks.calls() == calls + kind.again
    assert result["changed"] is (kind.after == "completed")
    assert result["call_started"] == kind.started
    is_found = (kind.after, kind.started) == ("completed", "unknown")
    assert result.get("found", False) is is_found
    assert ("found on the cluster" in result.get("msg", "")) is is_found
    again = tasks.run(kind.call)
    assert (again["outcome"], again["changed"]) == (kind.after, False)


def test_busy_after_interruption(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that is busy may be so with the work of the interrupted run: it is looked for."""
    tasks.kill(UPGRADE, monkeypatch, after=False)
    busy = b'{"error_code": "db_busy"}'
    tasks.server.do(
        lambda cluster: cluster.inject(path="/v1/bdbs", method="POST", status=409, body=busy)
    )

    result = tasks.run(UPGRADE)

    assert ended(result) == ("rejected", "no", False)
    assert tasks.state["phase"] == "intended"
    assert ended(tasks.run(UPGRADE)) == ("completed", "yes", True)


def test_old_task(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster forgets Active-Active tasks; after that, a call is not known."""
    call = KINDS["crdb"].call
    for age in (500.0, -500.0):
        tasks.kill(call, monkeypatch, after=False)
        state = {**tasks.state, "time": tasks.state["time"] - age}
        tasks.path.write_text(json.dumps(state), "utf-8")
        assert tasks.run(call)["outcome"] == "not known"
        tasks.path.unlink()


@pytest.mark.parametrize(("phase", "outcome"), [("started", "wrong usage"), ("ended", "completed")])
def test_full_disk(tasks: Tasks, monkeypatch: pytest.MonkeyPatch, phase: str, outcome: str) -> None:
    """If the state cannot be written after the call, the failure has the reference."""
    write = StateFile.write

    def full(file: StateFile, state: State) -> None:
        if state.phase == phase:
            raise StateFileError("the disk is full")
        write(file, state)

    with monkeypatch.context() as patch:
        patch.setattr(StateFile, "write", full)
        result = tasks.run(UPGRADE)

    assert ended(result) == (outcome, "yes", True)
    assert result["msg"] == f"the disk is full. The call was made: {result['ref']}"
    assert tasks.run(UPGRADE)["ref"] == result["ref"]
    assert tasks.calls() == 1


@pytest.mark.parametrize("times", ["before", "later"])
def test_hidden(tasks: Tasks, monkeypatch: pytest.MonkeyPatch, times: str) -> None:
    """If the user may not see the actions, before the call or later, it is not known."""
    hide = partial(FakeCluster.inject, path="/v1/actions/bdb", status=403, times=None)
    if times == "before":
        tasks.server.do(hide)
    tasks.kill(UPGRADE, monkeypatch, after=False)
    tasks.server.do(FakeCluster.heal)
    if times == "later":
        tasks.server.do(hide)

    assert tasks.run(UPGRADE)["outcome"] == "not known"
    assert tasks.calls() == 0


def test_two_found(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two actions that have begun since, none is known to be that of the call."""
    tasks.kill(UPGRADE, monkeypatch, after=True)
    tasks.server.add("SMUpgradeBDB", bdb_uid=1)

    assert tasks.run(UPGRADE)["outcome"] == "not known"


def test_two_databases(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one of two new databases of the same name."""
    tasks.kill(CREATE, monkeypatch, after=True)
    tasks.server.do(lambda cluster: cluster.add_bdb(name="cache"))

    assert tasks.run(CREATE)["outcome"] == "not known"


def test_older_database(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of the name that was there before is not that of the call."""
    older = tasks.server.do(lambda cluster: cluster.add_bdb(name="cache"))
    tasks.kill(CREATE, monkeypatch, after=False)

    result = tasks.run(CREATE)

    assert result["action"]["object_uid"] != str(older)
    assert tasks.calls() == 1


def test_forgotten_creation(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cluster has forgotten the action, the new database itself is followed."""
    tasks.kill(CREATE, monkeypatch, after=True)
    tasks.server.do(lambda cluster: cluster.actions.clear())

    result = tasks.run(CREATE)

    assert (result["ref"], *ended(result)) == ("bdb:2", "completed", "unknown", True)


def test_other_work(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that the call does not start is not taken for its own."""
    tasks.kill(UPGRADE, monkeypatch, after=False)
    other = tasks.server.add("SMUpdateBDB", Plan(duration=0.1), bdb_uid=1)

    result = tasks.run(UPGRADE)

    assert ended(result) == ("completed", "yes", True)
    assert other not in result["ref"]
    assert tasks.calls() == 1


def test_forgotten(tasks: Tasks) -> None:
    """If the cluster has forgotten the work, the task says what to look at."""
    tasks.run(UPGRADE, waits=False)
    tasks.server.do(lambda cluster: cluster.actions.clear())

    result = tasks.run(UPGRADE)

    assert ended(result) == ("not found", "yes", False)
    assert "Look at the cluster for what the call has done (to make" in result["msg"]


def test_killed_after_the_answer(tasks: Tasks) -> None:
    """A call that was answered with its end is over, also if the task was killed then."""
    call = Call(method="POST", path="/v1/services")
    tasks.server.do(lambda cluster: cluster.inject(path="/v1/services", status=200, body=b"{}"))
    tasks.run(call, untracked="completed")
    state = {**tasks.state, "phase": "started", "result": None, "is_reported": False}
    tasks.path.write_text(json.dumps(state), "utf-8")

    assert ended(tasks.run(call)) == ("completed", "yes", True)
    assert ended(tasks.run(call)) == ("completed", "yes", False)


def test_unknown_name(tasks: Tasks) -> None:
    """Without a database of the name, no file is written, and nothing is sent."""
    for uid, outcome in (("name:none", "not found"), ("none", "wrong usage")):
        result = tasks.run(named_call("databases.upgrade", {"uid": uid}))
        assert ended(result) == (outcome, "no", False)
        assert not tasks.path.exists()


def test_other_reference(tasks: Tasks) -> None:
    """`ref` waits for work without a change, or only names it."""
    ref = f"action:{tasks.server.add(plan=Plan(duration=0.1), bdb_uid=1)}"
    cluster = tasks.server.cluster
    with ActionsClient(cluster.url, username=cluster.username, password=cluster.password) as client:
        waited = follow(client, ref, Settings(waits=True, wait_limits={}, submit_limits={}))
        named = follow(client, ref, Settings(waits=False, wait_limits={}, submit_limits={}))
        with pytest.raises(TaskFailure, match="not found"):
            follow(client, "action:none", Settings(waits=True, wait_limits={}, submit_limits={}))

    assert ended(waited) == ("completed", "no", False)
    assert ended(named) == (None, "no", False)


def test_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is repeated during an outage, but not after a refusal."""
    pauses: list[float] = []
    monkeypatch.setattr(looks.time, "sleep", pauses.append)
    errors = [ClusterUnreachable("GET", "/", reason="no") for _ in range(3)]

    def look() -> str:
        if errors:
            raise errors.pop()
        return "seen"

    assert looks.patiently(look, "1m") == "seen"
    assert pauses == [3.0, 3.0, 3.0]
    errors.append(ClusterUnreachable("GET", "/", reason="no"))
    with pytest.raises(ClusterUnreachable):
        looks.patiently(look, "2s")
    errors.append(RequestRejected("GET", "/", status=403))
    with pytest.raises(RequestRejected):
        looks.patiently(look, "1m")


def test_older_task(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task of an earlier call with the same id tells nothing of this one."""
    tasks.server.do(lambda cluster: cluster.start_crdb_task(guid="g", id="t"))
    call = named_call("crdbs.update", {"guid": "g", "changes": {"memory_size": 5}, "task_id": "t"})
    tasks.kill(call, monkeypatch, after=False)

    assert tasks.run(call)["outcome"] == "not known"


def test_second_version(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a database to create is found in the body of /v2, too."""
    config = {"name": "cache", "memory_size": 1000}
    call = Call(method="POST", path="/v2/bdbs", json={"bdb": config})
    tasks.kill(call, monkeypatch, after=True)

    assert ended(tasks.run(call)) == ("completed", "unknown", True)
    assert tasks.calls() == 1


@pytest.mark.parametrize("after", [False, True])
def test_older_action(tasks: Tasks, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """An upgrade that was there before the call is never taken for that of the call."""
    older = tasks.server.add("SMUpgradeBDB", Plan(duration=0.0), bdb_uid=1)
    tasks.kill(UPGRADE, monkeypatch, after=after)

    result = tasks.run(UPGRADE)

    assert ended(result) == ("completed", "unknown" if after else "yes", True)
    assert older not in result["ref"]
    assert tasks.calls() == 1


@pytest.mark.parametrize("after", [False, True])
def test_older_run(tasks: Tasks, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """The last run of a node's action is not taken for that of the call, either."""
    node = FakeCluster.start_node_action
    tasks.server.do(lambda cluster: node(cluster, 1, "maintenance_on", Plan(duration=0.0)))
    call = KINDS["maintenance"].call
    older = tasks.kill_and_read_run(call, monkeypatch, after=after)

    result = tasks.run(call)

    assert ended(result) == ("completed", "unknown" if after else "yes", True)
    assert older
    assert older not in result["ref"]
    assert tasks.calls() == 1


def test_failed_deletion(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that was interrupted, and then failed, fails the next run."""
    tasks.plan(duration=0.3, outcome="failed", error="no")
    call = KINDS["delete"].call
    tasks.kill(call, monkeypatch, after=True)

    result = tasks.run(call)

    assert ended(result) == ("failed", "unknown", True)
    assert result["found"]
    assert ended(tasks.run(call)) == ("failed", "unknown", False)
    assert result["ref"].endswith("@bdb:1")


@pytest.mark.parametrize("call", [KINDS["maintenance"].call, CREATE], ids=["maintenance", "create"])
def test_killed_twice(tasks: Tasks, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    """The second run writes its intention, too, so that the third one gives its call time.

    The second call is on its way when the third run begins: it shows while that run waits.
    """
    tasks.kill(call, monkeypatch, after=False)
    state = {**tasks.state, "time": tasks.state["time"] - 60.0}
    tasks.path.write_text(json.dumps(state), "utf-8")
    tasks.kill(call, monkeypatch, after=False)
    assert tasks.state["time"] > state["time"] + 50.0
    monkeypatch.setattr(task_module, "_SETTLED", 40.0)

    def late(pause: float) -> None:
        assert 0.0 < pause <= 40.0
        cluster = tasks.server.cluster
        with ActionsClient(
            cluster.urls, username=cluster.username, password=cluster.password
        ) as client:
            call.submit(client)

    monkeypatch.setattr(task_module.time, "sleep", late)

    result = tasks.run(call)

    assert ended(result) == ("completed", "unknown", True)
    assert tasks.calls() == 1


def test_kept_before(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new intention has what the cluster shows by then, so older work is not followed."""
    update = KINDS["update"].call
    tasks.kill(update, monkeypatch, after=False)
    other = tasks.server.add("SMUpdateBDB", Plan(duration=0.0), bdb_uid=1)

    tasks.kill(update, monkeypatch, after=False)

    assert other in tasks.state["before"]["actions"]


@pytest.mark.parametrize("name", ["update", "rebalance"])
@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_work_of_others(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch, name: str, outcome: str
) -> None:
    """Work of another is waited for, but never taken for that of a call that may be repeated."""
    call = KINDS[name].call
    tasks.kill(call, monkeypatch, after=False)
    plan = Plan(duration=0.5, outcome=outcome)
    other = tasks.server.add("SMUpdateBDB", plan, bdb_uid=1)

    result = tasks.run(call)

    assert ended(result) == ("completed", "yes", True)
    assert other not in result["ref"]
    assert tasks.calls() == 1
    paths = tasks.server.do(lambda cluster: [each.path for each in cluster.requests])
    sent = tasks.server.do(lambda cluster: [each.method for each in cluster.requests].index("PUT"))
    assert f"/v1/actions/{other}" in paths[:sent]
    assert f"/v1/actions/{other}" not in paths[sent:]


def test_long_work_of_others(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit ends that wait, too; nothing is sent, and the intention stays."""
    call = KINDS["update"].call
    tasks.kill(call, monkeypatch, after=False)
    before = tasks.state
    tasks.server.add("SMUpdateBDB", Plan(duration=600.0), bdb_uid=1)

    result = tasks.run(call, timeout="300ms")

    assert ended(result) == ("timed out", "unknown", False)
    assert tasks.calls() == 0
    assert tasks.state == before


@pytest.mark.parametrize("name", ["export", "flush"])
def test_not_told_apart(tasks: Tasks, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Where the work of another looks the same, and a second call does harm, it is not known."""
    tasks.kill(KINDS[name].call, monkeypatch, after=False)
    tasks.server.add("SMUpdateBDB", Plan(duration=0.5), bdb_uid=1)
    tasks.server.do(lambda cluster: cluster.start_transfer(1, "export", Plan(duration=0.5)))

    assert ended(tasks.run(KINDS[name].call)) == ("not known", "unknown", False)
    assert tasks.calls() == 0


def test_other_database(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new database of the name with other settings is not that of the call."""
    tasks.kill(CREATE, monkeypatch, after=False)
    tasks.server.do(lambda cluster: cluster.add_bdb(9, name="cache"))

    assert ended(tasks.run(CREATE)) == ("not known", "unknown", False)
    assert tasks.calls() == 0


def test_full_disk_again(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the second intention cannot be written, nothing is sent, and it is still not known."""
    tasks.kill(UPGRADE, monkeypatch, after=False)

    def full(*_: object) -> None:
        raise StateFileError("the disk is full")

    monkeypatch.setattr(StateFile, "write", full)
    with pytest.raises(StateFileError, match="the disk is full") as caught:
        tasks.run(UPGRADE)

    assert caught.value.started == "unknown"
    assert tasks.calls() == 0


def test_failure_after_the_report(tasks: Tasks) -> None:
    """A change that was reported is not reported by a wait that fails, either."""
    tasks.plan(duration=0.5, outcome="failed")
    first = tasks.run(UPGRADE, waits=False)
    second = tasks.run(UPGRADE, timeout="100ms")
    third = tasks.run(UPGRADE)

    assert [each["changed"] for each in (first, second, third)] == [True, False, False]
    assert third["outcome"] == "failed"


def test_new_password(tasks: Tasks) -> None:
    """Secrets may be renewed: a task is the same with another password, and no other setting."""

    def create(password: str, size: int = 1000) -> Call:
        config = {"name": "a", "memory_size": size, "authentication_redis_pass": password}
        call = named_call("databases.create", {"config": config})
        return call._replace(headers={"X-Note": password, "X-Task-ID": "t"})

    tasks.run(create("old"))

    assert ended(tasks.run(create("new"))) == ("completed", "yes", False)
    assert ended(tasks.run(create("new", 1001))) == ("wrong usage", "yes", False)


@pytest.mark.parametrize("ref", ["", "bdb:x"])
def test_damaged_reference(tasks: Tasks, ref: str) -> None:
    """A reference that is none is that of a damaged file."""
    tasks.run(UPGRADE, waits=False)
    tasks.path.write_text(json.dumps({**tasks.state, "ref": ref}), "utf-8")

    with pytest.raises(StateFileError, match="cannot be read") as caught:
        tasks.run(UPGRADE)

    assert caught.value.started == "unknown"


def test_look_of_another_call(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state before another call tells nothing."""
    tasks.kill(UPGRADE, monkeypatch, after=False)
    state = {**tasks.state, "before": {"databases": []}}
    tasks.path.write_text(json.dumps(state), "utf-8")

    assert tasks.run(UPGRADE)["outcome"] == "not known"
