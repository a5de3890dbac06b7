"""Results of the checks of `doctor`, and the report that prints them."""

from __future__ import annotations

import enum
from typing import Final, Self

import msgspec

from redis_enterprise_actions._cli.output import print_json, print_line
from redis_enterprise_actions._model.text import count_text, one_line


_MAX_LENGTH: Final = 1000  # characters; a result may quote a server or an operating system


class Level(enum.StrEnum):
    """Severity of a result."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one check: what was `seen`, at which node, and what to do about it.

    A failure with `any_node_suffices` counts as a warning if another node passes the check, as the
    client then uses that node.
    """

    level: Level
    check: str
    seen: str
    node: str | None = None
    advice: str | None = None
    any_node_suffices: bool = False

    @classmethod
    def ok(cls, check: str, seen: str, *, node: str | None = None) -> Self:
        """Return the result of a check that passed."""
        return cls(level=Level.OK, check=check, seen=seen, node=node)

    @classmethod
    def warning(
        cls, check: str, seen: str, advice: str | None = None, *, node: str | None = None
    ) -> Self:
        """Return the result of a check that found a problem which does not stop the client."""
        return cls(level=Level.WARNING, check=check, seen=seen, node=node, advice=advice)

    @classmethod
    def failure(
        cls,
        check: str,
        seen: str,
        advice: str | None = None,
        *,
        node: str | None = None,
        any_node_suffices: bool = False,
    ) -> Self:
        """Return the result of a check that failed."""
        return cls(
            level=Level.FAILURE,
            check=check,
            seen=seen,
            node=node,
            advice=advice,
            any_node_suffices=any_node_suffices,
        )

    def __str__(self) -> str:
        node = f"{self.node}: " if self.node else ""
        advice = f". To do: {self.advice}" if self.advice else ""
        text = one_line(f"{node}{self.seen}{advice}")[:_MAX_LENGTH]
        return f"{self.level:<7}  {self.check:<11}  {text}"


class DiagnosticReport:
    """Collection of results that prints each as it is added, as a line or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._levels: list[Level] = []

    def add(self, result: CheckResult) -> None:
        """Print a result, and count it."""
        self._levels.append(result.level)
        if self._as_json:
            print_json(
                {
                    "event": "check",
                    "level": result.level,
                    "check": result.check,
                    "node": result.node,
                    "seen": one_line(result.seen)[:_MAX_LENGTH],
                    "advice": result.advice,
                }
            )
        else:
            print_line(str(result))

    def finish(self, requests: int, *, exit_failed: int = 5) -> int:
        """Print the summary; return the exit code: `exit_failed` if a check failed, else 0."""
        ok, warnings, failures = map(self._levels.count, Level)
        code = exit_failed if failures else 0
        if self._as_json:
            print_json(
                {
                    "event": "done",
                    "ok": ok,
                    "warnings": warnings,
                    "failures": failures,
                    "requests": requests,
                    "exit_code": code,
                }
            )
        else:
            print_line(
                f"{ok} ok, {count_text(warnings, 'warning')}, {count_text(failures, 'failure')}, "
                f"{count_text(requests, 'request')} sent; exit code {code}"
            )
        return code
