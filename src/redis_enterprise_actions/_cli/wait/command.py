"""What surrounds the waits of one command: what is shown of them, and what follows.

Decides in which order things end: the reports, the display, the connection, and last the hook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from redis_enterprise_actions._cli.listing.command import seen
from redis_enterprise_actions._cli.listing.query import selection_of
from redis_enterprise_actions._cli.output import complain, end_of, print_line
from redis_enterprise_actions._model.errors import NothingToFollow, RequestError, UsageError
from redis_enterprise_actions._model.record import Recorder
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions._report.write import write_report

from . import hook as _hook
from .displays import Bare, display_of
from .events import Done, End, Submitted
from .follow import Until, follow
from .options import wait_options
from .plain import JsonLines
from .references import reference_of, tell_ended
from .reporter import Teller


if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Mapping, Sequence
    from types import TracebackType

    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._client.operation import Operation
    from redis_enterprise_actions._model.reference import Reference

    from .displays import Display
    from .reporter import Overheard


BESIDES: Final = 6  # the exit code where all went well but for a report, or the hook
_UNSEEN: Final = "whether there is nothing to wait for is not known, as not all lists could be had"
_EMPTY: Final = "there is nothing to wait for; with --allow-empty that is a success"


async def wait(
    args: argparse.Namespace, client: ActionsClient, refs: list[Reference], overheard: Overheard
) -> int:
    """Follow references, or what the filters match, to the end; return the exit code.

    Raises `UsageError` if there is nothing to wait for and no `--allow-empty`.
    """
    display, reports = display_of(args.output, complain), Reports(args.report)
    async with client:
        teller = Teller(display, overheard, keep_alive=args.keep_alive)  # its clock begins here
        found = refs if args.ref else await _selected(args, client)
        if not found and not args.allow_empty:
            raise UsageError(_EMPTY)
        async with teller:
            with reports:
                if isinstance(found, RequestError):
                    code = _tell_refused(found, teller)
                else:
                    operations = {ref: client.operation(str(ref)) for ref in found}
                    code = await _followed(args, operations, teller, reports, until=args.until)
    return await _hooked(args, teller, code or reports.code)


async def _selected(
    args: argparse.Namespace, client: ActionsClient
) -> list[Reference] | RequestError:
    """Return references to what the filters match, or the error of the look.

    Actions that have ended are left out, unless `--status` asks for certain statuses.
    """
    selection = selection_of(args)
    try:
        actions, complete = await seen(client, selection)
    except RequestError as error:
        return error
    wanted = [each for each in actions if selection.statuses or not each.phase.terminal]
    tell_ended(len(actions) - len(wanted), complain)
    if not wanted and not complete:
        raise UsageError(_UNSEEN)
    return [reference_of(action) for action in wanted]


async def submit(
    args: argparse.Namespace,
    client: ActionsClient,
    starting: Awaitable[Operation],
    overheard: Overheard,
) -> int:
    """Make a call, say what it has started, follow that if told to; return the exit code."""
    if not args.wait:
        async with client, Teller(_display_of_call(args), overheard, keep_alive=0) as teller:
            await _started(starting, teller)
        return 0
    display, reports = display_of(args.output, complain), Reports(args.report)
    async with client, Teller(display, overheard, keep_alive=args.keep_alive) as teller:
        with reports:
            code = await _submitted(args, starting, teller, reports)
    return await _hooked(args, teller, code or reports.code)


def _display_of_call(args: argparse.Namespace) -> Display:
    """Return the display of a call that is not followed, which a script may read."""
    return JsonLines(print_line) if args.output == "json" else Bare(print_line, complain)


async def _started(starting: Awaitable[Operation], teller: Teller) -> Operation:
    operation = await starting
    said = Submitted(**teller.stamp(), ref=operation.ref, problem=operation.problem)
    teller.tell(said)
    return operation


async def _submitted(
    args: argparse.Namespace, starting: Awaitable[Operation], teller: Teller, reports: Reports
) -> int:
    try:
        operation = await _started(starting, teller)
        if operation.ref is None:
            await operation.wait(recorder=reports.recorder)
    except (RequestError, NothingToFollow) as error:
        return _tell_refused(error, teller)
    operations = {} if operation.ref is None else {parse_reference(operation.ref): operation}
    return await _followed(args, operations, teller, reports, until=Until.ALL)


def _tell_refused(error: RequestError | NothingToFollow, teller: Teller) -> int:
    """Tell the display that a request failed before any wait began; return the exit code."""
    outcome, code = end_of(error)
    end = End(
        **teller.stamp(),
        ref=None,
        uid=None,
        outcome=outcome,
        exit_code=code,
        message=str(error),
        action=None,
    )
    teller.tell(end)
    done = Done(**teller.stamp(), exit_code=code, ended={outcome: 1}, left=0, why=None)
    teller.tell(done)
    return code


async def _followed(
    args: argparse.Namespace,
    operations: Mapping[Reference, Operation],
    teller: Teller,
    reports: Reports,
    *,
    until: Until,
) -> int:
    options = wait_options(args)
    options["recorder"] = reports.recorder
    return await follow(operations, until=until, options=options, teller=teller)


async def _hooked(args: argparse.Namespace, teller: Teller, code: int) -> int:
    """Run the hook, if there is one; return the exit code, which it can make worse."""
    if args.hook is None:
        return code
    facts = _hook.told(teller.board, code, elapsed=teller.elapsed, reports=args.report)
    problem = await _hook.run(args.hook, facts)
    if problem is None:
        return code
    complain(f"redis-actions: {problem}")
    return code or BESIDES


class Reports:
    """The reports that are written at the end of a `with`, however it comes.

    `code` is 0 until one of them could not be.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.recorder = Recorder()
        self.code = 0
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
                complain(f"redis-actions: --report {file} cannot be written: {error}")
                self.code = BESIDES
