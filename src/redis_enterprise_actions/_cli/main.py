"""What the terminal shows and what the exit code says: the command `redis-actions`.

Progress and results go to standard output, complaints to standard error.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.doctor.command import doctor
from redis_enterprise_actions._cli.listing.command import list_actions, watch_actions
from redis_enterprise_actions._cli.settings.connection import (
    account_from_args,
    client_from_args,
    read_new_password,
)
from redis_enterprise_actions._cli.wait.command import submit, wait
from redis_enterprise_actions._cli.wait.references import parse_references
from redis_enterprise_actions._cli.wait.reporter import LogCapture, unhandled_logs_to_stderr
from redis_enterprise_actions._client.config.profiles import NO_HOME, config_path, load_profiles
from redis_enterprise_actions._client.config.secrets import delete_password, save_password
from redis_enterprise_actions._client.submit.calls import reason_not_followable
from redis_enterprise_actions._model.errors import RedisActionsError, UsageError
from redis_enterprise_actions._model.text import one_line

from .arguments import parse_arguments, read_data
from .completion import completion_script
from .output import (
    EXIT_INTERNAL_ERROR,
    OutputError,
    print_action,
    print_error,
    print_line,
    print_traceback,
    write_output,
)
from .signals import SignalHandler


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from redis_enterprise_actions._client.client import ActionsClient


_SUBMIT_OUTAGE_TIMEOUT: Final = 10.0  # seconds for which a call is tried
_INTERRUPTED: Final = 130
_PIPE_CLOSED: Final = 141
_OUTPUT_LOST: Final = 74  # EX_IOERR of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # a strange letter must not end a wait
    try:
        with unhandled_logs_to_stderr():
            args = parse_arguments(argv)
            del argv  # which may hold the passwords of a body
            return _run(args)
    except RedisActionsError as error:
        print_error(f"redis-actions: {error}")
        return error.outcome.exit_code
    except OutputError as lost:
        return _report_lost_output(lost.error)
    except KeyboardInterrupt:
        print_error("interrupted")
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not a wait that has failed
        return _report_crash(error)


def _run(args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code."""
    interrupted = partial(print_error, f"interrupted{args.interrupted}")
    signals = SignalHandler(interrupted)
    try:
        with signals, _log_capture(args) as overheard:
            work = _dispatch(args, overheard)
            return work if isinstance(work, int) else signals.run(work)
    except KeyboardInterrupt:
        interrupted()
        return signals.exit_code


def _report_lost_output(error: OSError) -> int:
    """Say that the output cannot be written, unless nobody wants it; return the exit code."""
    # Output goes nowhere any more; without this, Python complains once more as it exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return _PIPE_CLOSED
    print_error(f"redis-actions: the output cannot be written: {error}")
    return _OUTPUT_LOST


def _report_crash(error: Exception) -> int:
    """Say that an error came that nobody foresaw, and where; return the exit code.

    Its message is left out, as it may hold a secret.
    """
    print_traceback(error)
    frames = traceback.walk_tb(error.__traceback__)
    names = [(str(frame.f_globals.get("__name__")), line) for frame, line in frames]
    module, line = [at for at in names if at[0].startswith("redis_enterprise_actions")][-1]
    print_error(
        f"redis-actions: an error that was not foreseen: {type(error).__name__} in {module}, "
        f"line {line}; REDIS_ACTIONS_TRACEBACK=1 prints the traceback, which may show secrets"
    )
    return EXIT_INTERNAL_ERROR


def _log_capture(args: argparse.Namespace) -> contextlib.AbstractContextManager[LogCapture | None]:
    """Return what keeps our log for the display, where waits are shown."""
    waits = args.run == "wait" or (args.run == "submit" and args.wait)
    return LogCapture() if waits else contextlib.nullcontext()


def _dispatch(
    args: argparse.Namespace, overheard: LogCapture | None = None
) -> Coroutine[object, object, int] | int:
    """Return what is to be done, or the exit code of what is done at once.

    A password is asked for, and standard input is read, before the loop runs, where Ctrl-C would
    not be heard.
    """
    if args.run in _LOCAL_COMMANDS:
        return _LOCAL_COMMANDS[args.run](args)
    if args.run in _WAITING_COMMANDS:
        return _WAITING_COMMANDS[args.run](args, client_from_args(args), overheard or LogCapture())
    if args.connects:
        return _CLUSTER_COMMANDS[args.run](args, client_from_args(args))
    return _ALONE[args.run](args)


# --- commands -----------------------------------------------------------------------------------


async def _get(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        print_action(await client.get_action(args.uid), as_json=args.json)
    return 0


def _wait(
    args: argparse.Namespace, client: ActionsClient, overheard: LogCapture
) -> Coroutine[object, object, int]:
    return wait(args, client, parse_references(args.ref, print_error), overheard)


def _submit(
    args: argparse.Namespace, client: ActionsClient, overheard: LogCapture
) -> Coroutine[object, object, int]:
    patience = args.outage_timeout
    problem = reason_not_followable(args.method.upper(), args.path) if args.wait else None
    if problem is not None:
        raise UsageError(f"--wait cannot follow this call, which was not made: {problem}")
    starting = client.submit(
        args.method,
        args.path,
        # In no variable, which a traceback might show.
        read_data(args.data),
        params=dict(args.param),
        headers={name: value.reveal() for name, value in args.header},
        busy_timeout=args.busy_timeout,
        outage_timeout=_SUBMIT_OUTAGE_TIMEOUT if patience is None else patience,
        untracked="completed" if args.accept_untracked else "refused",
    )
    return submit(args, client, starting, overheard)


async def _cancel(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        await client.operation(args.ref).cancel(force=args.force)
    return 0


async def _fake_cluster(args: argparse.Namespace) -> int:
    from .demo import serve_fake_cluster  # noqa: PLC0415 - a web server that the other commands do not need

    await serve_fake_cluster(args.port, args.version, print_line)


async def _demo(_: argparse.Namespace) -> int:
    from .demo import run_demo  # noqa: PLC0415 - ditto

    return await run_demo(print_line)


_CLUSTER_COMMANDS: Final = {
    "list": list_actions,
    "watch": watch_actions,
    "get": _get,
    "cancel": _cancel,
}


_ALONE: Final = {"doctor": doctor, "fake-cluster": _fake_cluster, "demo": _demo}
_WAITING_COMMANDS: Final = {"wait": _wait, "submit": _submit}


def _profiles(_: argparse.Namespace) -> int:
    """Print the names of the profiles, each with its cluster and user, in columns."""
    found, default = load_profiles()
    if not found:
        raise UsageError(f"there are no profiles in {config_path() or f'any file: {NO_HOME}'}")
    for profile in found:
        mark = "default" if profile.name == default else "-"
        columns = profile.name, profile.setting("url") or "-", profile.setting("user") or "-", mark
        print_line("\t".join(map(one_line, columns)))
    return 0


def _login(args: argparse.Namespace) -> int:
    account = account_from_args(args)
    save_password(account, read_new_password(args))
    print_line(
        one_line(f"the keyring has the password of {account}, for profiles with keyring = true")
    )
    return 0


def _logout(args: argparse.Namespace) -> int:
    account = account_from_args(args)
    if not delete_password(account):
        raise UsageError(f"the keyring has no password of {account}")
    print_line(one_line(f"the keyring has no password of {account} any more"))
    return 0


def _completion(args: argparse.Namespace) -> int:
    write_output(f"{completion_script(args.shell)}\n")
    return 0


_LOCAL_COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace], int]]] = {
    "profiles": _profiles,
    "login": _login,
    "logout": _logout,
    "completion": _completion,
}
