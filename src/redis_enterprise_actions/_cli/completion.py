"""Shell completion of commands, options, choices, files and profiles, by argcomplete.

References are not completed, as that would take a request to a cluster.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, cast

from redis_enterprise_actions._client.config.profiles import profile_names
from redis_enterprise_actions._model.action import Phase
from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    import argparse

    from argcomplete.completers import BaseCompleter

SHELLS: Final = ("bash", "zsh", "fish")


def completion_script(shell: str) -> str:
    """Return the script that enables completion in a shell.

    Raises `UsageError` if argcomplete is not installed.
    """
    try:
        from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - an extra, needed only here
    except ImportError:
        raise UsageError(
            "completion needs argcomplete: pip install 'redis-enterprise-actions[cli]'"
        ) from None
    return str(shellcode(["redis-actions"], shell=shell, use_defaults=False))


def answer_completion(parser: argparse.ArgumentParser) -> None:
    """Print completions and exit, if a shell asks for them; otherwise return."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    try:
        from argcomplete import autocomplete  # noqa: PLC0415 - as above
    except ImportError:
        sys.exit(1)  # argcomplete was uninstalled; a traceback would garble the prompt
    # The type is narrower than what argcomplete takes: any callable.
    completer = cast("BaseCompleter", _completions)
    autocomplete(parser, exit_method=sys.exit, default_completer=completer)


def _completions(prefix: str, action: argparse.Action, **_: object) -> list[str]:
    """Return the completions of an argument without choices."""
    if action.metavar == "FILE":
        from argcomplete.completers import FilesCompleter  # noqa: PLC0415 - as above

        return list(FilesCompleter()(prefix))
    if action.metavar == "PROFILE":
        return profile_names()
    if action.metavar == "STATUS":
        typed, comma, _word = prefix.rpartition(",")
        return [f"{typed}{comma}{phase}" for phase in Phase]
    return []
