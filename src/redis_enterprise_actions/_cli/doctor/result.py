"""Results of the checks of `doctor`, and the report that prints them."""

from __future__ import annotations

import enum
from typing import Final, Literal, TypeAlias

import msgspec

from redis_enterprise_actions._cli.output import print_json, print_line
from redis_enterprise_actions._model.text import count_text, one_line


_MAX_LENGTH: Final = 1000  # characters; a result may quote a server or an operating system


class Level(enum.StrEnum):
    """Severity of a result: a failure keeps the client from using the cluster."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class CheckResult(msgspec.Struct, frozen=True):
    """Result of one check: what was `seen`, at which node, and what to do about it.

    A failure with `any_node_suffices` counts as a warning if another node passes, as the client
    then uses that node.
    """

    level: Level
    check: str
    seen: str
    advice: str | None = None
    node: str | None = None
    any_node_suffices: bool = False

    def __str__(self) -> str:
        text = ". ".join(filter(None, [self.seen, self.advice]))
        text = one_line(f"{self.node}: {text}" if self.node else text)[:_MAX_LENGTH]
        return f"{self.level:<7}  {self.check:<11}  {text}"


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of the lines of `doctor --json`. `v` is the version of their shape."""

    v: Literal[1] = 1


class CheckLine(Line, frozen=True, kw_only=True, tag="check"):
    """Result of one check, as `CheckResult` has it."""

    level: Level
    check: str
    seen: str
    advice: str | None
    node: str | None


class SummaryLine(Line, frozen=True, kw_only=True, tag="done"):
    """Summary, the last line: the number of results of each level, and of requests sent."""

    ok: int
    warnings: int
    failures: int
    requests: int
    exit_code: int


AnyLine: TypeAlias = CheckLine | SummaryLine


class DiagnosticReport:
    """Collection of results that prints each as it is added, as a line or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._levels: list[Level] = []

    def add(self, result: CheckResult) -> None:
        """Print a result, and count it."""
        self._levels.append(result.level)
        if self._as_json:
            seen = one_line(result.seen)[:_MAX_LENGTH]
            print_json(
                CheckLine(
                    level=result.level,
                    check=result.check,
                    seen=seen,
                    advice=result.advice,
                    node=result.node,
                )
            )
        else:
            print_line(str(result))

    def finish(self, requests: int, *, exit_failed: int = 5) -> int:
        """Print the summary; return the exit code: `exit_failed` if a check failed, else 0."""
        ok, warnings, failures = map(self._levels.count, Level)
        code = exit_failed if failures else 0
        if self._as_json:
            print_json(
                SummaryLine(
                    ok=ok,
                    warnings=warnings,
                    failures=failures,
                    requests=requests,
                    exit_code=code,
                )
            )
        else:
            print_line(
                f"{ok} ok, {count_text(warnings, 'warning')}, {count_text(failures, 'failure')}, "
                f"{count_text(requests, 'request')} sent; exit code {code}"
            )
        return code
