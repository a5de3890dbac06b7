"""The command `redis-actions`: dispatch to its subcommands, and the exit code.

Progress and results go to standard output, errors to standard error.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .arguments import parse_arguments
from .commands import load
from .execution import Execution
from .output import OutputError, flush_or_discard, open_closed_streams, print_error


if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # an encoding error must not end a wait
    try:
        return _run(parse_arguments(argv))
    except KeyboardInterrupt:
        print_error("interrupted")
        return 130
    except Exception as error:  # noqa: BLE001 - a traceback may show secrets
        from .failures import report_failure  # noqa: PLC0415 - --help and Tab do not need it

        return report_failure(error)


def _run(args: argparse.Namespace) -> int:
    """Run the subcommand that the command line names, and return its exit code.

    The handlers ask for a password and read standard input before the loop runs, as Ctrl-C would
    not end these in the loop.
    """
    from .logs import unhandled_logs_to_stderr  # noqa: PLC0415 - --help and Tab do not need it
    from .signals import SignalHandler  # noqa: PLC0415 - as above

    execution = Execution()

    def on_interrupt() -> None:
        if not execution.is_service:
            print_error(f"interrupted{execution.interrupted_note()}")
        if execution.capture is not None:
            from .captured import give_up  # noqa: PLC0415 - as above

            give_up()

    signals = SignalHandler(on_interrupt)
    try:
        with signals, unhandled_logs_to_stderr(verbose=bool(args.verbose)), execution:
            handler = load(args.handler)
            signals.interrupt_from_now_on()
            work = handler(args, execution)
            if isinstance(work, int):
                return work
            if execution.capture is not None:
                from .captured import captured  # noqa: PLC0415 - as above

                work = captured(work, execution.capture, args.capture)
            return signals.run(work)
    except KeyboardInterrupt:
        on_interrupt()
        return signals.exit_code
    except OutputError:
        if signals.received is None:
            raise
        return signals.exit_code
    finally:
        if signals.received is not None:
            flush_or_discard(sys.stdout)  # the terminal may be gone
