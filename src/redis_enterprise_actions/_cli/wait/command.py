"""What surrounds the waits of one command: what is shown of them, and what follows.

Decides in which order things end: the reports, the display, the connection, and last the hook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from redis_enterprise_actions._cli.listing.command import fetch_selected
from redis_enterprise_actions._cli.listing.query import selection_from
from redis_enterprise_actions._cli.output import outcome_of, print_error, print_line
from redis_enterprise_actions._model.errors import NothingToFollow, RequestError, UsageError
from redis_enterprise_actions._model.record import Recorder
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions._report.write import write_report

from . import hook as _hook
from .displays import ReferenceDisplay, create_display
from .events import SubmittedEvent, SummaryEvent, WaitEndEvent
from .follow import StopCondition, follow
from .options import wait_options
from .plain import JsonDisplay
from .references import reference_to, report_ended
from .reporter import ProgressReporter


if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Mapping, Sequence
    from types import TracebackType

    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._client.operation import Operation
    from redis_enterprise_actions._model.reference import Reference

    from .displays import Display
    from .reporter import LogCapture


EXIT_FOLLOW_UP_FAILED: Final = 6  # the exit code where all went well but for a report, or the hook
_LISTS_INCOMPLETE: Final = (
    "whether there is nothing to wait for is not known, as not all lists could be had"
)
_NOTHING_TO_WAIT_FOR: Final = "there is nothing to wait for; with --allow-empty that is a success"


async def wait(
    args: argparse.Namespace, client: ActionsClient, refs: list[Reference], log_capture: LogCapture
) -> int:
    """Follow references, or what the filters match, to the end; return the exit code.

    Raises `UsageError` if there is nothing to wait for and no `--allow-empty`.
    """
    display, reports = create_display(args.output, print_error), ReportWriter(args.report)
    async with client:
        reporter = ProgressReporter(
            display, log_capture, keep_alive=args.keep_alive
        )  # its clock begins here
        found = refs if args.ref else await _find_references(args, client)
        if not found and not args.allow_empty:
            raise UsageError(_NOTHING_TO_WAIT_FOR)
        async with reporter:
            with reports:
                if isinstance(found, RequestError):
                    code = _report_failed_request(found, reporter)
                else:
                    operations = {ref: client.operation(str(ref)) for ref in found}
                    code = await _follow(args, operations, reporter, reports, until=args.until)
    return await _run_hook(args, reporter, code or reports.exit_code)


async def _find_references(
    args: argparse.Namespace, client: ActionsClient
) -> list[Reference] | RequestError:
    """Return references to what the filters match, or the error of the look.

    Actions that have ended are left out, unless `--status` asks for certain statuses.
    """
    selection = selection_from(args)
    try:
        actions, complete = await fetch_selected(client, selection)
    except RequestError as error:
        return error
    wanted = [each for each in actions if selection.statuses or not each.phase.terminal]
    report_ended(len(actions) - len(wanted), print_error)
    if not wanted and not complete:
        raise UsageError(_LISTS_INCOMPLETE)
    return [reference_to(action) for action in wanted]


async def submit(
    args: argparse.Namespace,
    client: ActionsClient,
    starting: Awaitable[Operation],
    log_capture: LogCapture,
) -> int:
    """Make a call, say what it has started, follow that if told to; return the exit code."""
    if not args.wait:
        async with (
            client,
            ProgressReporter(_submit_display(args), log_capture, keep_alive=0) as reporter,
        ):
            await _start(starting, reporter)
        return 0
    display, reports = create_display(args.output, print_error), ReportWriter(args.report)
    async with (
        client,
        ProgressReporter(display, log_capture, keep_alive=args.keep_alive) as reporter,
    ):
        with reports:
            code = await _start_and_follow(args, starting, reporter, reports)
    return await _run_hook(args, reporter, code or reports.exit_code)


def _submit_display(args: argparse.Namespace) -> Display:
    """Return the display of a call that is not followed, which a script may read."""
    return (
        JsonDisplay(print_line)
        if args.output == "json"
        else ReferenceDisplay(print_line, print_error)
    )


async def _start(starting: Awaitable[Operation], reporter: ProgressReporter) -> Operation:
    operation = await starting
    said = SubmittedEvent(**reporter.event_time(), ref=operation.ref, problem=operation.problem)
    reporter.report(said)
    return operation


async def _start_and_follow(
    args: argparse.Namespace,
    starting: Awaitable[Operation],
    reporter: ProgressReporter,
    reports: ReportWriter,
) -> int:
    try:
        operation = await _start(starting, reporter)
        if operation.ref is None:
            await operation.wait(recorder=reports.recorder)
    except (RequestError, NothingToFollow) as error:
        return _report_failed_request(error, reporter)
    operations = {} if operation.ref is None else {parse_reference(operation.ref): operation}
    return await _follow(args, operations, reporter, reports, until=StopCondition.ALL)


def _report_failed_request(
    error: RequestError | NothingToFollow, reporter: ProgressReporter
) -> int:
    """Tell the display that a request failed before any wait began; return the exit code."""
    outcome, code = outcome_of(error)
    end = WaitEndEvent(
        **reporter.event_time(),
        ref=None,
        uid=None,
        outcome=outcome,
        exit_code=code,
        message=str(error),
        action=None,
    )
    reporter.report(end)
    done = SummaryEvent(
        **reporter.event_time(), exit_code=code, ended={outcome: 1}, left=0, why=None
    )
    reporter.report(done)
    return code


async def _follow(
    args: argparse.Namespace,
    operations: Mapping[Reference, Operation],
    reporter: ProgressReporter,
    reports: ReportWriter,
    *,
    until: StopCondition,
) -> int:
    options = wait_options(args)
    options["recorder"] = reports.recorder
    return await follow(operations, until=until, options=options, reporter=reporter)


async def _run_hook(args: argparse.Namespace, reporter: ProgressReporter, code: int) -> int:
    """Run the hook, if there is one; return the exit code, which it can make worse."""
    if args.hook is None:
        return code
    facts = _hook.hook_variables(
        reporter.progress, code, elapsed=reporter.elapsed, reports=args.report
    )
    problem = await _hook.run_hook(args.hook, facts)
    if problem is None:
        return code
    print_error(f"redis-actions: {problem}")
    return code or EXIT_FOLLOW_UP_FAILED


class ReportWriter:
    """The reports that are written at the end of a `with`, however it comes.

    `code` is 0 until one of them could not be.
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
        for file in self._files:
            try:
                write_report(file, self.recorder.records())
            except (OSError, UsageError) as error:
                print_error(f"redis-actions: --report {file} cannot be written: {error}")
                self.exit_code = EXIT_FOLLOW_UP_FAILED
