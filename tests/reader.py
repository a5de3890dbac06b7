"""Somebody who reads a page of the documentation, and types off everything that is in it.

- A block of `python` runs in the namespace of its page, on virtual time.
- A block of `console` is typed in a shell that the page has to itself: what follows `$ ` is a
  command, and the rest is what it prints. A block of `sh` is nothing but commands.
- A block of `text` right below one that ran is what that one printed, where `...` stands for
  anything. Elsewhere it is just text.
- `<!-- not run: REASON -->` before a block: it is looked at by the language, and
  what is a command of ours by its parser, and it is not run.
- `<!-- goes on running -->` before a block: its command runs until the page has been read.
- A comment that begins with `invisible-code-block: python` is run, too. It is where a page that
  defines a function has it called: by `play`, on a fake cluster. `serve` lets the page have one at
  `cluster.example.com:9443`, in real time.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import looptime
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

from redis_enterprise_actions import ActionsClient
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions.testing import FakeCluster
from tests.served import Served


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    import pytest
    from sybil import Example

_CLUSTER: Final = "cluster.example.com:9443"  # what pages call a cluster of the reader's
_NOT_RUN: Final = re.compile(r"<!-- not run: .+ -->\s*\Z")
_GOES_ON: Final = re.compile(r"<!-- goes on running -->\s*\Z")
_NEW_EVENT_LOOP: Final = asyncio.events.new_event_loop
_WRITE_DOWN: Final = "import os; print(*map('='.join, os.environ.items()), sep=chr(0), end='')"
_LONGEST: Final = 60  # seconds of real time that one command may take


class Reader:
    """Reads one page, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._printed: tuple[int, str] | None = None  # where the block ended, and what it said
        self._code = 0
        self._state = folder / ".environment"
        self._going_on: list[subprocess.Popen[str]] = []
        self._places = {"19443": str(_free_port())}  # as two readers may read at once
        self._served: Served | None = None
        scripts = str(Path(sys.executable).parent)
        self._environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}

    def __enter__(self) -> Self:
        self._monkeypatch.chdir(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._going_on:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=_LONGEST)
        if self._served is not None:
            self._served.stop()

    def read(self, page: Path) -> int:
        """Read the page; return how many blocks there were to run."""
        run = {"python": self._python, "console": self._console, "sh": self._sh}
        blocks = Sybil(
            [CodeBlockParser(each, run[each]) for each in run]
            + [CodeBlockParser("text", self._text)]
        )
        document = blocks.parse(page)
        document.namespace |= {
            "__name__": "page",
            "play": self._play,
            "serve": self._serve,
        }
        count = 0
        for example in document.examples():
            example.evaluate()
            count += example.region.lexemes["arguments"] in run
        return count

    # --- Python ---------------------------------------------------------------------------------

    def _python(self, example: Example) -> None:
        source = "\n" * (example.line + example.parsed.line_offset) + self._here(example)
        if _marked(example, _NOT_RUN):
            ast.parse(source)
            return
        code = compile(source, example.path, "exec", dont_inherit=True)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), self._monkeypatch.context() as patch:
            if self._served is None:
                patch.setattr(asyncio.events, "new_event_loop", looptime.new_event_loop)
            exec(code, example.namespace)
        self._printed = example.end, said.getvalue()

    def _play(
        self,
        deed: Callable[[ActionsClient, FakeCluster], object],
        **options: object,
    ) -> object:
        """Let `deed(client, cluster)` be done, with the cluster in the environment, too."""

        async def main() -> object:
            async with (
                FakeCluster(**options) as cluster,  # type: ignore[arg-type]
                ActionsClient(
                    cluster.urls,
                    username=cluster.username,
                    password=cluster.password,
                    verify=cluster.url.startswith("http:"),
                ) as client,
            ):
                self._tell_of(cluster)
                done = deed(client, cluster)
                return await done if inspect.isawaitable(done) else done

        return asyncio.run(main())

    def _serve(self, **options: object) -> Served:
        """Have a cluster from now on, or another one; its clock is a real one."""
        if self._served is not None:
            self._served.stop()
        self._served = Served(**options)
        with self._monkeypatch.context() as patch:
            patch.setattr(asyncio.events, "new_event_loop", _NEW_EVENT_LOOP)
            self._served.start()
        cluster = self._served.cluster
        self._tell_of(cluster)
        self._places[_CLUSTER] = cluster.url.partition("://")[2]
        return self._served

    def _tell_of(self, cluster: FakeCluster) -> None:
        """Put into the environment where a cluster is, and who may ask it."""
        for name, value in (
            ("URL", cluster.url),
            ("USER", cluster.username),
            ("PASSWORD", cluster.password),
        ):
            self._monkeypatch.setenv(f"REDIS_ENTERPRISE_{name}", value)
            self._environment[f"REDIS_ENTERPRISE_{name}"] = value

    def _here(self, example: Example) -> str:
        """Return a block with the places it names being here."""
        text = str(example.parsed)
        for there, here in self._places.items():
            text = text.replace(there, here)
        return text

    # --- shell ----------------------------------------------------------------------------------

    def _console(self, example: Example) -> None:
        for command, expected in typed(self._here(example)):
            if _marked(example, _NOT_RUN):
                self._look_at(command)
            elif _marked(example, _GOES_ON):
                self._leave_running(command, expected)
            else:
                printed = self._type(command)
                assert alike(expected, printed), f"$ {command}\n{printed}"

    def _sh(self, example: Example) -> None:
        commands = self._here(example)
        if _marked(example, _NOT_RUN):
            self._look_at(commands)
            return
        printed = self._type(f"set -e\n{commands}")
        assert self._code == 0, printed
        self._printed = example.end, printed

    def _look_at(self, commands: str) -> None:
        """Let the shell read commands without running them."""
        ran = subprocess.run(
            [bash(), "-n", "-c", commands], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        for line in commands.replace("\\\n", "").splitlines():
            if line.startswith("redis-actions "):
                ours = re.split(r" (?:&&|[|>]) ", line)[0]
                parse_arguments(shlex.split(ours, comments=True)[1:])

    def _type(self, command: str) -> str:
        """Run a command where the last one left the shell; return what it printed."""
        write_down = f'"{sys.executable}" -S -c "{_WRITE_DOWN}" > "{self._state}"'
        script = f"""\
leave() {{ code=$?; {write_down}; exit $code; }}
trap leave EXIT
set -a
(exit {self._code})
{command}"""
        ran = subprocess.run(
            [bash(), "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_LONGEST,
            check=False,
            cwd=self._folder,
            env=self._environment,
        )
        self._code = ran.returncode
        pairs = self._state.read_text("utf-8").split("\0")
        self._environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        return ran.stdout

    def _leave_running(self, command: str, expected: str) -> None:
        """Start a command, and go on reading once it has printed what it is said to."""
        process = subprocess.Popen(
            [bash(), "-c", f"exec {command}"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=self._folder,
            env=self._environment,
        )
        self._going_on.append(process)
        assert process.stdout is not None
        printed = ""
        while not alike(expected, printed):
            line = process.stdout.readline()
            assert line, printed
            printed += line

    # --- what was printed -----------------------------------------------------------------------

    def _text(self, example: Example) -> None:
        end, printed = self._printed or (0, "")
        between = example.document.text[end : example.start]
        if self._printed and not between.strip():
            assert alike(str(example.parsed), printed), printed


def typed(block: str) -> list[tuple[str, str]]:
    """Return each command of a console, and what is below it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not parts[0].strip(), "a console begins with a command"
    cut = [re.match(r"((?:.*\\\n)*.*)\n?((?s:.*))", part) for part in parts[1:]]
    return [(match[1], match[2]) for match in cut if match]


def alike(expected: str, printed: str) -> bool:
    """Whether something was printed as it is written down, where `...` is anything."""
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def bash() -> str:
    """Return the shell; where there is none, the tests that need it are skipped."""
    return shutil.which("bash") or "bash"


def _marked(example: Example, mark: re.Pattern[str]) -> bool:
    return mark.search(example.document.text[: example.start]) is not None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
