"""The public interface as type checkers see it; mypy and pyright read this, nothing runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from contextvars import Context
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_type

from tenacity import RetryCallState, wait_exponential, wait_fixed, wait_random

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionsClient,
    AimedWait,
    AnswerLost,
    CancelNotSupported,
    ClientClosed,
    ClusterCheck,
    ClusterUnreachable,
    Crdb,
    Database,
    Endpoint,
    Evidence,
    Finding,
    FindingKind,
    FinishedAction,
    Kind,
    Node,
    Observer,
    Operation,
    OperationResult,
    Outage,
    Outcome,
    PendingOp,
    Phase,
    Record,
    Recorder,
    RequestError,
    Secret,
    Transition,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions.otel import instrument
from redis_enterprise_actions.testing import FakeCluster, Plan, SeenRequest


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider


def show(action: Action) -> None:
    """Callback."""


async def show_async(action: Action) -> None:
    """Coroutine callback."""


def own_schedule(state: RetryCallState) -> float:
    """Wait strategy."""
    return state.attempt_number / 2


async def token() -> str:
    """Source of tokens."""
    return "token"


def clients(file: Path) -> None:
    """Create clients with all kinds of settings."""
    assert_type(ActionsClient("https://n1:9443"), ActionsClient)
    ActionsClient(["https://n1:9443", "https://n2:9443"], token=token, fingerprint="AB" * 32)
    ActionsClient("https://n1:9443", token=lambda: "token", trusted_hosts=("10.0.0.7",))
    ActionsClient("https://n1:9443", username="ops", password="p", auth="jwt", ca_cert=file)
    ActionsClient("https://n1:9443", client_cert=file, client_key=str(file), verify=False)
    assert_type(ActionsClient.from_env(), ActionsClient)
    assert_type(ActionsClient.from_profile("prod", request_timeout="1m"), ActionsClient)
    ActionsClient.from_env(url=None, token=token, auth=None, trusted_hosts=["10.0.0.7"])


def unreachable(error: ClusterUnreachable) -> None:
    """Read the attributes of an unreachable cluster."""
    assert_type(error.nodes, tuple[str, ...])
    assert_type(error.sent, bool)


async def client_api(client: ActionsClient) -> None:
    """Wait for actions."""
    assert_type(await client.list_actions(), list[Action])
    assert_type(await client.list_actions(bdb_uid=1, allow_partial=False), list[Action])
    assert_type(await client.get_action("x"), Action)
    assert_type(
        await client.wait_for_action(
            "x", timeout=1.5, poll=wait_fixed(1) + wait_random(0, 1), on_progress=show_async
        ),
        FinishedAction,
    )
    assert_type(client.watch_action("x"), AsyncGenerator[Action, None])
    assert_type(await client.wait_for_actions(["x"]), list[FinishedAction])
    watch = client.watch_action("x", timeout=timedelta(1), poll=own_schedule, on_progress=print)
    checked: AsyncIterator[Action] = watch
    async for action in checked:
        assert_type(action, Action)
    several = await client.wait_for_actions(["x"], poll=wait_exponential(), on_progress=show)
    assert_type(several, list[FinishedAction])
    await client.wait_for_action("x", poll=AimedWait(0.5, cap=30))
    several = await client.wait_for_actions([], allow_empty=True, timeout=5)
    assert_type(several, list[FinishedAction])
    settled = await client.wait_for_actions(["x"], settle=True, stall_timeout=5)
    assert_type(settled, list[FinishedAction | WaitError | RequestError])
    settled = await client.wait_for_actions((), settle=True, allow_empty=False)
    assert_type(settled, list[FinishedAction | WaitError | RequestError])
    task = asyncio.create_task(client.wait_for_action("x"))
    assert_type(await task, FinishedAction)


async def start(client: ActionsClient, config: Mapping[str, object]) -> None:
    """Start every kind of work."""
    assert_type(await client.submit("POST", "/v1/bdbs/1/upgrade"), Operation)
    coming = client.submit(
        "PUT",
        "/v1/bdbs/1",
        {"memory_size": 1},
        params={"dry_run": True, "n": 1},
        headers={"X-Task-ID": "t"},
        busy_timeout=timedelta(minutes=10),
        outage_timeout=None,
        request_timeout=900,
    )
    assert_type(await asyncio.create_task(coming), Operation)
    assert_type(await client.databases.create(config, busy_timeout=5), Operation[Database])
    assert_type(await client.databases.update(1, config, dry_run=True), Operation[Database])
    assert_type(await client.databases.delete(1), Operation[None])
    assert_type(await client.databases.name(1), str)
    assert_type(await client.nodes.address(1), str)
    assert_type(await client.crdbs.name("guid"), str)
    assert_type(await client.databases.upgrade(1, {"force_restart": True}), Operation[Database])
    assert_type(await client.databases.rebalance(1), Operation[Database])
    assert_type(
        await client.databases.export(1, {"type": "ftp", "url": "ftp://x"}), Operation[Database]
    )
    assert_type(
        await client.databases.import_(1, [{"type": "ftp"}], {"x": False}), Operation[Database]
    )
    assert_type(await client.shards.migrate([1, "2"], 3), Operation[Database | None])
    assert_type(await client.shards.fail_over(range(1, 3)), Operation[Database | None])
    assert_type(await client.nodes.maintenance_on(1, outage_timeout=60), Operation[Node])
    assert_type(await client.nodes.maintenance_off(1), Operation[Node])
    assert_type(await client.nodes.remove(3, {"wait_for_persistence": True}), Operation[None])
    assert_type(await client.cluster.create(config), Operation[None])
    assert_type(await client.cluster.join(config, node="n2"), Operation[None])
    assert_type(await client.cluster.recover(config, outage_timeout=60), Operation[None])
    assert_type(await client.cluster.upload_module("module.zip"), Operation[None])
    assert_type(await client.cluster.upload_module(b"PK", config, name="m.zip"), Operation[None])
    assert_type(await client.cluster.change_primary(2), Operation[Node])
    assert_type(await client.crdbs.create(config, task_id="t", result_ttl=900), Operation[Crdb])
    assert_type(await client.crdbs.update("g", config), Operation[Crdb])
    assert_type(await client.crdbs.flush("g", task_id=None), Operation[Crdb])
    assert_type(await client.crdbs.delete("g", headers={"X-Result-TTL": "60"}), Operation[None])


async def results(client: ActionsClient, operation: Operation) -> None:
    """Take what work has made or changed."""
    assert_type(await operation.result(), OperationResult)
    assert_type(await operation.result(timeout="1h"), Database | Node | Crdb | None)
    assert_type(await (await client.databases.upgrade(1)).result(timeout=5), Database)
    assert_type(await (await client.nodes.maintenance_on(1)).result(), Node)
    assert_type(await (await client.crdbs.flush("g")).result(), Crdb)
    assert_type(await (await client.shards.migrate([1], 2)).result(), Database | None)
    deletion = await client.databases.delete(1)
    await deletion.result()
    checked: Operation[OperationResult] = deletion
    changed: Operation[Database | Node | Crdb] = await client.databases.update(1, {})
    await client.wait_for(checked, changed, deletion)


async def objects(client: ActionsClient) -> None:
    """Look objects up."""
    database = await client.databases.get("name:cache")
    assert_type(database, Database)
    assert_type(await client.databases.get(1), Database)
    assert_type(await client.databases.list_all(), list[Database])
    assert_type(await client.databases.find("cache"), Database | None)
    assert_type(await client.databases.names(), dict[int, str])
    assert_type(await client.nodes.get(1), Node)
    assert_type(await client.nodes.list_all(), list[Node])
    assert_type(await client.crdbs.get("g"), Crdb)
    assert_type(await client.crdbs.list_all(), list[Crdb])
    assert_type(await client.crdbs.find("cache"), Crdb | None)
    assert_type(database.uid, int)
    assert_type(database.password, Secret | None)
    assert_type(database.endpoints, tuple[Endpoint, ...])
    assert_type(database.endpoints[0].host, str)
    assert_type(database.to_dict(), dict[str, object])
    assert_type(client.crdbs.replicating("g", others=[client]), Operation[OperationResult])
    assert_type(Secret("x").reveal(), str)


async def named(client: ActionsClient) -> None:
    """Give databases by their names."""
    assert_type(await client.databases.upgrade("name:cache"), Operation[Database])
    assert_type(await client.databases.wait_gone("name:cache"), FinishedAction)
    assert_type(await client.list_actions(bdb_uid="name:cache"), list[Action])


async def follow(client: ActionsClient) -> None:
    """Follow an operation in every way."""
    operation = client.operation("node:1/maintenance_on")
    assert_type(operation, Operation)
    assert_type(client.operation("crdb:t"), Operation)
    assert_type(await client.wait_for(operation), list[FinishedAction])
    assert_type(operation.watch(), AsyncGenerator[Action, None])
    assert_type(operation.ref, str | None)
    assert_type(operation.done, bool)
    assert_type(operation.answer, object)
    assert_type(await operation, FinishedAction)
    assert_type(await operation.wait(timeout=timedelta(1), on_progress=show), FinishedAction)
    async for action in operation:
        assert_type(action, Action)
    iterator: AsyncIterator[Action] = operation.watch(poll=own_schedule, not_found_grace=5)
    assert_type(await anext(iterator), Action)
    assert_type(await operation.get(), Action)
    assert_type(await client.get("node:1/remove"), Action)
    await operation.cancel()
    await operation.cancel(force=True)
    mixed = await client.wait_for(operation, "crdb:t", stall_timeout=60)
    assert_type(mixed, list[FinishedAction])
    mixed = await client.wait_for(allow_empty=True)
    assert_type(mixed, list[FinishedAction])
    settled = await client.wait_for(*(operation,), settle=True, allow_empty=True)
    assert_type(settled, list[FinishedAction | WaitError | RequestError])


async def wait_by_name(client: ActionsClient) -> None:
    """Wait for work that others have started."""
    assert_type(await client.nodes.wait(1, "remove", task_id="t", timeout=5), FinishedAction)
    assert_type(await client.cluster.wait("change_master", task_id=None), FinishedAction)
    assert_type(await client.cluster.wait_bootstrap(node="n2"), FinishedAction)
    assert_type(await client.crdbs.wait_task("t", on_progress=print), FinishedAction)
    assert_type(
        await client.databases.wait_export(1, not_found_grace=timedelta(minutes=2)), FinishedAction
    )
    assert_type(await client.databases.wait_import(1), FinishedAction)
    assert_type(await client.databases.wait_backup(1, poll=AimedWait()), FinishedAction)
    assert_type(await client.databases.wait(1, timeout="1h30m"), FinishedAction)
    assert_type(await client.databases.wait_gone(1, outage_timeout=None), FinishedAction)


async def wait_for_conditions(client: ActionsClient) -> None:
    """Wait for states, after work and without it."""
    assert_type(
        await client.databases.wait_available(1, lag_tolerance="100ms", hold=30), FinishedAction
    )
    assert_type(await client.databases.wait_in_sync(1, hold="1m"), FinishedAction)
    assert_type(await client.crdbs.wait_replicating("g", others=[client]), FinishedAction)
    assert_type(await client.wait_for_action("a1", until="available"), FinishedAction)
    assert_type(
        await client.operation("a1").wait(until=lambda action: action.progress), FinishedAction
    )


async def get_and_list(client: ActionsClient) -> None:
    """List and get node actions, cluster actions and CRDB tasks."""
    assert_type(await client.nodes.actions(), list[Action])
    assert_type(await client.nodes.actions(1), list[Action])
    assert_type(await client.get("node:1/remove"), Action)
    assert_type(await client.cluster.actions(), list[Action])
    check = assert_type(await client.cluster.check(ignore_maintenance=[1]), ClusterCheck)
    assert_type(check.is_healthy, bool)
    assert_type(check.findings, tuple[Finding, ...])
    assert_type(check.findings[0].kind, FindingKind)
    assert_type(await client.cluster.wait_healthy(hold="30s"), FinishedAction)
    assert_type(await client.cluster.wait_quiet(timeout=60), FinishedAction)
    maintenance = assert_type(
        client.nodes.maintenance(2, timeout="1h"), AbstractAsyncContextManager[FinishedAction]
    )
    async with maintenance as on:
        assert_type(on, FinishedAction)
    assert_type(client.capture("answers.json"), AbstractAsyncContextManager[None])
    assert_type(await client.get("cluster:change_master"), Action)
    assert_type(await client.crdbs.tasks(), list[Action])
    assert_type(await client.get("crdb:t"), Action)


class ClientSubclass(ActionsClient):
    """Subclass of the client."""


def begun(record: Record) -> Callable[[Record], None]:
    """Observer of waits."""
    return lambda ended: print(record.ref, ended.outcome)


def observe(client: ActionsClient, tracers: TracerProvider, meters: MeterProvider) -> None:
    """Observe waits."""
    client.observe(begun)
    observer: Observer = begun
    client.observe(observer)
    assert_type(client.poll_context, Context)
    assert_type(client.urls, tuple[str, ...])
    assert_type(instrument(client, tracer_provider=tracers, meter_provider=meters), ActionsClient)
    assert_type(instrument(ClientSubclass("https://n1")), ClientSubclass)


async def mistakes(client: ActionsClient, operation: Operation) -> None:
    """Make mistakes: mypy reports each suppression that is not needed."""
    await client.submit("POST")  # type: ignore[call-arg]
    await client.nodes.remove("1")  # type: ignore[arg-type]
    await client.databases.delete(1, force=True)  # type: ignore[call-arg]
    await client.databases.upgrade(1, task_id="t")  # type: ignore[call-arg]
    await client.databases.wait_export(1, settle=True)  # type: ignore[call-arg]
    await operation.wait(timeout=b"5")  # type: ignore[arg-type]
    operation.ref = "crdb:t"  # type: ignore[misc]
    client.observe(print)  # type: ignore[arg-type]


async def make() -> None:
    """Create clients as context managers."""
    async with ActionsClient("https://x", username="a", password="b", ca_cert="c") as client:
        assert_type(client, ActionsClient)
    await client.aclose()
    assert_type(ActionsClient.from_env(verify=False), ActionsClient)


def action_api(action: Action) -> None:
    """Read an action."""
    assert_type(action.uid, str)
    assert_type(action.phase, Phase)
    assert_type(action.phase.terminal, bool)
    assert_type(action.progress, float | None)
    assert_type(action.heartbeat, datetime | None)
    assert_type(action.pending_ops, tuple[PendingOp, ...])
    assert_type(action.kind, Kind)
    assert_type(action.evidence, Evidence)
    assert_type(action.task_id, str | None)
    assert_type(action.node_uid, str | None)
    assert_type(action.to_dict(), dict[str, object])
    assert_type(action.to_json(), str)


def outcome_api(outcome: Outcome) -> None:
    """Read an outcome."""
    assert_type(outcome.exit_code, int)
    assert_type(outcome.mark, str)
    assert_type(outcome.ascii_mark, str)
    assert_type(outcome.is_error, bool)
    assert_type(Outcome.of(ClientClosed()), Outcome)


def errors(error: Exception) -> None:
    """Read errors."""
    if isinstance(error, (WaitError, RequestError)):
        assert_type(error.record, Record | None)
        assert_type(error.outcome, Outcome)
        assert_type(error.ref, str | None)
        assert_type(error.uid, str | None)
    if isinstance(error, ActionFailed):
        assert_type(error.error_code, str | None)
    if isinstance(error, WaitTimeout):
        assert_type(error.action, Action | None)
        assert_type(error.elapsed, float)
    if isinstance(error, ClusterUnreachable):
        assert_type(error.attempts, int)
        assert_type(error.status, int | None)
    if isinstance(error, AnswerLost):
        assert_type(error.ref, str | None)
    if isinstance(error, CancelNotSupported):
        assert_type(error.ref, str)


async def records(client: ActionsClient, operation: Operation) -> None:
    """Read records."""
    recorder = Recorder()
    action = await client.wait_for_action("x", recorder=recorder)
    await client.wait_for_actions(["x"], recorder=recorder)
    await operation.wait(recorder=recorder)
    client.watch_action("x", recorder=recorder)
    assert_type(recorder.records(), list[Record])
    record = action.record
    assert_type(record, Record)
    assert_type(record.lag_bound, float | None)
    assert_type(record.until, str | None)
    assert_type(record.began, datetime)
    assert_type(record.evidence, Evidence | None)
    assert_type(record.outcome, Outcome)
    assert_type(record.transitions, tuple[Transition, ...])
    assert_type(record.transitions[0].phase, Phase)
    assert_type(record.progress, tuple[tuple[float, float], ...])
    assert_type(record.outages, tuple[Outage, ...])
    assert_type(record.outages[0].ended, float | None)


async def fake_api() -> None:
    """Use the fake."""
    async with FakeCluster(version="7.22") as cluster:
        assert_type(cluster, FakeCluster)
        assert_type(cluster.add_action("x", Plan(outcome="failed", progress="linear")), str)
        cluster.inject(status=503, retry_after=5)
        assert_type(cluster.requests, list[SeenRequest])
        assert_type(cluster.add_bdb(1), int)
        assert_type(cluster.start_node_action(1, "remove", Plan(outcome="failed")), str)
        assert_type(cluster.start_crdb_task(guid="g"), str)
        cluster.plan("POST", "/v1/bdbs", Plan(duration=60, outcome="never"), times=None)
