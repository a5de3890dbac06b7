"""Draws the pictures of docs/output.md and docs/looking.md: what commands show in a real terminal.

`python docs/screens.py` runs the command in tmux, against a fake cluster, and writes what the
terminal holds at that moment as SVG. It needs tmux, and the extra `cli`.
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
class Scene:
    """One picture: the window, when it is taken, and what is different from other times."""

    name: str
    title: str
    width: int
    height: int
    after: float  # seconds
    before: tuple[str, ...] = ()  # what stands before the command
    outage: float | None = None  # when the cluster stops to answer, in seconds
    typed: str = ""  # keys, just before the picture
    command: str = " ".join(["wait", *REFS])


SCENES = [
    Scene("live", "redis-actions wait, on a terminal", 92, 11, 14),
    Scene("outage", "the cluster does not answer", 92, 11, 20, outage=12),
    Scene("narrow", "40 columns", 40, 18, 14),
    Scene("ended", "Ctrl-C, and what had ended", 92, 11, 14, typed="C-c"),
    Scene("plain", "without rich, or with TERM=dumb", 110, 16, 14, before=("TERM=dumb",)),
    Scene("watch", "redis-actions watch", 100, 9, 14, command="watch"),
    Scene("watch-narrow", "40 columns", 40, 9, 14, command="watch"),
    Scene("list", "redis-actions list", 100, 9, 2, command="list"),
]


def begin(cluster: FakeCluster) -> None:
    """Let there be work of several kinds under way."""
    add = cluster.add_action
    add("SMUpgradeBDB", uid="upgrade", duration=40, bdb_uid=1, shards=(1, 2))
    add("SMUpdateBDB", uid="rebalance", duration=60, bdb_uid=2)
    add("maintenance_on", uid="drain", duration=50, node_uid=2, progress="none")
    add("retry_bdb", uid="retry", duration=9, node_uid=1, outcome="failed", error="node 1 is full")
    cluster.add_bdb(4)
    cluster.start_transfer(4, "export", Plan(duration=8))


async def tmux(server: str, *words: str) -> str:
    """Run a command of a tmux of our own; return what it prints."""
    program = await asyncio.create_subprocess_exec(
        *("tmux", "-L", server, "-f", "/dev/null", *words), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await program.communicate()
    if program.returncode:
        raise RuntimeError(f"tmux {words[0]} failed")
    return out.decode()


async def picture(scene: Scene) -> str:
    """Return what the window holds, with the colours."""
    async with FakeCluster() as cluster:
        begin(cluster)
        environ = {
            "REDIS_ENTERPRISE_URL": cluster.url,
            "REDIS_ENTERPRISE_USER": cluster.username,
            "REDIS_ENTERPRISE_PASSWORD": cluster.password,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PS1": "$ ",
        }
        server = f"screen-{scene.name}"
        size = ("-x", str(scene.width), "-y", str(scene.height))
        settings = ["=".join(each) for each in environ.items()]
        await tmux(server, "new-session", "-d", *size, "env", *settings, "sh")
        line = " ".join([*scene.before, "redis-actions", scene.command])
        await tmux(server, "send-keys", line, "Enter")
        if scene.outage is not None:
            await asyncio.sleep(scene.outage)
            cluster.inject(status=503, times=None)
        await asyncio.sleep(scene.after - (scene.outage or 0))
        if scene.typed:
            await tmux(server, "send-keys", scene.typed)
            await asyncio.sleep(1)
        shown = await tmux(server, "capture-pane", "-p", "-e")
        await tmux(server, "kill-server")
        return shown


def drawn(scene: Scene, shown: str) -> str:
    """Return a window as SVG that needs nothing from elsewhere."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
        console = Console(record=True, width=scene.width, file=nowhere)
        console.print(Text.from_ansi(shown.rstrip()), soft_wrap=True)
        console.print()  # or the last line would be cut
    svg = console.export_svg(title=scene.title, theme=MONOKAI, unique_id=scene.name)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


async def main(names: list[str]) -> None:
    """Draw the scenes that are named, or all of them."""
    for scene in SCENES:
        if not names or scene.name in names:
            svg = drawn(scene, await picture(scene))
            (HERE / f"screen-{scene.name}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
