"""Shell completion of commands, options, choices, files, profiles and references, by argcomplete.

References are those that earlier commands have seen: no request is sent.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, cast

from .commands import COMMANDS
from .help import LOCAL_CODES, TOPICS
from .listing.arguments import PHASES
from .output import write_output


if TYPE_CHECKING:
    import argparse

    from argcomplete.completers import BaseCompleter

    from .execution import Execution
    from .parser import CommandParser

SHELLS: Final = ("bash", "zsh", "fish")


def add_completion(command: CommandParser) -> None:
    """Add the arguments of `completion`."""
    command.describe(
        "Print the script for Tab completion of commands, options, values, files and references.",
        examples=[
            'eval "$(redis-actions completion bash)"     in ~/.bashrc',
            'eval "$(redis-actions completion zsh)"      in ~/.zshrc, after compinit',
            "redis-actions completion fish | source      in ~/.config/fish/config.fish",
        ],
        exit_codes=LOCAL_CODES,
        notes="Tab sends no request. It needs argcomplete: pip install argcomplete.",
    )
    text = f"the shell that runs the script: {', '.join(SHELLS)}"
    command.add_argument("shell", choices=SHELLS, metavar="SHELL", help=text)


def run_completion(args: argparse.Namespace, _: Execution) -> int:
    """Print the script."""
    write_output(f"{completion_script(args.shell)}\n")
    return 0


def completion_script(shell: str) -> str:
    """Return the script that enables completion in a shell.

    Raises `UsageError` if argcomplete is not installed.
    """
    try:
        from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - an extra, needed only here
    except ImportError:
        from redis_enterprise_actions._model.errors import UsageError  # noqa: PLC0415 - Tab does not need it

        raise UsageError("completion needs argcomplete: pip install argcomplete") from None
    return str(shellcode(["redis-actions"], shell=shell, use_defaults=False))


def is_completing() -> bool:
    """Return True if a shell asks for completions."""
    return "_ARGCOMPLETE" in os.environ


def answer_completion(parser: CommandParser) -> None:
    """Print the completions that a shell asks for, and exit."""
    try:
        from argcomplete import autocomplete  # noqa: PLC0415 - as above
    except ImportError:
        sys.exit(1)  # argcomplete was uninstalled; a traceback would garble the prompt
    # The type is narrower than what argcomplete takes: any callable.
    completer = cast("BaseCompleter", _completions)
    has_command = bool(parser.commands.keys() & os.environ.get("COMP_LINE", "").split()[1:])
    autocomplete(
        parser,
        always_complete_options=has_command,  # without one, only the commands are offered
        exit_method=sys.exit,
        default_completer=completer,
    )


def _completions(
    prefix: str, action: argparse.Action, parsed_args: argparse.Namespace, **_: object
) -> list[str]:
    """Return the completions of an argument without choices."""
    if action.metavar == "REF":
        from .reference_cache import remembered  # noqa: PLC0415 - as above

        return remembered(_urls(parsed_args))
    if action.metavar == "FILE":
        from argcomplete.completers import FilesCompleter  # noqa: PLC0415 - as above

        return list(FilesCompleter()(prefix))
    if action.metavar == "PROFILE":
        from redis_enterprise_actions._client.config.config_file import profile_names  # noqa: PLC0415 - as above

        return profile_names()
    if action.metavar == "TOPIC":
        return [command.name for command in COMMANDS] + list(TOPICS)
    if action.metavar == "STATUS":
        typed, comma, _word = prefix.rpartition(",")
        return [f"{typed}{comma}{phase}" for phase in PHASES]
    return []


def _urls(args: argparse.Namespace) -> list[str]:
    """Return the URLs of the cluster that a command would connect to."""
    from redis_enterprise_actions._client.config.config_file import (  # noqa: PLC0415 - as above
        profile_urls,
        words_of,
    )

    given = args.url or [os.environ.get("REDIS_ENTERPRISE_URL", "")]
    return [url for text in given for url in words_of(text)] or profile_urls(args.profile)
