"""Sample events of waits, what displays print of them, and the JSON Schema of events.

`THREE_WAITS` is one completed, one failed and one abandoned wait. `tests/golden` holds the expected
output of each display.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import msgspec

from redis_enterprise_actions import Action, Kind, PendingOp, Phase
from redis_enterprise_actions._cli.wait.events import (
    AbandonedEvent,
    ChangeEvent,
    EventTime,
    KeepAliveEvent,
    OutageEvent,
    PendingWait,
    SubmittedEvent,
    SummaryEvent,
    WaitEndEvent,
    WaitsStartedEvent,
    WarningEvent,
)
from redis_enterprise_actions._cli.wait.plain import JsonDisplay
from redis_enterprise_actions._cli.wait.progress import Progress


if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis_enterprise_actions._cli.wait.displays import Display
    from redis_enterprise_actions._cli.wait.events import AnyEvent

GOLDEN = Path(__file__).parent / "golden"
SCHEMA_FILE = Path(__file__).parents[1] / "docs" / "events.schema.json"
SCHEMA = json.loads(SCHEMA_FILE.read_text("utf-8"))
REFS = ("action:a1", "node:1/maintenance_on@t1", "crdb:t2")

UPDATE = Action(
    uid="a1",
    name="SMUpdateBDB",
    kind=Kind.STATE_MACHINE,
    status="active",
    phase=Phase.RUNNING,
    progress=14.29,
    state="reshard",
    object_type="bdb",
    object_uid="1",
    pending_ops=(PendingOp(shard_uid="3", op_name="wait_for_sync", progress=40.0),),
)
MAINTENANCE = Action(
    uid="node:1/maintenance_on",
    name="maintenance_on",
    kind=Kind.NODE_ACTION,
    status="running",
    phase=Phase.RUNNING,
    node_uid="1",
    task_id="t1",
)
DELETE = Action(
    uid="d",
    name="SMDeleteBDB",
    kind=Kind.STATE_MACHINE,
    status="active",
    phase=Phase.RUNNING,
    object_type="bdb",
    object_uid="7",
)


def time_at(elapsed: float) -> EventTime:
    """Return the time of an event, in seconds after the beginning."""
    began = datetime(2026, 3, 1, 4, 59, 58, tzinfo=UTC)
    return {"time": began + timedelta(seconds=elapsed), "elapsed": elapsed}


def at_progress(percent: float, state: str) -> Action:
    """Return the running update with a progress in percent."""
    return msgspec.structs.replace(UPDATE, progress=percent, state=state)


def ended(action: Action, status: str, **more: object) -> Action:
    """Return an action that has ended."""
    phase = Phase(status)
    bare = {"progress": None, "state": None, "pending_ops": ()}
    return msgspec.structs.replace(action, **{**bare, "status": status, "phase": phase, **more})


def end(
    elapsed: float, ref: str, action: Action, outcome: str, code: int, message: str
) -> WaitEndEvent:
    """Return the end of a wait."""
    uid = ref.partition("@")[0].removeprefix("action:")
    return WaitEndEvent(
        **time_at(elapsed),
        ref=ref,
        uid=uid,
        outcome=outcome,
        exit_code=code,
        message=message,
        action=action,
        reason=action.reason,
    )


def end_before(ref: str, action: Action, code: int, message: str) -> WaitEndEvent:
    """Return the end of a wait for an action that had ended before."""
    event = end(0.2, ref, action, action.status, code, message)
    return msgspec.structs.replace(event, already_over=True)


FAILED = ended(MAINTENANCE, "failed", error_code="e17", error="no room, 100% full")
COMPLETED = ended(UPDATE, "completed")
COMPLETED_MESSAGE = "SMUpdateBDB on bdb:1 [a1] completed after 3m 30s"
WAITING = PendingWait(ref="crdb:t2", title="crdb:t2", status=None, phase=None, progress=None)
RUNNING = PendingWait(
    ref=REFS[0],
    title="SMUpdateBDB on bdb:1",
    status="active",
    phase=Phase.RUNNING,
    progress=28.57,
)

THREE_WAITS: list[AnyEvent] = [
    SubmittedEvent(**time_at(0), ref="action:a1"),
    WaitsStartedEvent(**time_at(0), refs=REFS),
    WarningEvent(**time_at(0.1), message="the certificate of https://n1:9443 is not verified"),
    ChangeEvent(**time_at(0.2), ref=REFS[0], action=UPDATE),
    ChangeEvent(**time_at(0.2), ref=REFS[1], action=MAINTENANCE),
    ChangeEvent(**time_at(30), ref=REFS[0], action=at_progress(28.57, "reshard")),
    OutageEvent(**time_at(42), over=False, seconds=4.0, reason="it answered 503", ref=None),
    KeepAliveEvent(**time_at(102), waiting=(RUNNING, WAITING), outage=64.0),
    OutageEvent(**time_at(130), over=True, seconds=92.0, reason=None, ref=None),
    OutageEvent(**time_at(131), over=False, seconds=1.0, reason="it answered 500", ref="crdb:t2"),
    ChangeEvent(**time_at(132), ref=REFS[0], action=at_progress(57.14, "rebalance")),
    end(140, REFS[1], FAILED, "failed", 1, "action node:1/maintenance_on failed: e17: 100%\nfull"),
    KeepAliveEvent(**time_at(200), waiting=(WAITING,), outage=None),
    OutageEvent(**time_at(201), over=True, seconds=71.0, reason=None, ref="crdb:t2"),
    end(210, REFS[0], COMPLETED, "completed", 0, COMPLETED_MESSAGE),
    AbandonedEvent(
        **time_at(211), ref="crdb:t2", message="no longer waited for; it goes on", action=None
    ),
    SummaryEvent(
        **time_at(211),
        exit_code=1,
        ended={"completed": 1, "failed": 1},
        left=1,
        why="interrupted",
    ),
]
REJECTED_CALL: list[AnyEvent] = [  # a call that the cluster refused
    KeepAliveEvent(**time_at(60), waiting=(), outage=None),
    WaitEndEvent(
        **time_at(70),
        ref=None,
        uid=None,
        outcome="rejected",
        exit_code=5,
        message="POST /v1/bdbs: the cluster answered 406: weak",
        action=None,
        reason="POST /v1/bdbs: the cluster answered 406: weak",
    ),
    SummaryEvent(**time_at(70), exit_code=5, ended={"rejected": 1}, left=0, why=None),
]


ENDED_BEFORE: list[AnyEvent] = [  # waits for actions that had ended before
    WaitsStartedEvent(**time_at(0), refs=REFS[:2]),
    end_before(REFS[0], COMPLETED, 0, "SMUpdateBDB on bdb:1 [a1] had already completed"),
    end_before(REFS[1], FAILED, 1, "action node:1/maintenance_on had already failed: e17"),
    SummaryEvent(
        **time_at(0.2), exit_code=1, ended={"completed": 1, "failed": 1}, left=0, why=None
    ),
]


def show_events(display: Display, events: Iterable[AnyEvent]) -> Progress:
    """Show events on a display, and close it."""
    progress = Progress()
    for event in events:
        progress.apply(event)
        display.show(event, progress)
    display.close(progress)
    return progress


def golden_text(name: str, actual: str) -> str:
    """Return the expected text.

    If there is none, keep this one as a proposal to be reviewed, and return where it is.
    """
    file = GOLDEN / name
    if not file.exists():
        file.write_text(actual, "utf-8", newline="")
        return f"review {file}"
    return file.read_bytes().decode()


def conforms(line: str) -> bool:
    """Return True if a line has the fields that the schema of events lists, and no others."""
    strict = json.loads(json.dumps(SCHEMA))
    for definition in strict["$defs"].values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    return jsonschema.Draft202012Validator(strict).is_valid(json.loads(line))


def json_lines(events: Iterable[AnyEvent]) -> list[str]:
    """Return the lines of `--output json` for events."""
    lines: list[str] = []
    show_events(JsonDisplay(lines.append), events)
    return lines
