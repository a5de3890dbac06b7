"""Tests of `otel`, with what OpenTelemetry's own SDK exports."""

from __future__ import annotations

import asyncio
import base64
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    NumberDataPoint,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider

from redis_enterprise_actions import (
    ActionFailed,
    ActionsClient,
    ClusterUnreachable,
    UsageError,
    WaitTimeout,
)
from redis_enterprise_actions.otel import _server, instrument
from redis_enterprise_actions.testing import Plan
from tests.conftest import client_of


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from redis_enterprise_actions import Action, Record
    from redis_enterprise_actions._client.operation import WaitOptions
    from redis_enterprise_actions.testing import FakeCluster, Outcome

RUNNING = "redis_enterprise.waits.running"
DURATION = "redis_enterprise.wait.duration"
OUTAGES = "redis_enterprise.wait.outage.duration"


class Exports(NamedTuple):
    """Exports of a client's spans and metrics."""

    tracer: trace.Tracer
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def points(self, name: str) -> list[NumberDataPoint | HistogramDataPoint]:
        """Return the data points of a metric."""
        data = self.reader.get_metrics_data()
        found = [
            metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        return [point for metric in found for point in metric.data.data_points]


@pytest.fixture
def exports(client: ActionsClient) -> Exports:
    """Instrument the client, with an SDK that exports to memory."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    instrument(client, tracer_provider=tracers, meter_provider=meters)
    return Exports(tracers.get_tracer("test"), exporter, reader)


@pytest.fixture
def http_spans() -> Iterator[InMemorySpanExporter]:
    """Instrument aiohttp, as an application does; return what it exports."""
    exporter = InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    AioHttpClientInstrumentor().instrument(tracer_provider=tracers)
    yield exporter
    AioHttpClientInstrumentor().uninstrument()


def parents(spans: Iterable[ReadableSpan]) -> set[int | None]:
    """Return the ids of the parents of spans; None for a root."""
    return {None if span.parent is None else span.parent.span_id for span in spans}


def event_times(span: ReadableSpan) -> list[tuple[str, float]]:
    """Return the names of a span's events, with their seconds after its start."""
    assert span.start_time is not None
    return [(event.name, (event.timestamp - span.start_time) / 1e9) for event in span.events]


async def test_outage(cluster: FakeCluster, client: ActionsClient, exports: Exports) -> None:
    """The span of a wait has its duration, its server, and its events in order."""
    uid = cluster.add_action("retry_bdb", Plan(duration=600, progress="none"))
    with exports.tracer.start_as_current_span("deploy") as parent:
        waiting = asyncio.create_task(client.wait_for_action(uid))
        await asyncio.sleep(100)
        cluster.inject(status=503, times=None)
        await asyncio.sleep(60)
        cluster.heal()
    record = (await waiting).record
    _, span = exports.spans
    first, outage, last = span.events

    assert span.name == "wait action"
    assert span.kind is trace.SpanKind.CLIENT
    assert span.parent == parent.get_span_context()
    assert span.status.status_code is trace.StatusCode.UNSET
    assert span.attributes == {
        "server.address": "127.0.0.1",
        "server.port": int(cluster.url.rpartition(":")[2]),
        "redis_enterprise.ref": f"action:{uid}",
        "redis_enterprise.title": "retry_bdb",
        "redis_enterprise.evidence": "action",
        "redis_enterprise.wait.kind": "action",
        "redis_enterprise.wait.lag_bound": record.lag_bound,
        "redis_enterprise.wait.outcome": "completed",
        "redis_enterprise.wait.polls": record.polls,
    }
    assert span.end_time - span.start_time == pytest.approx(record.elapsed * 1e9)  # type: ignore[operator]
    assert event_times(span) == [
        ("redis_enterprise.transition", pytest.approx(0, abs=0.5)),
        ("redis_enterprise.outage", pytest.approx(record.outages[0].began)),
        ("redis_enterprise.transition", pytest.approx(record.elapsed, abs=0.5)),
    ]
    assert first.attributes == {
        "redis_enterprise.status": "running",
        "redis_enterprise.phase": "running",
    }
    assert last.attributes == {
        "redis_enterprise.status": "completed",
        "redis_enterprise.phase": "completed",
    }
    assert outage.attributes == {
        "redis_enterprise.outage.attempts": record.outages[0].attempts,
        "redis_enterprise.outage.duration": pytest.approx(60, abs=16),
        "redis_enterprise.outage.over": True,
        "redis_enterprise.outage.reason": record.outages[0].reason,
    }


async def test_states_and_progress(
    cluster: FakeCluster, client: ActionsClient, exports: Exports
) -> None:
    """The events of a state machine have its states and its progress."""
    await client.wait_for_action(cluster.add_action("SMUpgradeBDB", Plan(duration=600)))
    (span,) = exports.spans
    attributes = [event.attributes or {} for event in span.events]
    states = [each["redis_enterprise.state"] for each in attributes[:-1]]

    assert len(set(states)) == len(states) > 2
    assert [each["redis_enterprise.progress"] for each in attributes[:2]] == [0.0, 33.33]


@pytest.mark.parametrize(
    ("outcome", "options", "error", "kind"),
    [
        ("failed", {}, ActionFailed, "failed"),
        ("never", {"timeout": 60}, WaitTimeout, "timed out"),
        ("never", {"outage_timeout": 30}, ClusterUnreachable, "unreachable"),
    ],
)
async def test_failed_wait(
    cluster: FakeCluster,
    client: ActionsClient,
    exports: Exports,
    outcome: Outcome,
    options: WaitOptions,
    error: type[Exception],
    kind: str,
) -> None:
    """The span of a failed wait is an error, with the exception's message and the outcome."""
    uid = cluster.add_action("retry_bdb", Plan(duration=20, outcome=outcome))
    waiting = asyncio.create_task(client.wait_for_action(uid, **options))
    await asyncio.sleep(10)
    if kind == "unreachable":
        cluster.inject(status=503, times=None)
    with pytest.raises(error) as caught:
        await waiting
    (span,) = exports.spans

    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.status.description == str(caught.value)
    assert span.attributes is not None
    assert span.attributes["error.type"] == span.attributes["redis_enterprise.wait.outcome"] == kind
    assert [point.attributes["error.type"] for point in exports.points(DURATION)] == [kind]


async def test_outage_to_the_end(
    cluster: FakeCluster, client: ActionsClient, exports: Exports
) -> None:
    """An outage that ends the wait lasts until the end of the span."""
    uid = cluster.add_action(plan=Plan(duration=600))
    cluster.inject(status=503, times=None)
    with pytest.raises(ClusterUnreachable):
        await client.wait_for_action(uid, outage_timeout=30)
    (span,) = exports.spans
    (outage,) = [event.attributes or {} for event in span.events]

    assert outage["redis_enterprise.outage.over"] is False
    assert outage["redis_enterprise.outage.duration"] == pytest.approx(30, abs=1)


async def test_cancelled_wait(
    cluster: FakeCluster, client: ActionsClient, exports: Exports
) -> None:
    """The span of a cancelled wait ends there, is no error, and has the events until then."""
    waiting = asyncio.create_task(client.wait_for_action(cluster.add_action("retry_bdb")))
    await asyncio.sleep(5)
    waiting.cancel()
    await asyncio.wait([waiting])
    (span,) = exports.spans

    assert span.status.status_code is trace.StatusCode.UNSET
    assert span.attributes is not None
    assert span.attributes["redis_enterprise.wait.outcome"] == "interrupted"
    assert "error.type" not in span.attributes
    assert [name for name, _ in event_times(span)] == ["redis_enterprise.transition"]
    assert [point.value for point in exports.points(RUNNING)] == [0]  # type: ignore[union-attr]


async def test_already_over(cluster: FakeCluster, client: ActionsClient, exports: Exports) -> None:
    """The span of a wait for an action that had ended before says so."""
    await client.wait_for_action(cluster.add_action(plan=Plan(duration=0)))
    await client.wait_for_action(cluster.add_action(plan=Plan(duration=5)))

    over = [span.attributes.get("redis_enterprise.wait.already_over") for span in exports.spans]  # type: ignore[union-attr]
    assert over == [True, None]


async def test_every_kind_of_wait(
    cluster: FakeCluster, client: ActionsClient, exports: Exports
) -> None:
    """Every wait has a span, named after the kind of its reference."""
    uid = cluster.add_action()
    async for _ in client.watch_action(uid):
        assert exports.spans == []
    await (await client.nodes.maintenance_on(1))
    await client.databases.wait(cluster.add_bdb())

    assert [span.name for span in exports.spans] == ["wait action", "wait node", "wait bdb"]


async def test_many_waits(
    cluster: FakeCluster, client: ActionsClient, exports: Exports, pytestconfig: pytest.Config
) -> None:
    """Each of many waits makes one span, a child of the span around it, and none for a poll."""
    count = 1000 if pytestconfig.getoption("--full") else 200
    uids = [
        cluster.add_action("retry_bdb", Plan(duration=300 + each % 60)) for each in range(count)
    ]
    with exports.tracer.start_as_current_span("deploy") as parent:
        waiting = asyncio.create_task(client.wait_for_actions(uids))
        await asyncio.sleep(100)
        (running,) = exports.points(RUNNING)
        actions = await waiting
    *spans, last = exports.spans
    (polls,) = exports.points("redis_enterprise.wait.polls")

    assert running.value == count  # type: ignore[union-attr]
    assert last.name == "deploy"
    assert {span.attributes["redis_enterprise.ref"] for span in spans} == {  # type: ignore[index]
        f"action:{uid}" for uid in uids
    }
    assert len(spans) == count
    assert all(span.parent == parent.get_span_context() for span in spans)
    assert polls.count == count  # type: ignore[union-attr]
    assert polls.sum == sum(action.record.polls for action in actions)  # type: ignore[union-attr]


async def test_metrics(cluster: FakeCluster, client: ActionsClient, exports: Exports) -> None:
    """There are histograms of the durations of waits, of outages, and of the lag bounds."""
    uid = cluster.add_action("retry_bdb", Plan(duration=100))
    cluster.inject(status=503, times=3)
    record = (await client.wait_for_action(uid)).record
    (duration,), (outage,) = exports.points(DURATION), exports.points(OUTAGES)
    (lag_bound,) = exports.points("redis_enterprise.wait.lag_bound")

    assert (duration.count, duration.sum) == (1, record.elapsed)  # type: ignore[union-attr]
    assert (lag_bound.count, lag_bound.sum) == (1, record.lag_bound)  # type: ignore[union-attr]
    assert duration.explicit_bounds[-1] == 43200  # type: ignore[union-attr]
    assert (outage.count, outage.sum) == (1, record.outages[0].ended)  # type: ignore[union-attr]
    assert duration.attributes == {
        **_server((cluster.url,)),
        "redis_enterprise.wait.kind": "action",
        "redis_enterprise.wait.outcome": "completed",
    }


@pytest.mark.parametrize(
    ("urls", "named"),
    [
        (("https://n1",), {"server.address": "n1", "server.port": 443}),
        (("http://[::1]:80",), {"server.address": "::1", "server.port": 80}),
        (
            ("https://n1:9443", "https://n2:9443"),
            {"redis_enterprise.nodes": ("n1:9443", "n2:9443")},
        ),
    ],
    ids=["default port", "IPv6", "several"],
)
def test_server(urls: tuple[str, ...], named: dict[str, object]) -> None:
    """One node is the server; several nodes are named, and none of them is the server."""
    assert _server(urls) == named


async def test_without_an_sdk(cluster: FakeCluster, client: ActionsClient) -> None:
    """Without an SDK nothing is exported, and the wait is unchanged."""
    # Not the global ones: that of the tracers can be set once in a process, and may have been.
    nothing = {"tracer_provider": NoOpTracerProvider(), "meter_provider": NoOpMeterProvider()}
    assert instrument(client, **nothing) is client

    assert (await client.wait_for_action(cluster.add_action())).status == "completed"


async def test_not_sampled(cluster: FakeCluster, client: ActionsClient) -> None:
    """A span that is not sampled gets no attributes, and ends."""
    exporter = InMemorySpanExporter()
    tracers = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    instrument(client, tracer_provider=tracers)

    assert (await client.wait_for_action(cluster.add_action())).status == "completed"
    assert not exporter.get_finished_spans()


async def test_instrumented_twice(client: ActionsClient, exports: Exports) -> None:
    """A client cannot be instrumented twice, which would make each span twice."""
    with pytest.raises(UsageError, match="instrumented already"):
        instrument(client)


class TestGoal:
    """Goals of waits in their spans."""

    @pytest.mark.parametrize(
        ("options", "until", "outcome"),
        [
            ({}, None, "completed"),
            ({"until": "state=run"}, "state=run", "reached"),
            ({"until": " progress=30 "}, "progress=30", "reached"),
            ({"until": "available"}, "available", "completed"),
            ({"until": bool}, "bool", "reached"),
        ],
        ids=["end", "state", "progress", "condition", "function"],
    )
    async def test_until(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        exports: Exports,
        options: WaitOptions,
        until: str | None,
        outcome: str,
    ) -> None:
        """A span says until when its wait lasts, also if that is before the work has ended."""
        uid = cluster.add_action("SMUpgradeBDB", Plan(duration=60), bdb_uid=cluster.add_bdb())
        await client.wait_for_action(uid, **options)
        (span,) = exports.spans
        assert span.attributes is not None

        assert span.attributes.get("redis_enterprise.wait.until") == until
        assert span.attributes["redis_enterprise.wait.outcome"] == outcome
        assert "redis_enterprise.wait.hold" not in span.attributes

    async def test_partial(
        self, cluster: FakeCluster, client: ActionsClient, exports: Exports
    ) -> None:
        """A function without a name is named by its type, as its arguments may be secrets."""
        wanted = partial(isinstance, object())
        waiting = client.wait_for_action(cluster.add_action(), until=lambda _: wanted and True)
        await waiting
        with pytest.raises(TypeError):
            await client.wait_for_action(cluster.add_action(), until=wanted)
        names = [(each.attributes or {})["redis_enterprise.wait.until"] for each in exports.spans]

        assert names == ["TestGoal.test_partial.<locals>.<lambda>", "partial"]

    async def test_condition(
        self, cluster: FakeCluster, client: ActionsClient, exports: Exports
    ) -> None:
        """The span of a wait for a condition has its name and its hold, from the beginning."""
        ref = f"bdb:{cluster.add_bdb()}@available"
        begun: list[Record] = []

        def observer(record: Record) -> Callable[[Record], None]:
            begun.append(record)
            return begun.append

        client.observe(observer)
        (finished,) = await client.wait_for(ref, hold="20s")
        (span,) = exports.spans
        assert span.attributes is not None

        assert span.name == "wait bdb"
        assert span.attributes["redis_enterprise.wait.until"] == "available"
        assert span.attributes["redis_enterprise.wait.hold"] == 20
        assert [(each.until, each.hold) for each in begun] == [("available", 20.0)] * 2
        assert finished.record == begun[-1]


class TestPolls:
    """Spans by the instrumentation of aiohttp."""

    async def test_no_orphans(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        exports: Exports,
        http_spans: InMemorySpanExporter,
    ) -> None:
        """Waits make a span each; calls make those of their requests, and polls make none."""
        cluster.add_bdb()
        with exports.tracer.start_as_current_span("deploy") as parent:
            operation = await client.databases.upgrade(1)
            polls_before = len(cluster.requests)
            waits = [operation.wait(), client.wait_for("bdb:1@available"), client.wait_for("bdb:1")]
            await asyncio.gather(*waits)
            polls = cluster.requests[polls_before:]
            await client.get(operation.ref or "")
        calls = http_spans.get_finished_spans()

        assert len(polls) > 5
        names = sorted(span.name for span in exports.spans)
        assert names == ["deploy", "wait action", "wait bdb", "wait bdb"]
        assert {span.name for span in calls} == {"GET", "POST"}
        assert len(calls) == len(cluster.requests) - len(polls)
        assert parents(calls) == {parent.get_span_context().span_id}

    async def test_every_kind_of_poll(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        exports: Exports,
        http_spans: InMemorySpanExporter,
    ) -> None:
        """No poll makes a span: of a list, at a limit, beside a slow one, or of a database."""
        uids = [cluster.add_action(plan=Plan(duration=300)) for _ in range(3)]
        cluster.inject(delay=4, times=2, path="/v1/actions")
        bdb_uid = cluster.add_bdb()
        deletion = await client.databases.delete(bdb_uid)
        await asyncio.gather(
            deletion.wait(), client.wait_for_actions(uids, timeout=100, settle=True)
        )
        paths = {request.path for request in cluster.requests}

        assert {"/v1/actions", f"/v1/actions/{uids[0]}", f"/v1/bdbs/{bdb_uid}"} <= paths
        calls = ["GET", "DELETE"]  # the database is read before it is deleted
        assert [span.name for span in http_spans.get_finished_spans()] == calls

    @pytest.mark.parametrize("is_instrumented", [True, False])
    async def test_tokens(
        self, cluster: FakeCluster, http_spans: InMemorySpanExporter, *, is_instrumented: bool
    ) -> None:
        """Tokens for polls make no spans; without `instrument`, polls have no parent."""
        cluster.token_ttl = 100
        async with client_of(cluster, auth="jwt") as client:
            if is_instrumented:
                instrument(client)
            tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
            with tracer.start_as_current_span("deploy"):
                await client.wait_for_action(cluster.add_action(plan=Plan(duration=300)))
        spans = http_spans.get_finished_spans()

        paths = {request.path for request in cluster.requests}
        assert {"/v1/users/authorize", "/v1/users/refresh_jwt"} <= paths
        assert len(spans) == (0 if is_instrumented else len(cluster.requests))
        assert parents(spans) <= {None}

    async def test_other_clients(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        exports: Exports,
        http_spans: InMemorySpanExporter,
    ) -> None:
        """Polls of one client are silent; those of another, not instrumented, are not."""
        uid = cluster.add_action(plan=Plan(duration=60))
        await client.wait_for_action(uid)
        assert http_spans.get_finished_spans() == ()
        async with client_of(cluster) as other:
            await other.wait_for_action(uid)

        assert len(exports.spans) == len(http_spans.get_finished_spans()) == 1

    async def test_during_a_wait(
        self, cluster: FakeCluster, client: ActionsClient, http_spans: InMemorySpanExporter
    ) -> None:
        """Polls are silent from the next beginning of the poll loop on."""
        waiting = asyncio.create_task(client.wait_for_action(cluster.add_action()))
        await asyncio.sleep(1)
        instrument(client, tracer_provider=NoOpTracerProvider())
        await waiting
        spans_before = len(http_spans.get_finished_spans())
        await client.wait_for_action(cluster.add_action())

        assert len(http_spans.get_finished_spans()) == spans_before > 0

    async def test_current_span_of_callbacks(
        self,
        cluster: FakeCluster,
        client: ActionsClient,
        exports: Exports,
        http_spans: InMemorySpanExporter,
    ) -> None:
        """Callbacks run in the context of the task that waits, where requests make spans."""
        seen: list[trace.Span] = []

        async def on_progress(_: Action) -> None:
            seen.append(trace.get_current_span())
            await client.list_actions()

        def observer(_: Record) -> Callable[[Record], None]:
            seen.append(trace.get_current_span())
            return lambda _: seen.append(trace.get_current_span())

        client.observe(observer)
        with exports.tracer.start_as_current_span("deploy") as parent:
            await client.wait_for_action(cluster.add_action(), on_progress=on_progress)
        spans = http_spans.get_finished_spans()

        assert len(seen) >= 4
        assert set(seen) == {parent}
        assert spans
        assert parents(spans) == {parent.get_span_context().span_id}


async def test_context_of_polls(cluster: FakeCluster) -> None:
    """Polls do not see the variables of the task that waits first, but those of `poll_context`."""
    own, shared = ContextVar("own", default=""), ContextVar("shared", default="")
    seen: list[tuple[str, str]] = []
    basic = base64.b64encode(f"{cluster.username}:{cluster.password}".encode()).decode()

    def token() -> str:
        seen.append((own.get(), shared.get()))
        shared.set("of a poll")
        return f"Basic {basic}"

    own.set("of the task")
    async with ActionsClient(cluster.url, token=token) as client:
        client.poll_context.run(shared.set, "of polls")
        await client.wait_for_action(cluster.add_action())
    assert seen.pop() == ("", "of polls")
    assert shared.get() == ""
    assert client.poll_context[shared] == "of polls"
    async with ActionsClient(cluster.url, token=token) as client:
        await client.list_actions()
    assert seen == [("of the task", "")]
