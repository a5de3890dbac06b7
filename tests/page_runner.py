"""Runner of the code blocks on a page of the documentation.

- A block of `python` runs in the namespace of its page, on virtual time.
- A block of `console` runs in a shell that the page has to itself: a line after `$ ` is a command,
  and the other lines are its output. A block of `sh` has commands only.
- A block of `yaml` is parsed. Its texts that begin with `redis-actions`, and the `args` of
  containers whose image is called so, are checked as commands.
- A block of `text` right below a block that ran is its output, where `...` matches any text.
  Elsewhere it is just text.
- `<!-- not run: REASON -->` before a block: its syntax is checked, and the arguments of
  `redis-actions` are parsed, but it is not run.
- `<!-- runs in the background -->` before a block: its command runs until the end of the page.
- A comment that begins with `invisible-code-block: python` is run, too. There a page calls the
  functions that it defines: with `run_on_cluster`, on a fake cluster in virtual time, or after
  `serve`, which starts one at `cluster.example.com:9443` in real time.
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
import yaml
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

from redis_enterprise_actions import ActionsClient
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions.testing import FakeCluster
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    import pytest
    from sybil import Example

_CLUSTER: Final = "cluster.example.com:9443"  # address of the reader's cluster on the pages
_NOT_RUN: Final = re.compile(r"<!-- not run: .+ -->\s*\Z")
_BACKGROUND: Final = re.compile(r"<!-- runs in the background -->\s*\Z")
_NEW_EVENT_LOOP: Final = asyncio.events.new_event_loop
_DUMP_ENV: Final = "import os; print(*map('='.join, os.environ.items()), sep=chr(0), end='')"
_TIMEOUT: Final = 60  # seconds of real time for one command


class PageRunner:
    """Runner of one page, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        # The end of the last block that ran, and its output.
        self._last_output: tuple[int, str] | None = None
        self._code = 0
        self._state = folder / ".environment"
        self._background: list[subprocess.Popen[str]] = []
        self._addresses = {"19443": str(_free_port())}  # tests run in parallel
        self._threaded: ThreadedCluster | None = None
        scripts = str(Path(sys.executable).parent)
        self._environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}

    def __enter__(self) -> Self:
        self._monkeypatch.chdir(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._background:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=_TIMEOUT)
        if self._threaded is not None:
            self._threaded.stop()

    def run_page(self, page: Path) -> int:
        """Run the blocks of a page; return their number."""
        run = {
            "python": self._python,
            "console": self._console,
            "sh": self._sh,
            "yaml": self._yaml,
        }
        blocks = Sybil(
            [CodeBlockParser(each, run[each]) for each in run]
            + [CodeBlockParser("text", self._text)]
        )
        document = blocks.parse(page)
        document.namespace |= {
            "__name__": "page",
            "run_on_cluster": self._run_on_cluster,
            "serve": self._serve,
        }
        count = 0
        for example in document.examples():
            example.evaluate()
            count += example.region.lexemes["arguments"] in run
        return count

    # --- Python ---------------------------------------------------------------------------------

    def _python(self, example: Example) -> None:
        source = "\n" * (example.line + example.parsed.line_offset) + self._localized(example)
        if _has_mark(example, _NOT_RUN):
            ast.parse(source)
            return
        code = compile(source, example.path, "exec", dont_inherit=True)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), self._monkeypatch.context() as patch:
            if self._threaded is None:
                patch.setattr(asyncio.events, "new_event_loop", looptime.new_event_loop)
            exec(code, example.namespace)
        self._last_output = example.end, output.getvalue()

    def _run_on_cluster(
        self,
        job: Callable[[ActionsClient, FakeCluster], object],
        **options: object,
    ) -> object:
        """Return `job(client, cluster)`, with the cluster in the environment."""

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
                self._configure(cluster)
                done = job(client, cluster)
                return await done if inspect.isawaitable(done) else done

        return asyncio.run(main())

    def _serve(self, **options: object) -> ThreadedCluster:
        """Start a cluster in real time, in place of the one before."""
        if self._threaded is not None:
            self._threaded.stop()
        self._threaded = ThreadedCluster(**options)
        with self._monkeypatch.context() as patch:
            patch.setattr(asyncio.events, "new_event_loop", _NEW_EVENT_LOOP)
            self._threaded.start()
        cluster = self._threaded.cluster
        self._configure(cluster)
        for number, url in enumerate(cluster.urls, 1):
            self._addresses[f"https://node{number}.example.com:9443"] = url
            self._addresses[f"node{number}.example.com:9443"] = url.partition("://")[2]
        self._addresses[_CLUSTER] = cluster.url.partition("://")[2]
        return self._threaded

    def _configure(self, cluster: FakeCluster) -> None:
        """Put the address of a cluster and its credentials into the environment."""
        for name, value in (
            ("URL", cluster.url),
            ("USER", cluster.username),
            ("PASSWORD", cluster.password),
        ):
            self._monkeypatch.setenv(f"REDIS_ENTERPRISE_{name}", value)
            self._environment[f"REDIS_ENTERPRISE_{name}"] = value

    def _localized(self, example: Example) -> str:
        """Return a block with the addresses that it names replaced by local ones."""
        text = str(example.parsed)
        for there, here in self._addresses.items():
            text = text.replace(there, here)
        return text

    # --- shell ----------------------------------------------------------------------------------

    def _console(self, example: Example) -> None:
        for command, expected in parse_console(self._localized(example)):
            if _has_mark(example, _NOT_RUN):
                self._check_syntax(command)
            elif _has_mark(example, _BACKGROUND):
                self._start_command(command, expected)
            else:
                printed = self._run_command(command)
                assert matches(expected, printed), f"$ {command}\n{printed}"

    def _sh(self, example: Example) -> None:
        commands = self._localized(example)
        if _has_mark(example, _NOT_RUN):
            self._check_syntax(commands)
            return
        printed = self._run_command(f"set -e\n{commands}")
        assert self._code == 0, printed
        self._last_output = example.end, printed

    def _check_syntax(self, commands: str) -> None:
        """Check commands without running them."""
        ran = subprocess.run(
            [bash(), "-n", "-c", commands], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        for line in commands.replace("\\\n", "").splitlines():
            if line.startswith("redis-actions "):
                ours = re.split(r" (?:&&|[|<>]) ", line)[0]
                parse_arguments(shlex.split(ours, comments=True)[1:])

    def _yaml(self, example: Example) -> None:
        for command in _commands_in(yaml.safe_load(str(example.parsed))):
            self._check_syntax(command)

    def _run_command(self, command: str) -> str:
        """Run a command with the environment and exit code of the last one; return its output."""
        dump = f'"{sys.executable}" -S -c "{_DUMP_ENV}" > "{self._state}"'
        script = f"""\
on_exit() {{ code=$?; {dump}; exit $code; }}
trap on_exit EXIT
set -a
(exit {self._code})
{command}"""
        ran = subprocess.run(
            [bash(), "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            cwd=self._folder,
            env=self._environment,
        )
        self._code = ran.returncode
        pairs = self._state.read_text("utf-8").split("\0")
        self._environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        return ran.stdout

    def _start_command(self, command: str, expected: str) -> None:
        """Start a command, and return when it has printed the expected output."""
        process = subprocess.Popen(
            [bash(), "-c", f"exec {command}"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=self._folder,
            env=self._environment,
        )
        self._background.append(process)
        assert process.stdout is not None
        printed = ""
        while not matches(expected, printed):
            line = process.stdout.readline()
            assert line, printed
            printed += line

    # --- output ---------------------------------------------------------------------------------

    def _text(self, example: Example) -> None:
        end, printed = self._last_output or (0, "")
        between = example.document.text[end : example.start]
        if self._last_output and not between.strip():
            assert matches(str(example.parsed), printed), printed


def parse_console(block: str) -> list[tuple[str, str]]:
    """Return each command of a console block, and the output below it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not parts[0].strip(), "a console begins with a command"
    cut = [re.match(r"((?:.*\\\n)*.*)\n?((?s:.*))", part) for part in parts[1:]]
    return [(match[1], match[2]) for match in cut if match]


def matches(expected: str, printed: str) -> bool:
    """Return True if `printed` is the expected output, where `...` matches any text.

    Columns may be as wide as they are: blanks and tabs in a row count as one blank.
    """
    expected, printed = (re.sub(r"[ \t]+", " ", text.strip()) for text in (expected, printed))
    pattern = ".*?".join(re.escape(part) for part in expected.split("..."))
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def _commands_in(node: object) -> Iterator[str]:
    """Yield the commands of ours in a YAML document."""
    if isinstance(node, str) and node.startswith("redis-actions "):
        yield node
    elif isinstance(node, list):
        for each in node:
            yield from _commands_in(each)
    elif isinstance(node, dict):
        if "redis-actions" in str(node.get("image")):
            yield shlex.join(["redis-actions", *node["args"]])
        for each in node.values():
            yield from _commands_in(each)


def bash() -> str:
    """Return the path of bash."""
    return shutil.which("bash") or "bash"


def _has_mark(example: Example, mark: re.Pattern[str]) -> bool:
    return mark.search(example.document.text[: example.start]) is not None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
