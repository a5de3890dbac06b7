"""Records for tests of reports: of a quiet wait, of one with outages, of hostile text."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from redis_enterprise_actions import Evidence, Outage, Outcome, Phase, Record, Transition
from tests.scripted import WALL


HOSTILE_TEXT: Final = (
    "</title><script>alert(1)</script> \"'><img src=x onerror=alert(2)> &amp; ]]> --> "
    "| `x` **b** _i_ [l](http://evil) www.evil @all #1 $x$ ~s~ \\ \x00\x1b[31m\u202e\n# title"
)


def transition(
    at: float, phase: Phase, state: str | None = None, progress: float = 0.0
) -> Transition:
    """Return a transition whose status is the word of its phase."""
    return Transition(at=at, status=phase.value, phase=phase, state=state, progress=progress)


def make_record(after: float = 0.0, **more: object) -> Record:
    """Return the record of a wait that began after `after` seconds and took 100."""
    fields: dict[str, object] = {
        "ref": "action:a1",
        "title": "SMUpdateBDB on bdb:1",
        "began": WALL + timedelta(seconds=after),
        "elapsed": 100.0,
        "polls": 7,
        "outcome": Outcome.COMPLETED,
        "evidence": Evidence.ACTION,
        "transitions": (
            transition(0.0, Phase.PENDING),
            transition(20.0, Phase.RUNNING, "provision", 10.0),
            transition(100.0, Phase.COMPLETED),
        ),
        "progress": ((20.0, 10.0), (60.0, 50.0)),
    }
    return Record(**{**fields, **more})  # type: ignore[arg-type]


QUIET: Final = make_record()
TROUBLED: Final = make_record(
    100.0,
    ref="node:1/remove",
    title="remove on node:1",
    outcome=Outcome.UNREACHABLE,
    evidence=None,
    message="no usable answer from the cluster",
    transitions=(
        transition(10.0, Phase.RUNNING),
        transition(30.0, Phase.CANCELLING),
        transition(50.0, Phase.UNKNOWN),
    ),
    progress=(),
    outages=(
        Outage(began=20.0, ended=30.0, attempts=1, reason="it answered 503"),
        Outage(began=60.0, ended=None, attempts=9, reason="refused"),
    ),
    omitted=3,
)
UNSEEN: Final = make_record(
    50.0, outcome=Outcome.INTERRUPTED, evidence=None, transitions=(), progress=(), elapsed=0.0
)
HOSTILE_RECORD: Final = make_record(
    ref=HOSTILE_TEXT,
    title=HOSTILE_TEXT,
    outcome=Outcome.FAILED,
    message=HOSTILE_TEXT,
    transitions=(Transition(at=0.0, status=HOSTILE_TEXT, phase=Phase.UNKNOWN, state=HOSTILE_TEXT),),
    outages=(Outage(began=0.0, ended=50.0, attempts=1, reason=HOSTILE_TEXT),),
)
CASES: Final = {
    "none": [],
    "one": [QUIET],
    "several": [TROUBLED, QUIET, UNSEEN],
    "hostile": [HOSTILE_RECORD],
    "two hundred": [make_record(n, title=f"SMUpdateBDB on bdb:{n}") for n in range(200)],
}
