"""Events of waits, one Struct for each kind.

`--output json` prints each as a line; every other display is made from them. `v` is increased
when a field is removed or changes its meaning, not when a field is added.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias, TypedDict

import msgspec

from redis_enterprise_actions._model.action import Action, Phase


_Timestamp = Annotated[datetime, msgspec.Meta(tz=True, description="wall clock, UTC")]
_Seconds = Annotated[float, msgspec.Meta(description="seconds")]


class EventTime(TypedDict):
    """Time of an event, by the wall clock, and in seconds since the command began."""

    time: datetime
    elapsed: float


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Fields that all events have. `elapsed` is in seconds since the command began."""

    v: Literal[1] = 1
    time: _Timestamp
    elapsed: _Seconds


class SubmittedEvent(Event, frozen=True, kw_only=True, tag="submitted"):
    """The cluster accepted a call.

    `ref` is the reference to the work that the call started, None if there is nothing to follow.
    `problem` says why the end of the work cannot be seen, None if the work ended with the answer.
    """

    ref: str | None
    problem: str | None = None


class WaitsStartedEvent(Event, frozen=True, kw_only=True, tag="began"):
    """The waits begin. `refs` are the references that are waited for, in the order given."""

    refs: tuple[str, ...]


class ChangeEvent(Event, frozen=True, kw_only=True, tag="change"):
    """State of an action: the first answer, and each answer that differs from the last."""

    ref: str
    action: Action


class OutageEvent(Event, frozen=True, kw_only=True, tag="outage"):
    """The cluster gives no usable answer, or, if `over`, gives usable answers again.

    `seconds` is how long the outage has lasted. `ref` is None in an outage of all waits; otherwise
    it names the one action that the cluster gives no usable answer about.
    """

    over: bool
    seconds: _Seconds
    reason: str | None
    ref: str | None


class WarningEvent(Event, frozen=True, kw_only=True, tag="warning"):
    """Warning of this package, such as a certificate that is not verified."""

    message: str


class PendingWait(msgspec.Struct, frozen=True, kw_only=True):
    """State of a wait that has not ended, as part of `KeepAliveEvent`.

    Until the first answer `title` is the reference, and `status`, `phase` and `progress` are None.
    `progress` is in percent, None if the cluster reports none.
    """

    ref: str
    title: str
    status: str | None
    phase: Phase | None
    progress: float | None


class KeepAliveEvent(Event, frozen=True, kw_only=True, tag="alive"):
    """Nothing has changed, and the command is still running.

    `waiting` is empty while a call has not been accepted. `outage` is the number of seconds for
    which the cluster has given no usable answer, None if there is no outage.
    """

    waiting: tuple[PendingWait, ...]
    outage: _Seconds | None


class WaitEndEvent(Event, frozen=True, kw_only=True, tag="end"):
    """End of a wait.

    `ref` is None for a call that failed or left nothing to follow. `uid` is the reference without
    its run. `outcome` and `exit_code` are those of the README's table; `action` is the last state
    that was seen. `reason` says in a few words what `message` says in a sentence: why the work
    failed, or how it stood; None if it completed. If `already_over`, the action had ended when it
    was first seen.
    """

    ref: str | None
    uid: str | None
    outcome: str
    exit_code: int
    message: str
    action: Action | None
    already_over: bool = False
    reason: str | None = None


class AbandonedEvent(Event, frozen=True, kw_only=True, tag="left"):
    """A wait ended before its action did: by `--fail-fast`, `--any` or a signal."""

    ref: str
    message: str
    action: Action | None


class SummaryEvent(Event, frozen=True, kw_only=True, tag="done"):
    """Summary, the last event once the command has begun to call or to wait, but for `--no-wait`.

    `ended` counts the waits by outcome, `left` those that were abandoned. `why` says what ended
    the waits early, None if nothing did.
    """

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
    """Return the JSON Schema of a line, which docs/events.schema.json holds."""
    return schema_of_lines(AnyEvent, "A line of redis-actions wait --output json")


def schema_of_lines(lines: object, title: str) -> dict[str, object]:
    """Return the JSON Schema of a union of lines, each of which has a `v`.

    In the generated schema `v` is optional, as it has a default.
    """
    schema = msgspec.json.schema(lines)
    for each in schema["$defs"].values():
        version = each.get("properties", {}).get("v", {})
        if version.pop("default", None) is not None:
            each["required"].insert(1, "v")  # after the kind of line
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": title, **schema}
