"""Tests of `_cli.listing.command`: `list` and `watch`, in pipes and on terminals."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.keys import Keyboard
from redis_enterprise_actions._cli.listing.command import watch_actions
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
if sys.platform != "win32":
    from tests.terminal_process import TerminalProcess

COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions"]
FIRST, SECOND = "2d81d873-0b12-4636-90d2-ff4dd1ed3b81", "f5d8981b-7798-453f-852f-6e2513a4ae4a"

LISTS_OF_A_DATABASE = ("/v1/actions/bdb/1", "/v2/actions")

AT_40 = f"""\
{FIRST}
  SMUpdateBDB on bdb:1
  active  0 %  prepare
{SECOND}
  SMDeleteBDB on bdb:2
  active  0 %  config_security
"""

AT_100 = f"""\
UID                                   WHAT                  STATUS  DONE  STATE
{FIRST}  SMUpdateBDB on bdb:1  active   0 %  prepare
{SECOND}  SMDeleteBDB on bdb:2  active   0 %  config_security
"""

AT_80 = f"""\
UID                                   WHAT                  STATUS  DONE
{FIRST}  SMUpdateBDB on bdb:1  active   0 %
{SECOND}  SMDeleteBDB on bdb:2  active   0 %
"""


@pytest.fixture
def two(threaded: ThreadedCluster) -> ThreadedCluster:
    """Serve a cluster with two running actions without a creation time."""
    threaded.add("SMUpdateBDB", Plan(duration=1e6), uid=FIRST, bdb_uid=1)
    threaded.add("SMDeleteBDB", Plan(duration=1e6), uid=SECOND, bdb_uid=2)
    return threaded


def plain(text: str) -> str:
    """Return a text without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


class TestList:
    """`redis-actions list`."""

    def test_pipe(self, two: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """In a pipe there are fields between tabs, without a heading, for `cut` and `awk`."""
        assert main(["list"]) == 0
        assert lines() == [
            f"{FIRST}\tSMUpdateBDB on bdb:1\tactive\t0\tprepare\t-",
            f"action:{SECOND}@bdb:2\tSMDeleteBDB on bdb:2\tactive\t0\tconfig_security\t-",
        ]

    @pytest.mark.parametrize(
        ("options", "uids"),
        [
            (["--status", "running"], [FIRST, SECOND]),
            (["--status", "Active, failed"], [FIRST, SECOND]),
            (["--status", "failed"], []),
            (["--name", "sm*u*"], [FIRST]),
            (["--bdb", "2"], [SECOND]),
            (["--node", "1"], []),
            (["--bdb", "2", "--name", "SMU*"], []),
        ],
        ids=" ".join,
    )
    def test_filters(
        self,
        two: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
        options: list[str],
        uids: list[str],
    ) -> None:
        """Listed actions match all filters; standard error says if none does."""
        assert main(["list", *options, "--json"]) == 0
        out, err = capsys.readouterr()
        assert [json.loads(line)["uid"] for line in out.splitlines()] == uids
        assert err == ("" if uids else "no actions\n")

    def test_refused(self, two: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """Standard error names the list that the cluster refuses; the others are printed."""
        two.cluster.inject(path="/v1/nodes", times=None, status=403)

        assert main(["list"]) == 0
        out, err = capsys.readouterr()
        assert out.count("\n") == 2
        assert err.startswith("actions of nodes are not listed: the cluster answered 403")

    @terminals
    @pytest.mark.parametrize(
        ("columns", "expected"), [(40, AT_40), (80, AT_80), (100, AT_100)], ids=str
    )
    def test_terminal(self, two: ThreadedCluster, columns: int, expected: str) -> None:
        """On a terminal there is a table of its width, in colours."""
        with TerminalProcess([*COMMAND, "list"], columns=columns) as terminal:
            code, written = terminal.read_to_end()

        assert (code, plain(written)) == (0, expected)
        assert "\x1b[36mactive\x1b[0m" in written

    @terminals
    @pytest.mark.parametrize("variable", ["NO_COLOR=1", "TERM=dumb"])
    def test_no_colour(self, two: ThreadedCluster, variable: str) -> None:
        """`NO_COLOR` and a dumb terminal turn colours off."""
        name, _, value = variable.partition("=")
        with TerminalProcess([*COMMAND, "list"], environment={name: value}) as terminal:
            assert terminal.read_to_end() == (0, AT_80)

    @terminals
    def test_empty(self, threaded: ThreadedCluster) -> None:
        """An empty list has no headings on a terminal, either."""
        with TerminalProcess([*COMMAND, "list"]) as terminal:
            assert terminal.read_to_end() == (0, "no actions\n")

    @terminals
    @pytest.mark.parametrize("size", ["0", "-1", "wide"])
    def test_odd_size(self, two: ThreadedCluster, size: str) -> None:
        """An impossible size in the environment is ignored."""
        sizes = ["env", f"COLUMNS={size}", f"LINES={size}"]
        with TerminalProcess([*sizes, *COMMAND, "list"], columns=80) as terminal:
            code, written = terminal.read_to_end()

        assert (code, plain(written)) == (0, AT_80)


def test_rich_is_not_loaded(two: ThreadedCluster) -> None:
    """`list` imports neither rich, argcomplete nor keyring."""
    code = (
        "import sys; from redis_enterprise_actions._cli.main import main\n"
        "assert main(['list']) == 0\n"
        "print({'rich', 'argcomplete', 'keyring'} & sys.modules.keys())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.splitlines()[-1] == "set()"


class TestWatchInALog:
    """`redis-actions watch` without a terminal."""

    def test_once(self, two: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
        """`watch --once` prints the same as `list`."""
        assert main(["list"]) == main(["watch", "--once"]) == 0
        printed = lines()
        assert printed[:2] == printed[2:]

    def test_once_in_an_outage(
        self, two: ThreadedCluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`watch --once` fails as `list` does."""
        two.cluster.inject(times=None, status=401)

        assert main(["watch", "--once"]) == 5
        assert "the cluster answered 401" in capsys.readouterr().err

    async def test_lines(
        self, cluster: FakeCluster, client: ActionsClient, lines: Callable[[], list[str]]
    ) -> None:
        """There is a line for each action, then for each change and outage, with its time."""
        cluster.add_action("SMUpdateBDB", Plan(duration=100), uid="a")
        watching = asyncio.create_task(watch_actions(parse_arguments(["watch"]), client))
        await asyncio.sleep(6)
        cluster.add_action(
            "retry_bdb", Plan(duration=0, outcome="failed", error="no room"), uid="u"
        )
        await asyncio.sleep(5)
        cluster.inject(times=None, status=503)
        await asyncio.sleep(60)
        cluster.heal()
        await asyncio.sleep(20)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        printed = lines()

        assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  \S", line) for line in printed)
        messages = [line.partition("  ")[2] for line in printed]
        assert messages[0] == "SMUpdateBDB on bdb:1: active, 0 %, prepare [a]"
        assert "retry_bdb: failed, 33 %, internal_error: no room [u]" in messages[1:]
        assert sum(line.startswith("no usable answer: ") for line in messages) == 1
        assert sum(line.startswith("answers again, after ") for line in messages) == 1

    async def test_interval(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Each list is requested once in an interval."""
        args = parse_arguments(["watch", "--interval", "1m", "--bdb", "1"])
        watching = asyncio.create_task(watch_actions(args, client))
        await asyncio.sleep(3590)
        watching.cancel()
        await asyncio.wait({watching})

        assert [seen.path for seen in cluster.requests] == [*LISTS_OF_A_DATABASE] * 60

    @pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
    def test_ended_by_signal(self, two: ThreadedCluster, signum: signal.Signals, code: int) -> None:
        """A signal ends the command at once, with its exit code, one line and no traceback."""
        with subprocess.Popen(
            [*COMMAND, "watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signum)
            _, complaint = process.communicate(timeout=60)

        assert (complaint, process.returncode) == ("interrupted\n", code)

    def test_fatal(self, two: ThreadedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        """An error that is not transient ends the command."""
        two.cluster.inject(times=None, status=401)

        assert main(["watch"]) == 5
        assert "the cluster answered 401" in capsys.readouterr().err


async def test_key_ends_watch(
    client: ActionsClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key q ends the live view, with exit code 0, and the screen is left."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    listen = Keyboard.listen

    def press(keyboard: Keyboard) -> None:
        listen(keyboard)
        asyncio.get_running_loop().call_later(3, keyboard._call)

    monkeypatch.setattr(Keyboard, "listen", press)

    assert await watch_actions(parse_arguments(["watch"]), client) == 0
    assert capsys.readouterr().out.endswith("\x1b[?25h\x1b[?1049l")


@terminals
class TestWatchOnATerminal:
    """`redis-actions watch` on a terminal."""

    def test_live(self, two: ThreadedCluster) -> None:
        """The view fills the terminal, follows its size, and restores it at the end."""
        with TerminalProcess([*COMMAND, "watch"], columns=100) as terminal:
            wide = terminal.read_until("SMDeleteBDB")
            terminal.resize(40, 12)
            width = 100
            while width > 40:  # a frame may have been on its way
                frame = plain(re.split(r"\x1b\[H", terminal.read_until("SMDeleteBDB"))[-1])
                width = max(len(line) for line in re.split(r"[\r\n]+", frame))
            terminal.process.send_signal(signal.SIGINT)
            code, rest = terminal.read_to_end()

        assert wide.startswith("\x1b[?1049h")
        assert "━" in plain(wide) or "─" in plain(wide)
        assert "2 of 2 under way" in wide
        assert f"at {two.cluster.url}" in wide
        assert code == 130
        assert "\x1b[?1049l" in rest
        assert "\x1b[?25h" in rest
        assert rest.endswith("interrupted\n")

    def test_verbose(self, two: ThreadedCluster, tmp_path: Path) -> None:
        """With `-v` there are lines for requests and changes, and no view that they would damage.

        If standard error is a file, the lines are there, and the view is on the terminal.
        """
        log = tmp_path / "log"
        redirected = ["sh", "-c", f'exec "$@" 2>{log}', "sh", *COMMAND]
        for command, is_live in ((COMMAND, False), (redirected, True)):
            with TerminalProcess([*command, "-v", "watch"], columns=100) as terminal:
                written = terminal.read_until("SMDeleteBDB")
                terminal.process.send_signal(signal.SIGINT)
                terminal.read_to_end()

            assert ("\x1b[?1049h" in written) is is_live
            assert ("GET /v1/actions 200 " in written) is not is_live
        assert log.read_text("utf-8").startswith("GET /v1/actions 200 ")

    @pytest.mark.parametrize("size", ["0", "-1", "wide", "\u00b2"])
    def test_odd_size(self, two: ThreadedCluster, size: str) -> None:
        """An impossible size in the environment is ignored: the terminal's own counts."""
        sizes = ["env", f"COLUMNS={size}", f"LINES={size}"]
        with TerminalProcess([*sizes, *COMMAND, "watch"], columns=100) as terminal:
            written = terminal.read_until("SMDeleteBDB")
            terminal.process.send_signal(signal.SIGINT)
            code, _ = terminal.read_to_end()

        frame = plain(re.split(r"\x1b\[H", written)[-1])
        assert max(len(line) for line in re.split(r"[\r\n]+", frame)) > 80
        assert code == 130

    def test_lost(self, two: ThreadedCluster) -> None:
        """A terminal that can no longer be written to ends the command with 74."""
        code = (
            "import sys\n"
            "from redis_enterprise_actions._cli import main\n"
            "from redis_enterprise_actions._cli.listing import screens\n"
            "before, out = screens.watched, sys.stdout\n"
            "def lose():\n"
            "    del out.flush\n"
            "    raise OSError(5, 'Input/output error')\n"
            "def watched(*args):\n"
            "    out.flush = lose\n"
            "    return before(*args)\n"
            "screens.watched = watched\n"
            "sys.exit(main.main(['watch']))\n"
        )
        with TerminalProcess([sys.executable, "-c", code]) as terminal:
            ended, written = terminal.read_to_end()

        assert ended == 74
        assert "redis-actions: the output cannot be written: " in written

    def test_terminated(self, two: ThreadedCluster) -> None:
        """SIGTERM restores the terminal, too."""
        with TerminalProcess([*COMMAND, "watch"]) as terminal:
            terminal.read_until("SMDeleteBDB")
            terminal.process.terminate()
            code, rest = terminal.read_to_end()

        assert code == 143
        assert rest.index("\x1b[?1049l") < rest.index("interrupted")

    def test_no_colour(self, two: ThreadedCluster) -> None:
        """With NO_COLOR the view has no colours."""
        with TerminalProcess([*COMMAND, "watch"], environment={"NO_COLOR": "1"}) as terminal:
            assert not re.search(r"\x1b\[\d+m", terminal.read_until("SMDeleteBDB"))

    def test_dumb(self, two: ThreadedCluster) -> None:
        """A dumb terminal gets lines."""
        with TerminalProcess([*COMMAND, "watch"], environment={"TERM": "dumb"}) as terminal:
            written = terminal.read_until("SMUpdateBDB on bdb:1: active")
            terminal.process.send_signal(signal.SIGINT)
            code, rest = terminal.read_to_end()

        assert "\x1b" not in written + rest
        assert code == 130

    def test_without_rich(self, two: ThreadedCluster) -> None:
        """Without rich the command prints lines, and says once what to install."""
        code = (
            "import sys; sys.modules['rich'] = sys.modules['rich.console'] = None\n"
            "from redis_enterprise_actions._cli.main import main; sys.exit(main(['watch']))"
        )
        with TerminalProcess([sys.executable, "-c", code]) as terminal:
            written = terminal.read_until("SMUpdateBDB on bdb:1: active")
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.read_to_end()[0] == 130

        assert (
            written.count("redis-actions: plain lines, as a live view needs rich: pip install rich")
            == 1
        )
        assert "\x1b" not in written
