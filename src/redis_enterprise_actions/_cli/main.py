"""The command `redis-actions`: dispatch to its subcommands, and the exit code.

Progress and results go to standard output, errors to standard error.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._cli.connection import (
    account_from_args,
    client_from_args,
    read_new_password,
)
from redis_enterprise_actions._cli.doctor.command import doctor
from redis_enterprise_actions._cli.listing.command import list_actions, watch_actions
from redis_enterprise_actions._cli.wait.command import submit, wait
from redis_enterprise_actions._cli.wait.references import parse_references
from redis_enterprise_actions._cli.wait.reporter import LogCapture, unhandled_logs_to_stderr
from redis_enterprise_actions._client.config.profiles import NO_HOME, config_path, load_profiles
from redis_enterprise_actions._client.config.secrets import delete_password, save_password
from redis_enterprise_actions._client.submit.calls import reason_not_followable
from redis_enterprise_actions._model.errors import RedisActionsError, UsageError
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.text import one_line

from .arguments import parse_arguments, read_data
from .completion import completion_script
from .output import (
    EXIT_INTERNAL_ERROR,
    OutputError,
    discard_output,
    flush_or_discard,
    open_closed_streams,
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # an encoding error must not end a wait
    try:
        with unhandled_logs_to_stderr():
            return _run(parse_arguments(argv))
    except RedisActionsError as error:
        print_error(f"redis-actions: {error}")
        return error.outcome.exit_code
    except OutputError as lost:
        discard_output(sys.stdout)
        if isinstance(lost.error, BrokenPipeError):
            return 141  # 128 + SIGPIPE, as in shells
        print_error(f"redis-actions: the output cannot be written: {lost.error}")
        return 74  # EX_IOERR of sysexits.h
    except KeyboardInterrupt:
        print_error("interrupted")
        return Outcome.INTERRUPTED.exit_code
    except Exception as error:  # noqa: BLE001 - a traceback may show secrets
        _print_internal_error(error)
        return EXIT_INTERNAL_ERROR


def _run(args: argparse.Namespace) -> int:
    """Run the subcommand that the command line names, and return its exit code.

    The handlers ask for a password and read standard input before the loop runs, as Ctrl-C would
    not end these in the loop.
    """
    on_interrupt = partial(print_error, f"interrupted{args.interrupted}")
    signals = SignalHandler(on_interrupt)
    log_capture = LogCapture()
    shows_waits = args.run == "wait" or (args.run == "submit" and args.wait)
    try:
        with signals, log_capture if shows_waits else contextlib.nullcontext():
            if args.run in _LOCAL_COMMANDS:
                work = _LOCAL_COMMANDS[args.run](args)
            elif args.run in _CLUSTER_COMMANDS:
                work = _CLUSTER_COMMANDS[args.run](args, client_from_args(args))
            else:
                work = _WAITING_COMMANDS[args.run](args, client_from_args(args), log_capture)
            return work if isinstance(work, int) else signals.run(work)
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


def _print_internal_error(error: Exception) -> None:
    """Print the type and the place of an unexpected error; its message may hold a secret."""
    print_traceback(error)
    frames = traceback.walk_tb(error.__traceback__)
    names = [(str(frame.f_globals.get("__name__")), line) for frame, line in frames]
    module, line = [place for place in names if place[0].startswith("redis_enterprise_actions")][-1]
    print_error(
        f"redis-actions: unexpected error: {type(error).__name__} in {module}, line {line}; "
        "REDIS_ACTIONS_TRACEBACK=1 prints the traceback, which may contain secrets"
    )


# --- commands that ask a cluster ------------------------------------------------------------------


async def _get(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        print_action(await client.get_action(args.uid), as_json=args.json)
    return 0


async def _cancel(args: argparse.Namespace, client: ActionsClient) -> int:
    async with client:
        await client.operation(args.ref).cancel(force=args.force)
    return 0


def _wait(
    args: argparse.Namespace, client: ActionsClient, log_capture: LogCapture
) -> Coroutine[object, object, int]:
    return wait(args, client, parse_references(args.ref, print_error), log_capture)


def _submit(
    args: argparse.Namespace, client: ActionsClient, log_capture: LogCapture
) -> Coroutine[object, object, int]:
    problem = reason_not_followable(args.method.upper(), args.path) if args.wait else None
    if problem is not None:
        raise UsageError(f"--wait cannot follow this call, which was not made: {problem}")
    limits = {} if args.outage_timeout is None else {"outage_timeout": args.outage_timeout}
    call = client.submit(
        args.method,
        args.path,
        read_data(args.data),
        params=dict(args.param),
        headers={name: value.reveal() for name, value in args.header},
        busy_timeout=args.busy_timeout,
        untracked="completed" if args.accept_untracked else "refused",
        **limits,
    )
    return submit(args, client, call, log_capture)


# --- commands without a client --------------------------------------------------------------------


async def _fake_cluster(args: argparse.Namespace) -> int:
    from .demo import serve_fake_cluster  # noqa: PLC0415 - a web server that the other commands do not need

    await serve_fake_cluster(args.port, args.version)


async def _demo(_: argparse.Namespace) -> int:
    from .demo import run_demo  # noqa: PLC0415 - as above

    return await run_demo()


def _profiles(_: argparse.Namespace) -> int:
    """Print a line for each profile: name, URLs, user, and `default` or `-`."""
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
    text = f"stored the password of {account} in the keyring, for profiles with keyring = true"
    print_line(one_line(text))
    return 0


def _logout(args: argparse.Namespace) -> int:
    account = account_from_args(args)
    if not delete_password(account):
        raise UsageError(f"the keyring has no password of {account}")
    print_line(one_line(f"removed the password of {account} from the keyring"))
    return 0


def _completion(args: argparse.Namespace) -> int:
    write_output(f"{completion_script(args.shell)}\n")
    return 0


_WAITING_COMMANDS: Final = {"wait": _wait, "submit": _submit}
_CLUSTER_COMMANDS: Final = {
    "list": list_actions,
    "watch": watch_actions,
    "get": _get,
    "cancel": _cancel,
}
_LOCAL_COMMANDS: Final[
    Mapping[str, Callable[[argparse.Namespace], Coroutine[object, object, int] | int]]
] = {
    "doctor": doctor,
    "fake-cluster": _fake_cluster,
    "demo": _demo,
    "profiles": _profiles,
    "login": _login,
    "logout": _logout,
    "completion": _completion,
}
