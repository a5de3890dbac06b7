"""Screenshots of docs/output.md and docs/looking.md: output of commands in a real terminal.

`python docs/screens.py` runs each command in tmux against a fake cluster, and writes the content of
the terminal as SVG. It needs tmux, and the extra `cli`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from redis_enterprise_actions.testing import FakeCluster, Plan


HERE = Path(__file__).parent
REFS = ["upgrade", "rebalance", "export:4", "drain", "retry"]


@dataclass
class Screenshot:
    """Screenshot: the command, the size of the window, and the time at which it is taken."""

    name: str
    title: str
    width: int
    height: int
    after: float  # seconds
    variables: tuple[str, ...] = ()  # before the command
    outage: float | None = None  # seconds until the cluster stops answering
    keys: str = ""  # typed just before the screenshot
    command: str = " ".join(["wait", *REFS])


SCREENSHOTS = [
    Screenshot("live", "redis-actions wait, on a terminal", 92, 11, 14),
    Screenshot("outage", "the cluster does not answer", 92, 11, 20, outage=12),
    Screenshot("narrow", "40 columns", 40, 18, 14),
    Screenshot("ended", "Ctrl-C, and what had ended", 92, 11, 14, keys="C-c"),
    Screenshot("plain", "without rich, or with TERM=dumb", 110, 16, 14, variables=("TERM=dumb",)),
    Screenshot("watch", "redis-actions watch", 100, 9, 14, command="watch"),
    Screenshot("watch-narrow", "40 columns", 40, 9, 14, command="watch"),
    Screenshot("list", "redis-actions list", 100, 9, 2, command="list"),
]


def start_work(cluster: FakeCluster) -> None:
    """Start work of several kinds."""
    add = cluster.add_action
    add("SMUpgradeBDB", Plan(duration=40), uid="upgrade", bdb_uid=1, shards=(1, 2))
    add("SMUpdateBDB", Plan(duration=60), uid="rebalance", bdb_uid=2)
    add("maintenance_on", Plan(duration=50, progress="none"), uid="drain", node_uid=2)
    failure = Plan(duration=9, outcome="failed", error="node 1 is full")
    add("retry_bdb", failure, uid="retry", node_uid=1)
    cluster.add_bdb(4)
    cluster.start_transfer(4, "export", Plan(duration=8))


async def tmux(server: str, *words: str) -> str:
    """Run a command of a tmux server of our own; return its output."""
    program = await asyncio.create_subprocess_exec(
        *("tmux", "-L", server, "-f", "/dev/null", *words), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await program.communicate()
    if program.returncode:
        raise RuntimeError(f"tmux {words[0]} failed")
    return out.decode()


async def capture(screenshot: Screenshot) -> str:
    """Return the content of the window, with colours."""
    async with FakeCluster() as cluster:
        start_work(cluster)
        environ = {
            "REDIS_ENTERPRISE_URL": cluster.url,
            "REDIS_ENTERPRISE_USER": cluster.username,
            "REDIS_ENTERPRISE_PASSWORD": cluster.password,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PS1": "$ ",
        }
        server = f"screen-{screenshot.name}"
        size = ("-x", str(screenshot.width), "-y", str(screenshot.height))
        settings = ["=".join(each) for each in environ.items()]
        await tmux(server, "new-session", "-d", *size, "env", *settings, "sh")
        line = " ".join([*screenshot.variables, "redis-actions", screenshot.command])
        await tmux(server, "send-keys", line, "Enter")
        if screenshot.outage is not None:
            await asyncio.sleep(screenshot.outage)
            cluster.inject(status=503, times=None)
        await asyncio.sleep(screenshot.after - (screenshot.outage or 0))
        if screenshot.keys:
            await tmux(server, "send-keys", screenshot.keys)
            await asyncio.sleep(1)
        shown = await tmux(server, "capture-pane", "-p", "-e")
        await tmux(server, "kill-server")
        return shown


def to_svg(screenshot: Screenshot, content: str) -> str:
    """Return the content of a window as SVG without external resources."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
        console = Console(record=True, width=screenshot.width, file=nowhere)
        console.print(Text.from_ansi(content.rstrip()), soft_wrap=True)
        console.print()  # without this, the last line is cut off
    svg = console.export_svg(title=screenshot.title, theme=MONOKAI, unique_id=screenshot.name)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


async def main(names: list[str]) -> None:
    """Take the named screenshots, or all."""
    for screenshot in SCREENSHOTS:
        if not names or screenshot.name in names:
            svg = to_svg(screenshot, await capture(screenshot))
            (HERE / f"screen-{screenshot.name}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
