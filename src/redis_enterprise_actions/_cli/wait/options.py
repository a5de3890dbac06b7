"""Command line options of waits, for `wait` and `submit --wait`."""

from __future__ import annotations

import argparse
import re
from typing import Final

from redis_enterprise_actions._client.pacing.schedules import every
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._report.write import check_report

from .displays import OUTPUTS
from .follow import StopCondition, WaitOptions


_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_KEEP_ALIVE: Final = 60.0  # seconds

_LIMITS: Final = (
    ("--timeout", "give up after this long (default: never)"),
    ("--stall-timeout", "give up when nothing has moved for this long (default: never)"),
    (
        "--outage-timeout",
        "give up after an outage this long (default: 5m, and 10s for a call of submit)",
    ),
    (
        "--not-found-grace",
        "tolerate 'not found' this long (default: 10s, and 60s for exports and the like)",
    ),
)
_STOP_CONDITIONS: Final = (
    (StopCondition.ALL, "follow each to its end, however the others end (the default)"),
    (StopCondition.FAIL_FAST, "stop at the first that does not complete"),
    (StopCondition.ANY, "stop, with 0, at the first that completes"),
)


def parse_duration(text: str) -> float:
    """Return a duration of the command line, `90`, `90s`, `1.5m` or `2h`, in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90, 30s, 15m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def parse_interval(text: str) -> float:
    """Return a duration that is longer than 0, in seconds."""
    seconds = parse_duration(text)
    if seconds == 0:
        raise argparse.ArgumentTypeError("an interval must be longer than 0")
    return seconds


def parse_report_path(text: str) -> str:
    """Return the path of a file that a report can be written to."""
    try:
        check_report(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def add_wait_options(command: argparse.ArgumentParser) -> None:
    """Add the options of a wait: its limits, its display, its reports and the hook."""
    limits = command.add_argument_group("how long to wait")
    for name, text in _LIMITS:
        limits.add_argument(name, type=parse_duration, metavar="TIME", help=text)
    text = "ask this often (default: when the end is due)"
    limits.add_argument("--interval", type=parse_interval, metavar="TIME", help=text)

    display = command.add_argument_group("what is shown")
    output = display.add_mutually_exclusive_group()
    text = (
        "auto (the default) is github or gitlab in their pipelines, rich (live bars) on a terminal "
        "if rich is installed, and plain otherwise"
    )
    output.add_argument("--output", choices=OUTPUTS, default="auto", help=text)
    text = "short for --output json: one JSON object a line"
    output.add_argument("--json", action="store_const", dest="output", const="json", help=text)
    text = "print a line at least this often while still waiting (default: 60s; 0: never)"
    display.add_argument(
        "--keep-alive", type=parse_duration, default=_KEEP_ALIVE, metavar="TIME", help=text
    )

    after = command.add_argument_group("what follows the wait")
    text = "write a record of the wait, as .html, .svg, .md or .json; can be repeated"
    after.add_argument(
        "--report", type=parse_report_path, action="append", default=[], metavar="FILE", help=text
    )
    text = "run a command in the shell, with REDIS_ACTIONS_OUTCOME and more in its environment"
    after.add_argument("--hook", metavar="CMD", help=text)


def add_stop_options(command: argparse.ArgumentParser) -> None:
    """Add the options that say when several waits stop, and if there may be none."""
    group = command.add_argument_group("of several")
    several = group.add_mutually_exclusive_group()
    for condition, text in _STOP_CONDITIONS:
        several.add_argument(
            f"--{condition}", action="store_const", dest="until", const=condition, help=text
        )
    text = "exit with 0, not 2, if there is nothing to wait for"
    group.add_argument("--allow-empty", action="store_true", help=text)
    command.set_defaults(until=StopCondition.ALL)


def wait_options(args: argparse.Namespace) -> WaitOptions:
    """Return the options that the arguments set, as `Operation.wait` takes them."""
    options: WaitOptions = {"timeout": args.timeout, "stall_timeout": args.stall_timeout}
    if args.outage_timeout is not None:
        options["outage_timeout"] = args.outage_timeout
    if args.not_found_grace is not None:
        options["not_found_grace"] = args.not_found_grace
    if args.interval is not None:
        options["poll"] = every(args.interval)
    return options
