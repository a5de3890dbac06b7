"""The command survives odd environments and input: no traceback, and no exit code 1.

That code means "failed, cancelled or aborted". The faults: the command ended with it for a terminal
of 0 columns, a user without a home, a report that is a link to itself, the home of a user that does
not exist, and deeply nested JSON.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from programs import COMMAND, check, command, now, process, run, settings
from servers import action, answer, serving


if TYPE_CHECKING:
    from aiohttp import web
    from programs import Ended

PLAIN = ("wait", "a", "--output", "plain")
# As for a user id without an entry, such as a container may have.
WITHOUT_A_HOME = (
    "import os, pwd, sys; import redis_enterprise_actions._cli.main as command;"
    " os.environ.pop('HOME', None); pwd.getpwuid = {}.__getitem__;"
    " sys.exit(command.main(sys.argv[1:]))"
)


def _check(what: str, ended: Ended, *codes: int) -> None:
    crashed = "Traceback" in ended.out + ended.err
    check(ended.code in codes and not crashed, f"{what}: {ended}")


def _files(place: str, url: str) -> tuple[str, str]:
    """Return the paths of a link to itself and of a file with the profile `p`."""
    link, config = Path(place, "report.json"), Path(place, "config.toml")
    link.symlink_to(link)
    profile = f'[profiles.p]\nurl = "{url}"\nuser = "u"\npassword_file = "~nosuchuser/x"\n'
    config.write_text(profile, "utf-8")
    return str(link), str(config)


async def _main() -> None:
    began = now()

    async def serve(request: web.BaseRequest) -> web.Response:
        return answer(action("completed" if now() - began > 3 else "active"))

    async with serving(serve) as url:
        ended = await command("wait", "a", url=url, terminal=True, COLUMNS="0", TERM="xterm")
        _check("a terminal of 0 columns", ended, 0)

        ended = await process(
            *(sys.executable, "-c", WITHOUT_A_HOME, *PLAIN), environ=settings(url)
        )
        _check("a user without a home", ended, 0)

        with tempfile.TemporaryDirectory() as place:
            link, config = _files(place, url)
            ended = await command(*PLAIN, "--report", link, url=url)
            _check("a report that is a link to itself", ended, 2)
            ended = await process(
                *(*COMMAND, "list", "--profile", "p"), environ={"REDIS_ACTIONS_CONFIG": config}
            )
            _check("the home of a user that does not exist", ended, 2)

        # Python 3.12 and newer decode the first one, and no version decodes the second.
        for depth, codes in ((990, (0, 2)), (100_000, (2,))):
            nested = "[" * depth + '"a"' + "]" * depth
            ended = await command("wait", "-", "--output", "plain", stdin=nested, url=url)
            _check(f"{depth} brackets on standard input", ended, *codes)


if __name__ == "__main__":
    run(_main)
