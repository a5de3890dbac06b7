"""How several waits are followed to their ends, and what exit code they come to.

Knows when enough has ended. Tells what happens, and refuses to know how that is shown.
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.output import EXIT_INTERNAL_ERROR, outcome_of
from redis_enterprise_actions._model.action import Action
from redis_enterprise_actions._model.errors import RequestError, WaitError
from redis_enterprise_actions._model.record import age_at_end, already_ended_text, without_record
from redis_enterprise_actions._model.text import duration_text, one_line

from .events import AbandonedEvent, ChangeEvent, SummaryEvent, WaitEndEvent, WaitsStartedEvent


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from redis_enterprise_actions._client.operation import Operation, WaitOptions
    from redis_enterprise_actions._model.record import FinishedAction
    from redis_enterprise_actions._model.reference import Reference

    from .reporter import ProgressReporter

EXIT_CODES_WORST_FIRST: Final = (
    1,
    4,
    3,
    5,
    0,
)  # of several waits, the most definite bad news decides
_CRASH: Final = "an error that was not foreseen"
_INTERRUPTED: Final = 130  # unless the cancellation says otherwise


class StopCondition(enum.StrEnum):
    """Which ends of waits end the others, in the spelling of the options."""

    ALL = "all"
    FAIL_FAST = "fail-fast"
    ANY = "any"

    def stop_reason(self, codes: Iterable[int]) -> str | None:
        """Return why the rest need not be waited for after these exit codes, or None."""
        if self is StopCondition.ANY and 0 in codes:
            return "one has completed, as --any asks for"
        if self is StopCondition.FAIL_FAST and any(codes):
            return "one did not complete, and --fail-fast ends the others' waits"
        return None

    def exit_code(self, codes: Iterable[int]) -> int:
        """Return the exit code of all; of none it is 0."""
        if self is StopCondition.ANY and 0 in codes:
            return 0
        return next(
            (code for code in EXIT_CODES_WORST_FIRST if code in codes), max(codes, default=0)
        )


async def follow(
    operations: Mapping[Reference, Operation],
    *,
    until: StopCondition,
    options: WaitOptions,
    reporter: ProgressReporter,
) -> int:
    """Follow operations until enough have ended; return the exit code.

    However it ends, it is told how each wait did. What runs on the cluster goes on. Whoever
    cancels it can give the exit code as the message.
    """
    reporter.report(WaitsStartedEvent(**reporter.event_time(), refs=tuple(map(str, operations))))
    why: str | None = "interrupted"
    code = _INTERRUPTED
    codes: dict[Reference, int] = {}

    async def wait(ref: Reference, operation: Operation) -> None:
        codes[ref] = await _follow_one(ref, operation, options, reporter)

    tasks = {asyncio.create_task(wait(*each)) for each in operations.items()}
    try:
        why = await _wait_until_stopped(tasks, until, codes)
        code = until.exit_code(set(codes.values()))
    except asyncio.CancelledError as error:
        code = next((said for said in error.args if isinstance(said, int)), code)
        if reporter.display_failed:
            why, code = _CRASH, EXIT_INTERNAL_ERROR
        raise
    except Exception:
        why, code = _CRASH, EXIT_INTERNAL_ERROR
        raise
    finally:
        await _cancel(tasks)
        left = [ref for ref in operations if ref not in codes]
        for ref in left:
            _report_abandoned(ref, reporter)
        ended = reporter.progress.outcome_counts
        reporter.report(
            SummaryEvent(
                **reporter.event_time(), exit_code=code, ended=ended, left=len(left), why=why
            )
        )
    return code


async def _wait_until_stopped(
    tasks: set[asyncio.Task[None]], until: StopCondition, codes: Mapping[Reference, int]
) -> str | None:
    """Wait until enough have ended; return why that is not all of them, or None."""
    pending = tasks
    while pending:
        ended, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
        why = until.stop_reason(set(codes.values()))
        if why is not None and pending:
            return why
    return None


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _follow_one(
    ref: Reference, operation: Operation, options: WaitOptions, reporter: ProgressReporter
) -> int:
    """Follow one operation to its end, and tell it; return the exit code for it."""

    def changed(action: Action) -> None:
        reporter.report(ChangeEvent(**reporter.event_time(), ref=str(ref), action=action))

    told: WaitOptions = {**options, "on_progress": changed}
    result: FinishedAction | WaitError | RequestError
    try:
        result = await operation.wait(**told)
    except (WaitError, RequestError) as error:
        result = error
    outcome, code = outcome_of(result)
    if isinstance(result, Action):
        action: Action | None = without_record(result)
        said = f"{result.title} [{one_line(ref.name)}] {_completion_text(result)}"
    else:
        action, said = result.action, str(result)
    reporter.report(
        WaitEndEvent(
            **reporter.event_time(),
            ref=str(ref),
            uid=ref.name,
            outcome=outcome,
            exit_code=code,
            message=said,
            action=action,
            already_over=result.record is not None
            and already_ended_text(result.record) is not None,
        )
    )
    return code


def _completion_text(action: FinishedAction) -> str:
    """Return in words how an action has completed, as far as the wait for it can tell."""
    record = action.record
    age = age_at_end(action, record)
    about = "" if age is None else f", about {duration_text(age)} after it was created"
    return already_ended_text(record) or f"completed after waiting {record.elapsed:.1f} s{about}"


def _report_abandoned(ref: Reference, reporter: ProgressReporter) -> None:
    wait = reporter.progress.waits[str(ref)]
    said = f"no longer waited for; it goes on: {wait.summary}"
    reporter.report(
        AbandonedEvent(**reporter.event_time(), ref=str(ref), message=said, action=wait.action)
    )
