"""Work of a command within a capture, for the option `--capture`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.capture.capture import give_up_all
from redis_enterprise_actions._client.http.captured import is_written

from .output import print_error


if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractAsyncContextManager

_EXIT_NOT_WRITTEN: Final = 6  # as for reports


async def captured(
    work: Coroutine[object, object, int], capture: AbstractAsyncContextManager[None], file: str
) -> int:
    """Run the work of a command within a capture; return the exit code.

    The last line on standard error says where the file is, also after an error of the work. A file
    that cannot be written makes the exit code 6, unless the work has failed.
    """
    has_begun, code = False, None
    try:
        with closing(work):  # it is not awaited if the capture cannot begin
            async with capture:
                has_begun = True
                code = await work
    except BaseException as error:
        if code is not None and isinstance(error, OSError):
            print_error(f"redis-actions: --capture {file} cannot be written: {error}")
            return code or _EXIT_NOT_WRITTEN
        if has_begun and is_written(error):
            _report(file)
        raise
    _report(file)
    return code


def give_up() -> None:
    """Leave no draft of a capture when the process is about to end, and say so."""
    for file in give_up_all():
        print_error(f"redis-actions: the capture was not written: {file}: there was no time for it")


def _report(file: str) -> None:
    advice = "look through it before you send it"
    print_error(f"redis-actions: the answers of the cluster are in {file}: {advice}")
