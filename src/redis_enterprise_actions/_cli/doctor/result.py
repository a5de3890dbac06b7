"""What one check comes to: a result, and how it is told.

Refuses to know what is looked at.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from redis_enterprise_actions._model.text import one_line


_FAILED_EXIT_CODE: Final = 5
_MAX_LENGTH: Final = 1000  # characters that a line may have of what somebody else says


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was `seen`, of which node if it is about one, and what there is to do about it.

    `spared` is whether it only is a warning where another node is well, as the client then asks
    that.
    """

    level: Level
    check: str
    seen: str
    node: str | None = None
    advice: str | None = None
    any_node_suffices: bool = False

    def __str__(self) -> str:
        where = f"{self.node}: " if self.node else ""
        advice = f". To do: {self.advice}" if self.advice else ""
        said = one_line(f"{where}{self.seen}{advice}")[:_MAX_LENGTH]
        return f"{self.level:<7}  {self.check:<11}  {said}"


class CheckEvent(msgspec.Struct, frozen=True, kw_only=True, tag="check", tag_field="event"):
    """A result, as programs are told it."""

    level: Level
    check: str
    node: str | None
    seen: str
    advice: str | None


class Summary(msgspec.Struct, frozen=True, kw_only=True, tag="done", tag_field="event"):
    """What all checks come to."""

    ok: int
    warnings: int
    failures: int
    requests: int
    exit_code: int

    def __str__(self) -> str:
        counts = (
            (self.ok, "ok", "ok"),
            (self.warnings, "warning", "warnings"),
            (self.failures, "failure", "failures"),
            (self.requests, "request sent", "requests sent"),
        )
        told = ", ".join(f"{number} {one if number == 1 else more}" for number, one, more in counts)
        return f"{told}; exit code {self.exit_code}"


def check_event(result: CheckResult) -> CheckEvent:
    """Return a result without what is nobody's business."""
    return CheckEvent(
        level=result.level,
        check=result.check,
        node=result.node,
        seen=one_line(result.seen)[:_MAX_LENGTH],
        advice=result.advice,
    )


def downgrade(results: list[CheckResult]) -> list[CheckResult]:
    """Return results of one check at all nodes, gentler where one node is enough."""
    well = any(each.level is not Level.FAILURE for each in results)
    return [
        msgspec.structs.replace(each, level=Level.WARNING)
        if well and each.any_node_suffices and each.level is Level.FAILURE
        else each
        for each in results
    ]


def summarize(
    results: list[CheckResult], requests: int, *, refused: int = _FAILED_EXIT_CODE
) -> Summary:
    """Sum up. `refused` is the exit code where something has failed."""
    count = [each.level for each in results].count
    failures = count(Level.FAILURE)
    return Summary(
        ok=count(Level.OK),
        warnings=count(Level.WARNING),
        failures=failures,
        requests=requests,
        exit_code=refused if failures else 0,
    )
