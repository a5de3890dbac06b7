"""Pictures of the command's screens: output of commands in a real terminal.

`python docs/screens.py` runs each command in tmux against a fake cluster, and writes the content of
the terminal as SVG, light or dark as the reader's system is. It needs tmux, and the extra `cli`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from rich.style import Style

CONSOLE = Console()
HERE = Path(__file__).parent
UPDATE = "797f3d78-2c5e-4b3a-9a51-6f0f3f1c7a10"
RETRY = "6c93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0f"
DELETE = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
MODULE = "9f8c2a77-6f0e-4b1c-8c53-5d2a7e1f3c04"
CELL, LINE, SIZE, MARGIN = 7.8, 18, 13, 16  # pixels, the same in all pictures
LIGHT = {
    "text": "#1f2328", "paper": "#ffffff", "frame": "#d1d9e0", "dim": "#59636e", "red": "#b3261e",
    "green": "#116329", "yellow": "#7d4e00", "cyan": "#0a6b83", "magenta": "#8250df",
    "bright_black": "#b8c0c8",
}  # fmt: skip
ANSI = {1: "red", 2: "green", 3: "yellow", 5: "magenta", 6: "cyan"}  # others are of bars
DARK = {
    "text": "#e6edf3", "paper": "#0d1117", "frame": "#30363d", "dim": "#9198a1", "red": "#ff7b72",
    "green": "#56d364", "yellow": "#e3b341", "cyan": "#56d4dd", "magenta": "#d2a8ff",
    "bright_black": "#3d444d",
}  # fmt: skip


@dataclass
class Screenshot:
    """Screenshot: the command, the size of the window, and the time at which it is taken."""

    name: str
    title: str
    width: int
    height: int
    after: float  # seconds
    options: str = "--timeout 24"
    variables: tuple[str, ...] = ()  # before the command
    outage: float | None = None  # seconds until the cluster stops answering
    keys: str = ""  # typed just before the screenshot
    command: str = "wait"  # which waits for the five


SCREENSHOTS = [
    Screenshot("live", "redis-actions wait, on a terminal", 100, 12, 14),
    Screenshot("live-wide", "redis-actions wait, 120 columns", 120, 12, 14),
    Screenshot("narrow", "40 columns", 40, 18, 14),
    Screenshot("ended", "the same table at the end", 100, 12, 38),
    Screenshot("ended-wide", "the same table at the end, 120 columns", 120, 12, 38),
    Screenshot("ended-medium", "80 columns", 80, 14, 38),
    Screenshot("ended-narrow", "40 columns", 40, 24, 38),
    Screenshot("outage", "the cluster does not answer", 100, 12, 18, outage=10),
    Screenshot("plain", "without rich, or with TERM=dumb", 100, 30, 38, variables=("TERM=dumb",)),
    Screenshot("watch", "redis-actions watch", 100, 9, 14, command="watch"),
    Screenshot("watch-narrow", "40 columns", 40, 9, 14, command="watch"),
    Screenshot("list", "redis-actions list", 110, 9, 5, command="list"),
]


def start_work(cluster: FakeCluster) -> list[str]:
    """Start work with five ends; return the references to it."""
    add = cluster.add_action
    add("SMUpdateBDB", Plan(duration=20), uid=UPDATE, bdb_uid=1, shards=(1, 2))
    failure = Plan(duration=9, outcome="failed", error="node 1 is full")
    add("retry_bdb", failure, uid=RETRY, node_uid=1)
    add("SMDeleteBDB", Plan(outcome="never"), uid=DELETE, bdb_uid=2)
    cancelled = Plan(duration=12, outcome="cancelled", progress="linear")
    add("module_installation", cancelled, uid=MODULE, node_uid=2)
    cluster.add_bdb(4)
    cluster.start_transfer(4, "export", Plan(duration=17))
    return [UPDATE, RETRY, DELETE, MODULE, "export:4"]


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
    async with FakeCluster(nodes=2) as cluster:
        refs = start_work(cluster)
        environ = {
            "REDIS_ENTERPRISE_URL": cluster.url,
            "REDIS_ENTERPRISE_USER": cluster.username,
            "REDIS_ENTERPRISE_PASSWORD": cluster.password,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "REFS": " ".join(refs),
            "PS1": "$ ",
        }
        server = f"screen-{screenshot.name}"
        size = ("-x", str(screenshot.width), "-y", str(screenshot.height))
        settings = ["=".join(each) for each in environ.items()]
        await tmux(server, "new-session", "-d", *size, "env", *settings, "sh")
        line = " ".join([*screenshot.variables, "redis-actions", screenshot.command])
        line += f" $REFS {screenshot.options}" if screenshot.command == "wait" else ""
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
        return shown.replace(cluster.url, "https://cluster:9443")


def to_svg(screenshot: Screenshot, content: str) -> str:
    """Return the content of a window as SVG without external resources.

    rich's own SVG has one colour scheme, and is as wide as its page, whatever its columns.
    """
    lines = Text.from_ansi(content.rstrip()).split("\n")
    width = 2 * MARGIN + screenshot.width * CELL
    height = 2 * MARGIN + LINE * (len(lines) + 1.5)
    rows = [f'<text class="dim" x="{MARGIN}" y="{MARGIN + SIZE}">{escape(screenshot.title)}</text>']
    for number, text in enumerate(lines, 1):
        y = MARGIN + SIZE + LINE * (number + 0.5)
        for start, end, style in spans(text):
            x, length = MARGIN + Text(text.plain[:start]).cell_len * CELL, end - start
            rows.append(
                f'<text class="{classes(style)}" x="{x:.1f}" y="{y:.1f}" '
                f'textLength="{length * CELL:.1f}">{escape(text.plain[start:end])}</text>'
            )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" \
viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(screenshot.title)}">
<style>
text {{ font: {SIZE}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
white-space: pre }}
.bold {{ font-weight: bold }}
{scheme(LIGHT)}
@media (prefers-color-scheme: dark) {{
{scheme(DARK)}
}}
</style>
<rect class="window" x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="6"/>
{chr(10).join(rows)}
</svg>
"""


def scheme(colours: dict[str, str]) -> str:
    """Return the rules of a colour scheme."""
    rules = [f".{name} {{ fill: {colour} }}" for name, colour in colours.items()]
    window = f".window {{ fill: {colours['paper']}; stroke: {colours['frame']} }}"
    return "\n".join([*rules, window])


def spans(text: Text) -> list[tuple[int, int, Style]]:
    """Return the parts of a line that are no blanks, with their styles."""
    found = []
    for match in re.finditer(r"\S+(?: \S+)*", text.plain):
        begin = match.start()
        styles = [text.get_style_at_offset(CONSOLE, at) for at in range(match.start(), match.end())]
        for at in range(match.start() + 1, match.end() + 1):
            if at == match.end() or styles[at - match.start()] != styles[begin - match.start()]:
                found.append((begin, at, styles[begin - match.start()]))
                begin = at
    return found


def classes(style: Style) -> str:
    """Return the classes of a style."""
    number = None if style.color is None else style.color.number
    name = "text" if number is None else ANSI.get(number, "bright_black")
    name = "dim" if style.dim and name == "text" else name
    return f"{name} bold" if style.bold else name


async def main(names: list[str]) -> None:
    """Take the named screenshots, or all, at once."""
    wanted = [each for each in SCREENSHOTS if not names or each.name in names]
    shown = await asyncio.gather(*map(capture, wanted))
    for screenshot, content in zip(wanted, shown, strict=True):
        (HERE / f"screen-{screenshot.name}.svg").write_text(to_svg(screenshot, content), "utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
