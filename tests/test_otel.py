"""Tests of `otel`, with what OpenTelemetry's own SDK exports."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import pytest
from opentelemetry import trace
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


if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

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
