"""What there is to tell of waits: one Struct for each kind of event.

Each is a line of `--output json`, and what every other display is made from. The shapes are
numbered: `schema` is counted up when a field goes or changes its meaning, not when one is added.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias, TypedDict

import msgspec

from redis_enterprise_actions._model.action import Action, Phase


_Timestamp = Annotated[datetime, msgspec.Meta(tz=True, description="wall clock, UTC")]
_Seconds = Annotated[float, msgspec.Meta(description="seconds")]


class EventTime(TypedDict):
    """When an event is told: by the wall clock, and in seconds since the command began."""

    time: datetime
    elapsed: float


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """What all events have. `elapsed` is in seconds since the command began."""

    schema: Literal[1] = 1
    time: _Timestamp
    elapsed: _Seconds


class SubmittedEvent(Event, frozen=True, kw_only=True, tag="submitted"):
    """A call was taken. `ref` names what it has started; None: nothing that can be followed.

    `problem` says why nothing tells the end, None where the call was over with its answer.
    """

    ref: str | None
    problem: str | None = None


class WaitsStartedEvent(Event, frozen=True, kw_only=True, tag="began"):
    """The waits begin. `refs` are those waited for, in the order given."""

    refs: tuple[str, ...]


class ChangeEvent(Event, frozen=True, kw_only=True, tag="change"):
    """How an action stands: the first answer, and each that differs from the last."""

    ref: str
    action: Action


class OutageEvent(Event, frozen=True, kw_only=True, tag="outage"):
    """The cluster gives no usable answer, or, if `over`, does so again.

    `seconds` is how long that has lasted. `ref` is None if it concerns all waits, or else the one
    that cannot be asked about while others can.
    """

    over: bool
    seconds: _Seconds
    reason: str | None
    ref: str | None


class WarningEvent(Event, frozen=True, kw_only=True, tag="warning"):
    """Something that a person ought to know: a certificate not verified, a word never seen."""

    message: str


class PendingWait(msgspec.Struct, frozen=True, kw_only=True):
    """What is still waited for. Until the cluster has told of it, all but `ref` is as good as None.

    `progress` is in percent, and None when the cluster gives none.
    """

    ref: str
    title: str
    status: str | None
    phase: Phase | None
    progress: float | None


class KeepAliveEvent(Event, frozen=True, kw_only=True, tag="alive"):
    """Nothing is new, and this is still at work.

    `waiting` is empty while a call has not been taken. `outage` is for how many seconds the
    cluster has not answered; None: it does.
    """

    waiting: tuple[PendingWait, ...]
    outage: _Seconds | None


class WaitEndEvent(Event, frozen=True, kw_only=True, tag="end"):
    """How a wait ended.

    `ref` is None of a call that was not taken, or left nothing to follow. `uid` is the reference
    without its run. `outcome` and `exit_code` are those of the README's table; `action` is as it
    was seen last. If `already_over`, it had ended when it was first seen.
    """

    ref: str | None
    uid: str | None
    outcome: str
    exit_code: int
    message: str
    action: Action | None
    already_over: bool = False


class AbandonedEvent(Event, frozen=True, kw_only=True, tag="left"):
    """A wait was ended before the action had: by `--fail-fast`, `--any` or a signal."""

    ref: str
    message: str
    action: Action | None


class SummaryEvent(Event, frozen=True, kw_only=True, tag="done"):
    """All is said. `ended` counts the outcomes; `why` tells what ended the waits early, if so."""

    exit_code: int
    ended: dict[str, int]
    left: int
    why: str | None


AnyEvent: TypeAlias = (
    SubmittedEvent
    | WaitsStartedEvent
    | ChangeEvent
    | OutageEvent
    | WarningEvent
    | KeepAliveEvent
    | WaitEndEvent
    | AbandonedEvent
    | SummaryEvent
)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of a line, as docs/events.schema.json holds it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of redis-actions wait --output json",
        **msgspec.json.schema(AnyEvent),
    }
