"""The commands `wait` and `submit`.

After the waits, the command writes the reports, closes the display and the connection, and runs the
hook, in this order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

from redis_enterprise_actions._cli.action_references import reference_to
from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.failures import with_advice
from redis_enterprise_actions._cli.listing.command import fetch_selected
from redis_enterprise_actions._cli.listing.query import selection_from
from redis_enterprise_actions._cli.output import print_error, print_line
from redis_enterprise_actions._cli.reference_cache import remember
from redis_enterprise_actions._client.goals import check_goal
from redis_enterprise_actions._client.pacing.schedules import every
from redis_enterprise_actions._client.polling.waiters import QUICK
from redis_enterprise_actions._model.errors import (
    ClusterUnhealthy,
    NothingToFollow,
    RedisActionsError,
    RequestError,
    UsageError,
)
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import Recorder
from redis_enterprise_actions._model.reference import Condition, Reference, parse_reference
from redis_enterprise_actions._model.text import duration_text
from redis_enterprise_actions._report.write import write_report

from .displays import ReferenceDisplay, create_display
from .events import SubmittedEvent, SummaryEvent, WaitEndEvent
from .follow import StopCondition, early_end, follow
from .hook import hook_variables, run_hook
from .plain import JsonDisplay
from .prefixes import resolve_references
from .progress import WaitGoal
from .references import parse_references, report_ended
from .reporter import LogCapture, ProgressReporter


if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from types import TracebackType

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._client.operation import Operation
    from redis_enterprise_actions._model.database_names import NamedReference

    from .displays import Display
    from .follow import WaitOptions


_CALL_UNDER_WAY: Final = "; the call may have been carried out"
_WORK_GOES_ON: Final = "; what runs on the cluster goes on running"
EXIT_FOLLOW_UP_FAILED: Final = 6  # all waits completed, but a report or the hook failed


class ListTimeout(UsageError):
    """The lists that name what to wait for had not come when `--timeout` was over."""

    outcome = Outcome.TIMED_OUT


def run_wait(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the wait for what the arguments name. Reads standard input, if they name that."""
    log = execution.enter_context(LogCapture())
    refs = parse_references(args.ref, print_error)
    needs_user = not refs or any(not _is_idle_node(ref) for ref in refs)
    return wait(
        args, client_from_args(args, execution, needs_user=needs_user), refs, log, execution
    )


def _is_idle_node(ref: Reference | NamedReference) -> bool:
    """Return True if a reference is for a node that is in no cluster, and knows no user."""
    return isinstance(ref, Reference) and ref.condition is Condition.IDLE


async def wait(
    args: argparse.Namespace,
    client: ActionsClient,
    refs: list[Reference | NamedReference],
    log: LogCapture,
    execution: Execution,
) -> int:
    """Follow references, or what the filters match, to the end; return the exit code.

    Raises `UsageError` if there is nothing to wait for and no `--allow-empty`.
    """
    display = create_display(args.output, print_error, client.urls[0])
    reports = ReportWriter(args.report)
    async with AsyncExitStack() as clients:
        await clients.enter_async_context(client)
        reporter = ProgressReporter(display, log, keep_alive=args.keep_alive)  # starts its clock
        progress = reporter.progress
        progress.goal = WaitGoal(args.until, args.hold, args.others or ())
        execution.interrupted_note = lambda: _WORK_GOES_ON if progress.work_goes_on else ""
        found = await _find_references(args, client, refs)
        if not found and not args.allow_empty:
            raise UsageError("there is nothing to wait for; with --allow-empty that is a success")
        async with reporter:
            with reports:
                if isinstance(found, RedisActionsError):
                    code = _report_failed_request(found, reporter)
                else:
                    for ref in found:
                        check_goal(args.until, args.hold, ref)
                    others = [_other_cluster(name) for name in args.others or ()]
                    for other in others:
                        await clients.enter_async_context(other)
                    operations = _operations(client, found, others)
                    remember(client.urls, map(str, operations))
                    code = await follow(
                        operations,
                        stop=StopCondition(args.stop),
                        options={**wait_options(args), "recorder": reports.recorder},
                        reporter=reporter,
                    )
    return await _run_hook(args, reporter, code or reports.exit_code)


def _other_cluster(profile: str) -> ActionsClient:
    """Return the client of a profile, whatever the environment names. Raises `UsageError`."""
    from redis_enterprise_actions._client.client import ActionsClient  # noqa: PLC0415 - rare

    return ActionsClient.from_profile(profile, use_environment=False)


def _operations(
    client: ActionsClient, refs: Sequence[Reference], others: Sequence[ActionsClient]
) -> dict[Reference, Operation]:
    """Return the operations of references; `others` are asked for Active-Active databases, too."""
    operations: dict[Reference, Operation] = {}
    for ref in refs:
        if others and ref.condition is Condition.REPLICATING and not ref.settings:
            operation: Operation = client.crdbs.replicating(ref.uid, others=others)
            operations[parse_reference(operation.ref or "")] = operation
        else:
            operations[ref] = client.operation(str(ref))
    if others and not any(ref.condition is Condition.REPLICATING for ref in operations):
        raise UsageError("--with is for crdb:GUID@replicating")
    return operations


def display_of_call(args: argparse.Namespace, client: ActionsClient) -> Display:
    """Return the display for `submit`. Raises `UsageError`."""
    if args.wait:
        return create_display(args.output, print_error, client.urls[0])
    if args.output == "json":
        return JsonDisplay(print_line)
    return ReferenceDisplay(print_line, print_error)


async def submit(
    args: argparse.Namespace,
    client: ActionsClient,
    starts: Sequence[Callable[[], Awaitable[Operation]]],
    log: LogCapture,
    execution: Execution,
    *,
    display: Display,
) -> int:
    """Make calls, report what they started, and follow that if `args.wait`; return the exit code.

    After a call that fails, the others are made all the same if the command waits.
    """
    if not args.wait:
        async with client, ProgressReporter(display, log, keep_alive=0) as reporter:
            for start in starts:
                await _start(client, start, reporter, execution)
        return 0
    check_goal(args.until, args.hold, None)  # before anything is sent
    reports = ReportWriter(args.report)
    async with client, ProgressReporter(display, log, keep_alive=args.keep_alive) as reporter:
        reporter.progress.goal = WaitGoal(args.until, args.hold)
        with reports:
            operations: dict[Reference, Operation] = {}
            failures: list[RedisActionsError] = []
            code = 0
            try:
                for start in starts:
                    try:
                        operation = await _start(client, start, reporter, execution)
                        operations |= await _followable(operation, reports.recorder)
                    except (RequestError, NothingToFollow, ClusterUnhealthy) as error:
                        _report_failed_end(error, reporter)
                        failures.append(error)
            except UsageError:
                raise  # nothing was sent
            except BaseException as error:
                why, code = early_end(error, reporter)
                reporter.report(
                    SummaryEvent(**reporter.event_time(), exit_code=code, ended={}, left=0, why=why)
                )
                raise
            else:
                code = _report_failures(failures, reporter, is_end=not operations)
                if operations or not failures:
                    code = await follow(
                        operations,
                        stop=StopCondition.ALL,
                        options={**wait_options(args), "recorder": reports.recorder},
                        reporter=reporter,
                        failed=code,
                    )
    return await _run_hook(args, reporter, code or reports.exit_code)


def wait_options(args: argparse.Namespace) -> WaitOptions:
    """Return the options that the arguments set, as `Operation.wait` takes them."""
    options: WaitOptions = {
        "timeout": args.timeout,
        "stall_timeout": args.stall_timeout,
        "until": args.until,
        "hold": args.hold,
    }
    if args.outage_timeout is not None:
        options["outage_timeout"] = args.outage_timeout
    if args.not_found_grace is not None:
        options["not_found_grace"] = args.not_found_grace
    if args.interval is not None:
        options["poll"] = every(args.interval)
    return options


async def _find_references(
    args: argparse.Namespace, client: ActionsClient, refs: list[Reference | NamedReference]
) -> list[Reference] | RequestError | ListTimeout:
    """Return the whole references, or those to what the filters match, or the request's error.

    Actions that have ended are left out, unless `--status` asks for certain statuses. So are lists
    that the account may not read, or that the cluster does not have, unless nothing else matches.
    The lists may be as late after `--timeout` as the last poll of a wait.
    """
    selection = selection_from(args)
    try:
        async with asyncio.timeout(None if args.timeout is None else args.timeout + QUICK):
            if args.ref:
                return await resolve_references(client, refs, print_error)
            actions, missing = await fetch_selected(client, selection, allow_partial=False)
    except RequestError as error:
        return error
    except TimeoutError:
        limit = duration_text(args.timeout or 0.0)
        return ListTimeout(f"the cluster had not listed its actions after {limit}")
    wanted = [action for action in actions if selection.statuses or not action.phase.terminal]
    report_ended(len(actions) - len(wanted), print_error)
    failed = next((error for error in missing if error.transient), None)
    if failed is not None:
        return failed
    if missing and not wanted:
        raise UsageError("not all lists could be read, so there may be something to wait for")
    return [reference_to(action) for action in wanted]


async def _start(
    client: ActionsClient,
    start: Callable[[], Awaitable[Operation]],
    reporter: ProgressReporter,
    execution: Execution,
) -> Operation:
    execution.interrupted_note = lambda: _CALL_UNDER_WAY
    operation = await start()
    execution.interrupted_note = lambda: "" if reporter.progress.ends else _WORK_GOES_ON
    ref, problem = operation.ref, operation.problem
    remember(client.urls, [] if ref is None else [ref])
    reporter.report(SubmittedEvent(**reporter.event_time(), ref=ref, problem=problem))
    return operation


def _report_failed_request(error: RedisActionsError, reporter: ProgressReporter) -> int:
    """Report that a request failed before any wait began; return the exit code."""
    _report_failed_end(error, reporter)
    return _report_failures([error], reporter, is_end=True)


def _report_failed_end(error: RedisActionsError, reporter: ProgressReporter) -> None:
    outcome, message = error.outcome, with_advice(error)
    end = WaitEndEvent(
        **reporter.event_time(),
        ref=None,
        uid=None,
        outcome=outcome.value,
        exit_code=outcome.exit_code,
        message=message,
        action=None,
        reason=message,
    )
    reporter.report(end)


def _report_failures(
    errors: Sequence[RedisActionsError], reporter: ProgressReporter, *, is_end: bool
) -> int:
    """Return the exit code of failed requests, 0 without any; report the end of the command."""
    if not errors:
        return 0
    code = errors[0].outcome.exit_code
    if is_end:
        ended = dict(Counter(error.outcome.value for error in errors))
        summary = SummaryEvent(
            **reporter.event_time(), exit_code=code, ended=ended, left=0, why=None
        )
        reporter.report(summary)
    return code


async def _followable(operation: Operation, recorder: Recorder) -> dict[Reference, Operation]:
    """Return an operation by its reference. Await the end of one that names nothing to follow."""
    if operation.ref is not None:
        return {parse_reference(operation.ref): operation}
    await operation.wait(recorder=recorder)
    return {}


async def _run_hook(args: argparse.Namespace, reporter: ProgressReporter, code: int) -> int:
    """Run the hook, if there is one; return the exit code, which a failed hook makes non-zero."""
    if args.hook is None:
        return code
    variables = hook_variables(
        reporter.progress, code, elapsed=reporter.elapsed, reports=args.report
    )
    problem = await run_hook(args.hook, variables)
    if problem is None:
        return code
    print_error(f"redis-actions: {problem}")
    return code or EXIT_FOLLOW_UP_FAILED


class ReportWriter:
    """Context manager that writes the reports at its end, also after an exception.

    After a `UsageError` before any wait, it writes nothing: earlier reports stay. `exit_code` is 0
    unless a report could not be written.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.recorder = Recorder()
        self.exit_code = 0
        self._files = files

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc, UsageError) and not self.recorder.records():
            return
        for file in self._files:
            try:
                write_report(file, self.recorder.records())
            except (OSError, UsageError) as error:
                print_error(f"redis-actions: --report {file} cannot be written: {error}")
                self.exit_code = EXIT_FOLLOW_UP_FAILED
