"""What Tab offers: commands, options, choices, files and profiles, by argcomplete.

Refuses to ask a cluster: what is waited for is not completed.
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
_PROGRAM: Final = "redis-actions"


def completion_script(shell: str) -> str:
    """Return the lines that a shell is to run so that Tab completes. Raises `UsageError`."""
    try:
        from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - an extra, wanted only here
    except ImportError:
        raise UsageError(
            "completion needs argcomplete: pip install 'redis-enterprise-actions[cli]'"
        ) from None
    return str(shellcode([_PROGRAM], shell=shell, use_defaults=False))


def answer_completion(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks what there is for Tab, and exit; return if none asks."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    try:
        from argcomplete import autocomplete  # noqa: PLC0415 - as above
    except ImportError:
        sys.exit(1)  # the library is gone, and whoever pressed Tab wants no traceback
    # It asks for a class of its own, and is content with a function.
    offered = cast("BaseCompleter", _completions)
    autocomplete(parser, exit_method=sys.exit, default_completer=offered)


def _completions(prefix: str, action: argparse.Action, **_: object) -> list[str]:
    """Return what there is for an argument without choices."""
    if action.metavar == "FILE":
        from argcomplete.completers import FilesCompleter  # noqa: PLC0415 - as above

        return list(FilesCompleter()(prefix))
    if action.metavar == "PROFILE":
        return profile_names()
    if action.metavar == "STATUS":
        done, comma, _rest = prefix.rpartition(",")
        return [f"{done}{comma}{phase}" for phase in Phase]
    return []
