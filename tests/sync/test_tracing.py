"""Tests of OpenTelemetry with the synchronous client."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from redis_enterprise_actions.otel import instrument
from redis_enterprise_actions.sync import ActionsClient
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from tests.threaded_cluster import ThreadedCluster


def test_spans(threaded: ThreadedCluster) -> None:
    """Calls and waits have spans below that of the calling thread; polls have none."""
    exporter, tracers = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    AioHttpClientInstrumentor().instrument(tracer_provider=tracers)
    try:
        uid = threaded.add(plan=Plan(duration=1))
        with (
            instrument(ActionsClient.from_env(), tracer_provider=tracers) as client,
            tracers.get_tracer("test").start_as_current_span("deploy") as parent,
        ):
            client.list_actions()
            client.wait_for_action(uid)
    finally:
        AioHttpClientInstrumentor().uninstrument()
    *spans, _ = exporter.get_finished_spans()

    assert {span.name for span in spans} == {"GET", "wait action"}
    assert [span.name for span in spans].count("GET") == 2  # of both lists
    assert {span.parent and span.parent.span_id for span in spans} == {
        parent.get_span_context().span_id
    }


def test_context_after_a_fork() -> None:
    """The client of a child process has the context variables of its parent's."""
    variable = ContextVar("variable", default="")
    with ActionsClient("http://127.0.0.1:9") as client:
        client.poll_context.run(variable.set, "for polls")
        made = client._link._made_again()

    assert made.poll_context is not client.poll_context
    assert made.poll_context[variable] == "for polls"
