"""OpenTelemetry: a span for each wait of a client, and metrics of all its waits.

Needs the OpenTelemetry API alone (the extra `otel`), which does nothing until the application
configures an SDK. There is no span for a poll: one request serves many waits, and a wait of an hour
makes hundreds.

Source: OpenTelemetry semantic conventions: general attributes (server.address, server.port),
recording errors (error.type, the status of a span), naming of metrics.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakSet

from opentelemetry import metrics, trace

from redis_enterprise_actions import UsageError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.util.types import AttributeValue

    from redis_enterprise_actions import Observer, Outage, Record

    Attributes = dict[str, AttributeValue]

__all__ = ["instrument"]


class _Client(Protocol):
    """An `ActionsClient`, asynchronous or synchronous."""

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of the cluster's nodes."""
        ...

    def observe(self, observer: Observer, /) -> None:
        """Call an observer for each wait."""


_C = TypeVar("_C", bound=_Client)

_NAME: Final = "redis_enterprise_actions"
_PORTS: Final = {"http": 80, "https": 443}
_SECONDS: Final = (0.1, 1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 43200)
_POLLS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_instrumented: Final[WeakSet[_Client]] = WeakSet()


def instrument(
    client: _C,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> _C:
    """Make a span for each wait that begins on a client from now on; return the client.

    Waits for several actions make a span for each. The parent is the span that is current where the
    wait begins. A span has an event for each `Transition` and each `Outage` of the wait's `Record`.
    Its status is ERROR, with the message of the exception, if the wait raises an error of this
    package, and unset otherwise, also if the wait is cancelled. Times are the wall clock at the
    beginning of the wait plus the event loop's clock from there. The providers are the global ones
    unless given.

    Raises `UsageError` for a client that is instrumented already.
    """
    if client in _instrumented:
        raise UsageError("the client is instrumented already")
    _instrumented.add(client)
    client.observe(_Telemetry(client.urls, tracer_provider, meter_provider).on_wait_started)
    return client


class _Telemetry:
    """Instruments of one client."""

    def __init__(
        self,
        urls: tuple[str, ...],
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
    ) -> None:
        self._server = _server(urls)
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
        self._running = meter.create_up_down_counter(
            "redis_enterprise.waits.running", "{wait}", "Waits that are under way."
        )
        histogram = meter.create_histogram
        self._duration = histogram(
            "redis_enterprise.wait.duration",
            "s",
            "Duration of waits that have ended, which is not the duration of the work.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._polls = histogram(
            "redis_enterprise.wait.polls",
            "{poll}",
            "Requests on behalf of a wait that has ended.",
            explicit_bucket_boundaries_advisory=_POLLS,
        )
        self._lag_bound = histogram(
            "redis_enterprise.wait.lag_bound",
            "s",
            "Longest possible delay until the end of an action was seen.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._outages = histogram(
            "redis_enterprise.wait.outage.duration",
            "s",
            "Duration of the outages during waits that have ended.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )

    def on_wait_started(self, record: Record) -> Callable[[Record], None]:
        """Start the span of a wait; return the callback that ends it."""
        kind = record.ref.partition(":")[0]
        attributes: Attributes = {**self._server, "redis_enterprise.wait.kind": kind}
        self._running.add(1, attributes)
        span = self._tracer.start_span(
            f"wait {kind}",
            kind=trace.SpanKind.CLIENT,
            attributes={**attributes, "redis_enterprise.ref": record.ref},
            start_time=_nanoseconds(record, 0.0),
        )
        return partial(self._on_wait_ended, span, attributes)

    def _on_wait_ended(self, span: Span, attributes: Attributes, record: Record) -> None:
        self._running.add(-1, attributes)
        outcome = record.outcome.value
        error = outcome if record.outcome.is_error else None
        end = _present({"redis_enterprise.wait.outcome": outcome, "error.type": error})
        attributes = {**attributes, **end}
        self._duration.record(record.elapsed, attributes)
        self._polls.record(record.polls, attributes)
        if record.lag_bound is not None:
            self._lag_bound.record(record.lag_bound, attributes)
        for outage in record.outages:
            self._outages.record(_outage_duration(outage, record), attributes)
        if span.is_recording():
            span.set_attributes({**end, **_span_attributes(record)})
            for at, name, details in sorted(_events(record), key=lambda event: event[0]):
                span.add_event(name, details, _nanoseconds(record, at))
            if record.outcome.is_error:
                span.set_status(trace.StatusCode.ERROR, record.message)
        span.end(_nanoseconds(record, record.elapsed))


# --- attributes -----------------------------------------------------------------------------------


def _span_attributes(record: Record) -> Attributes:
    return _present({
        "redis_enterprise.title": record.title,
        "redis_enterprise.wait.polls": record.polls,
        "redis_enterprise.evidence": record.evidence,
        "redis_enterprise.wait.lag_bound": record.lag_bound,
        "redis_enterprise.wait.already_over": record.already_over or None,
        "redis_enterprise.wait.omitted_events": record.omitted or None,
    })  # fmt: skip


def _events(record: Record) -> Iterator[tuple[float, str, Attributes]]:
    """Return time, name and attributes of each transition and outage."""
    for transition in record.transitions:
        details = _present({
            "redis_enterprise.status": transition.status,
            "redis_enterprise.phase": transition.phase.value,
            "redis_enterprise.state": transition.state,
            "redis_enterprise.progress": transition.progress,
        })  # fmt: skip
        yield transition.at, "redis_enterprise.transition", details
    for outage in record.outages:
        outage_details: dict[str, AttributeValue] = {
            "redis_enterprise.outage.duration": _outage_duration(outage, record),
            "redis_enterprise.outage.over": outage.ended is not None,
            "redis_enterprise.outage.attempts": outage.attempts,
            "redis_enterprise.outage.reason": outage.reason,
        }
        yield outage.began, "redis_enterprise.outage", outage_details


def _outage_duration(outage: Outage, record: Record) -> float:
    """Return the seconds that an outage lasted, until the end of the wait if it did not end."""
    return (record.elapsed if outage.ended is None else outage.ended) - outage.began


def _present(attributes: dict[str, AttributeValue | None]) -> Attributes:
    """Return the attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}


def _nanoseconds(record: Record, at: float) -> int:
    """Return a time of a wait in nanoseconds of the wall clock."""
    return round(record.began.timestamp() * 1e6) * 1000 + round(at * 1e9)


def _server(urls: tuple[str, ...]) -> Mapping[str, AttributeValue]:
    """Return the attributes that name the cluster; one of several nodes is not *the* server."""
    nodes = [urlsplit(url) for url in urls]
    ports = [node.port or _PORTS[node.scheme] for node in nodes]
    if len(nodes) == 1:
        return {"server.address": nodes[0].hostname or "", "server.port": ports[0]}
    named = (f"{node.hostname}:{port}" for node, port in zip(nodes, ports, strict=True))
    return {"redis_enterprise.nodes": tuple(named)}
