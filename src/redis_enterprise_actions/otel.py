"""OpenTelemetry: a span for each wait of a client, and what all of its waits come to in numbers.

Knows what OpenTelemetry calls things. Of that it needs the API alone (the extra `otel`), which does
nothing until the application brings an SDK, and of this package the front door. It makes no span
for a poll: one request serves many waits, and an hour's wait makes hundreds.

Source: OpenTelemetry semantic conventions: general attributes (server.address, server.port),
recording errors (error.type, the status of a span), naming of metrics.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit
from weakref import WeakSet

from opentelemetry import metrics, trace

from redis_enterprise_actions import ActionsClient, UsageError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.util.types import AttributeValue

    from redis_enterprise_actions import Outage, Record, Transition

    Attributes = dict[str, AttributeValue]

__all__ = ["instrument"]

_C = TypeVar("_C", bound=ActionsClient)

_NAME: Final = "redis_enterprise_actions"
_PORTS: Final = {"http": 80, "https": 443}
_SECONDS: Final = (0.1, 1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 43200)
_POLLS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_instrumented: Final[WeakSet[ActionsClient]] = WeakSet()


def instrument(
    client: _C,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> _C:
    """Make a span for each wait that begins on a client from now on; return the client.

    Operations and waits for several are included, a span for each. Its parent is what is current
    where somebody begins to wait. It has an event for each `Transition` and each `Outage` of the
    wait's `Record`, and the status ERROR, with the words of the exception, where the wait ends
    otherwise than well; one that is cancelled has none. Times are the wall clock as the wait began,
    and the event loop's from there. The providers are the global ones unless given.

    Raises `UsageError` for a client that is instrumented already.
    """
    if client in _instrumented:
        raise UsageError("the client is instrumented already")
    _instrumented.add(client)
    client.observe(_Telemetry(client.urls, tracer_provider, meter_provider).on_wait_started)
    return client


class _Telemetry:
    """The instruments of one client."""

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
            "How long waits lasted that have ended, which is not how long the work took.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._polls = histogram(
            "redis_enterprise.wait.polls",
            "{poll}",
            "How often the cluster was asked on behalf of a wait that has ended.",
            explicit_bucket_boundaries_advisory=_POLLS,
        )
        self._lag_bound = histogram(
            "redis_enterprise.wait.lag_bound",
            "s",
            "How late the ends of actions were seen at most.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._outages = histogram(
            "redis_enterprise.wait.outage.duration",
            "s",
            "How long the outages took that waits which have ended went through.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )

    def on_wait_started(self, record: Record) -> Callable[[Record], None]:
        """Take a wait that begins; return what takes its end."""
        kind = record.ref.partition(":")[0]
        about: Attributes = {**self._server, "redis_enterprise.wait.kind": kind}
        self._running.add(1, about)
        span = self._tracer.start_span(
            f"wait {kind}",
            kind=trace.SpanKind.CLIENT,
            attributes={**about, "redis_enterprise.ref": record.ref},
            start_time=_nanoseconds(record, 0.0),
        )
        return partial(self._on_wait_ended, span, about)

    def _on_wait_ended(self, span: Span, about: Attributes, record: Record) -> None:
        self._running.add(-1, about)
        about = {**about, **_outcome(record)}
        self._duration.record(record.elapsed, about)
        self._polls.record(record.polls, about)
        if record.lag_bound is not None:
            self._lag_bound.record(record.lag_bound, about)
        for outage in record.outages:
            self._outages.record(_outage_duration(outage, record), about)
        if span.is_recording():
            _describe(span, record)
        span.end(_nanoseconds(record, record.elapsed))


# --- what a record comes to -----------------------------------------------------------------------


def _describe(span: Span, record: Record) -> None:
    """Add to a span what its wait has been through."""
    span.set_attributes({
        **_outcome(record),
        "redis_enterprise.title": record.title,
        "redis_enterprise.wait.polls": record.polls,
        **_optional("redis_enterprise.evidence", record.evidence),
        **_optional("redis_enterprise.wait.lag_bound", record.lag_bound),
        **_optional("redis_enterprise.wait.already_over", record.already_over or None),
        **_optional("redis_enterprise.wait.omitted_events", record.omitted or None),
    })  # fmt: skip
    for at, name, attributes in sorted(_events(record), key=lambda event: event[0]):
        span.add_event(name, attributes, _nanoseconds(record, at))
    if record.outcome.is_error:
        span.set_status(trace.StatusCode.ERROR, record.message)


def _outcome(record: Record) -> Attributes:
    outcome = record.outcome.value
    error = outcome if record.outcome.is_error else None
    return {"redis_enterprise.wait.outcome": outcome, **_optional("error.type", error)}


def _events(record: Record) -> Iterator[tuple[float, str, Attributes]]:
    for transition in record.transitions:
        yield transition.at, "redis_enterprise.transition", _transition(transition)
    for outage in record.outages:
        yield outage.began, "redis_enterprise.outage", _outage(outage, record)


def _transition(transition: Transition) -> Attributes:
    return {
        "redis_enterprise.status": transition.status,
        "redis_enterprise.phase": transition.phase.value,
        **_optional("redis_enterprise.state", transition.state),
        **_optional("redis_enterprise.progress", transition.progress),
    }


def _outage(outage: Outage, record: Record) -> Attributes:
    return {
        "redis_enterprise.outage.duration": _outage_duration(outage, record),
        "redis_enterprise.outage.over": outage.ended is not None,
        "redis_enterprise.outage.attempts": outage.attempts,
        "redis_enterprise.outage.reason": outage.reason,
    }


def _outage_duration(outage: Outage, record: Record) -> float:
    """Return the seconds that an outage lasted, to the end of the wait if it saw no other end."""
    return (record.elapsed if outage.ended is None else outage.ended) - outage.began


def _optional(name: str, value: AttributeValue | None) -> Attributes:
    return {} if value is None else {name: value}


def _nanoseconds(record: Record, at: float) -> int:
    """Return a moment of a wait in nanoseconds of the wall clock."""
    return round(record.began.timestamp() * 1e6) * 1000 + round(at * 1e9)


def _server(urls: tuple[str, ...]) -> Mapping[str, AttributeValue]:
    """Return the attributes that name the cluster; of several nodes none is *the* server."""
    nodes = [urlsplit(url) for url in urls]
    ports = [node.port or _PORTS[node.scheme] for node in nodes]
    if len(nodes) == 1:
        return {"server.address": nodes[0].hostname or "", "server.port": ports[0]}
    named = (f"{node.hostname}:{port}" for node, port in zip(nodes, ports, strict=True))
    return {"redis_enterprise.nodes": tuple(named)}
