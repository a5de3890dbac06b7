"""Wait for several operations at once, and derive one exit code from their ends."""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Final, TypedDict

from redis_enterprise_actions._cli.output import EXIT_INTERNAL_ERROR
from redis_enterprise_actions._model.action import Action, last_seen_text
from redis_enterprise_actions._model.errors import (
    ActionAborted,
    ActionCancelled,
    ActionFailed,
    ActionNotFound,
    ActionStalled,
    ClusterUnreachable,
    RequestError,
    UsageError,
    WaitError,
)
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import already_ended_text, without_record
from redis_enterprise_actions._model.text import duration_text

from .end_text import completed_text, goal_text
from .events import AbandonedEvent, ChangeEvent, SummaryEvent, WaitEndEvent, WaitsStartedEvent


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.operation import Operation
    from redis_enterprise_actions._model.record import FinishedAction, Recorder
    from redis_enterprise_actions._model.reference import Reference

    from .reporter import ProgressReporter

# Of several waits, the most definite bad outcome decides. One outcome stands for each exit code.
EXIT_CODES_WORST_FIRST: Final = tuple(
    outcome.exit_code
    for outcome in (
        Outcome.FAILED,
        Outcome.NOT_FOUND,
        Outcome.TIMED_OUT,
        Outcome.UNREACHABLE,
        Outcome.WRONG_USAGE,
        Outcome.COMPLETED,
    )
)


class WaitOptions(TypedDict, total=False):
    """Keyword arguments of `Operation.wait` that the command uses."""

    timeout: float | None
    poll: WaitBaseT | None
    on_progress: Callable[[Action], object] | None
    stall_timeout: float | None
    outage_timeout: float | None
    not_found_grace: float
    until: str | None
    hold: float
    recorder: Recorder | None


class StopCondition(enum.StrEnum):
    """Condition under which the end of some waits ends the others, spelled as the option is."""

    ALL = "all"
    FAIL_FAST = "fail-fast"
    ANY = "any"

    def stop_reason(self, codes: Iterable[int]) -> str | None:
        """Return why the other waits can stop after ends with these exit codes, or None."""
        if self is StopCondition.ANY and 0 in codes:
            return "one has completed, as --any asks for"
        if self is StopCondition.FAIL_FAST and any(codes):
            return "one did not complete, and --fail-fast ends the others' waits"
        return None

    def exit_code(self, codes: Iterable[int]) -> int:
        """Return the exit code of all waits together, 0 if there is none."""
        if self is StopCondition.ANY and 0 in codes:
            return 0
        worst_first = (code for code in EXIT_CODES_WORST_FIRST if code in codes)
        return next(worst_first, max(codes, default=0))


async def follow(
    operations: Mapping[Reference, Operation],
    *,
    stop: StopCondition,
    options: WaitOptions,
    reporter: ProgressReporter,
    failed: int = 0,
) -> int:
    """Follow operations until `stop` is met or all have ended; return the exit code.

    The end of each wait is reported, also if this is cancelled or the display fails. The work on
    the cluster goes on. The message of a cancellation, if it is an int, is the exit code. `failed`
    is that of calls that failed before, 0 without any.
    """
    codes: dict[Reference, int] = {}

    async def follow_and_keep(ref: Reference, operation: Operation) -> None:
        codes[ref] = await _follow_one(ref, operation, options, reporter)

    reporter.report(WaitsStartedEvent(**reporter.event_time(), refs=tuple(map(str, operations))))
    tasks = {asyncio.create_task(follow_and_keep(*each)) for each in operations.items()}
    why: str | None = None
    exit_code = 0
    try:
        why = await _wait_until(stop, tasks, codes)
        exit_code = failed or stop.exit_code(set(codes.values()))
    except BaseException as error:
        why, exit_code = early_end(error, reporter)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        abandoned = [str(ref) for ref in operations if ref not in codes]
        for ref in abandoned:
            wait = reporter.progress.waits[ref]
            message = f"no longer waited for; it goes on: {wait.summary}"
            reporter.report(
                AbandonedEvent(
                    **reporter.event_time(), ref=ref, message=message, action=wait.action
                )
            )
        reporter.report(
            SummaryEvent(
                **reporter.event_time(),
                exit_code=exit_code,
                ended=reporter.progress.outcome_counts,
                left=len(abandoned),
                why=why,
            )
        )
    return exit_code


def early_end(error: BaseException, reporter: ProgressReporter) -> tuple[str, int]:
    """Return why an error, or a cancellation, ends the command early, and the exit code."""
    if isinstance(error, Exception) or reporter.display_failed:
        return "unexpected error", EXIT_INTERNAL_ERROR
    codes = (arg for arg in error.args if isinstance(arg, int))
    return "interrupted", next(codes, Outcome.INTERRUPTED.exit_code)


async def _wait_until(
    stop: StopCondition, tasks: set[asyncio.Task[None]], codes: Mapping[Reference, int]
) -> str | None:
    """Wait until enough tasks have ended; return why that is not all of them, or None."""
    pending = tasks
    while pending:
        ended, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
        why = stop.stop_reason(set(codes.values()))
        if why is not None and pending:
            return why
    return None


async def _follow_one(
    ref: Reference, operation: Operation, options: WaitOptions, reporter: ProgressReporter
) -> int:
    """Follow one operation to its end and report it; return its exit code."""

    def on_progress(action: Action) -> None:
        reporter.report(ChangeEvent(**reporter.event_time(), ref=str(ref), action=action))

    with_progress: WaitOptions = {**options, "on_progress": on_progress}
    result: FinishedAction | WaitError | RequestError | UsageError
    seen: Action | None
    try:
        result = await operation.wait(**with_progress)
    except (WaitError, RequestError, UsageError) as error:
        result = error
    record = None if isinstance(result, UsageError) else result.record
    already_ended = None if record is None else already_ended_text(record)
    if isinstance(result, Action):
        message = completed_text(ref, result, options.get("until"))
        outcome, seen = result.record.outcome, without_record(result)
    else:
        message, outcome = str(result), result.outcome
        seen = None if isinstance(result, UsageError) else result.action
    reporter.report(
        WaitEndEvent(
            **reporter.event_time(),
            ref=str(ref),
            uid=ref.name,
            outcome=outcome.value,
            exit_code=outcome.exit_code,
            message=message,
            action=seen,
            already_over=already_ended is not None,
            reason=_reason(result, options),
        )
    )
    return outcome.exit_code


def _reason(
    result: FinishedAction | WaitError | RequestError | UsageError, options: WaitOptions
) -> str | None:
    """Return in a few words why a wait did not end well, or how the action stood."""
    reason: str | None
    match result:
        case Action():
            reason = goal_text(result.record, options.get("until"))
        case ActionFailed() | ActionCancelled() | ActionAborted():
            reason = None if result.action is None else result.action.reason
        case ActionNotFound():
            reason = "unknown to the cluster"
        case ActionStalled():
            still = duration_text(result.stall_timeout)
            reason = f"{last_seen_text(result.action)}; nothing moved for {still}"
        case WaitError():
            reason = last_seen_text(result.action)
        case UsageError():
            reason = str(result)
        case _ if type(result) is ClusterUnreachable:
            reason = ". ".join(filter(None, (result.reason, result.hint)))
        case _:
            reason = result.detail
    return reason
