"""Tests of `_cli.calls.confirmation`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.calls.confirmation import (
    _READER,
    Destruction,
    _names,
    _read_line,
    confirm,
    destruction_by,
)
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions.testing import Plan
from tests.recorder import RecordingServer


if TYPE_CHECKING:
    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster
    from tests.threaded_cluster import ThreadedCluster

if sys.platform != "win32":
    import pty

    from tests.terminal_process import TerminalProcess

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions"]


def prepare(cluster: FakeCluster) -> None:
    """Add a database and an Active-Active one with names, and let all work end at once."""
    cluster.add_bdb(1, name="orders")
    cluster.add_crdb("g1", name="sessions")
    for method in ("POST", "PUT", "DELETE"):
        cluster.plan(method, "/", Plan(duration=0), times=None)


def changes(threaded: ThreadedCluster) -> list[str]:
    """Return the requests other than GET."""
    seen = threaded.cluster.requests
    return [f"{each.method} {each.path}" for each in seen if each.method != "GET"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("DELETE", "/v1/bdbs/1", ("deletes", "databases", "1")),
        ("delete", "/v1/bdbs/1", ("deletes", "databases", "1")),
        ("PUT", "/v1/bdbs/1/flush", ("deletes all data of", "databases", "1")),
        ("DELETE", "/v1/crdbs/g-1", ("deletes", "crdbs", "g-1")),
        ("PUT", "/v1/crdbs/g1/flush", ("deletes all data of", "crdbs", "g1")),
        ("PUT", "/v1/crdbs/g1/purge", ("deletes all data of", "crdbs", "g1")),
        ("POST", "/v1/nodes/2/actions/remove", ("removes", "nodes", "2")),
        ("DELETE", "/v1/nodes/2", ("removes", "nodes", "2")),
        ("DELETE", "/v1/users/5", ("deletes", None, "/v1/users/5")),
        ("DELETE", "/v1/bdbs/1/more", ("deletes", None, "/v1/bdbs/1/more")),
        ("PUT", "/v1/bdbs/1", None),
        ("POST", "/v1/bdbs/1/upgrade", None),
        ("POST", "/v1/nodes/2/actions/maintenance_on", None),
    ],
)
def test_calls(method: str, path: str, expected: tuple[str, str | None, str] | None) -> None:
    """Deletions, flushes and removals are known by the method and the path of a call."""
    assert destruction_by(method, path) == expected


HARMFUL = [
    ("databases delete 1", "this call deletes database 1"),
    ("nodes remove 1", "this call removes node 1"),
    ("crdbs flush g1", "this call deletes all data of Active-Active database g1"),
    ("crdbs delete g1", "this call deletes Active-Active database g1"),
    ("submit DELETE /v1/bdbs/1", "this call deletes database 1"),
    ("submit put /v1/bdbs/1/flush", "this call deletes all data of database 1"),
    ("submit DELETE /v1/users/3", "this call deletes /v1/users/3"),
]


@pytest.mark.parametrize(("line", "expected"), HARMFUL)
def test_no_terminal(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], line: str, expected: str
) -> None:
    """Without a terminal, and without `--yes`, nothing at all is sent, and the exit code is 2."""
    assert main(line.split()) == 2
    assert capsys.readouterr() == (
        "",
        f"redis-actions: {expected}, and was not sent: add --yes, as there is no terminal to ask "
        "on\n",
    )
    assert threaded.cluster.requests == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DELETE /v1/bdbs/", "'/v1/bdbs/' is not a path of the API"),
        ("DELETE /v1/bdbs/1 --header Host=x", "headers= cannot set the header Host"),
    ],
)
def test_wrong_call(
    threaded: ThreadedCluster, capsys: pytest.CaptureFixture[str], line: str, expected: str
) -> None:
    """A call that cannot be sent is refused before the user is asked."""
    assert main(["submit", *line.split()]) == 2
    assert capsys.readouterr().err.startswith(f"redis-actions: {expected}")
    assert threaded.cluster.requests == []


async def test_no_empty_name(client: ActionsClient) -> None:
    """An empty line confirms nothing: a path without a name is typed as a whole."""
    assert await _names(client, Destruction("deletes", None, "/v1/users/3")) == ["3"]
    assert await _names(client, Destruction("deletes", None, "/v1/users/")) == ["/v1/users/"]


@pytest.mark.parametrize("line", [line for line, _ in HARMFUL if "users" not in line])
def test_yes(threaded: ThreadedCluster, line: str) -> None:
    """With `--yes` the call is made at once."""
    threaded.do(prepare)

    main([*line.split(), "--yes", "--no-wait"])
    assert len(changes(threaded)) == 1


def test_no_standard_input(
    threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A closed standard input is no terminal."""
    monkeypatch.setattr(sys, "stdin", None)

    assert main(["databases", "delete", "1"]) == 2
    assert "add --yes" in capsys.readouterr().err


@needs_terminal
class TestTerminal:
    """Confirmation on a terminal."""

    @pytest.mark.parametrize(
        ("line", "prompt", "answer", "call"),
        [
            (
                "databases delete 1",
                "This call deletes database 1 (orders) of http",
                "orders",
                "DELETE /v1/bdbs/1",
            ),
            (
                "databases delete name:orders",
                "This call deletes database 1 (orders) of http",
                "orders",
                "DELETE /v1/bdbs/1",
            ),
            (
                "crdbs flush g1",
                "This call deletes all data of Active-Active database g1 (sessions) of http",
                " sessions ",
                "PUT /v1/crdbs/g1/flush",
            ),
            (
                "submit POST /v1/nodes/1/actions/remove",
                "This call removes node 1 (10.0.0.1) of http",
                "10.0.0.1",
                "POST /v1/nodes/1/actions/remove",
            ),
            (
                "nodes remove 1",
                "Type 10.0.0.1 or 1 to go on",
                "1",
                "POST /v1/nodes/1/actions/remove",
            ),
            (
                "submit DELETE /v1/users/3",
                "This call deletes /v1/users/3 of http",
                "3",
                "DELETE /v1/users/3",
            ),
        ],
    )
    def test_confirmed(
        self, threaded: ThreadedCluster, line: str, prompt: str, answer: str, call: str
    ) -> None:
        """The call is made after the name was typed."""
        threaded.do(prepare)
        threaded.cluster.inject(path="/v1/users", method="DELETE", status=200, body="{}")
        with TerminalProcess([*COMMAND, *line.split(), "--no-wait"], columns=120) as terminal:
            shown = terminal.read_until("to go on: ")
            assert changes(threaded) == []
            terminal.type(f"{answer}\n")
            terminal.read_to_end()

        assert prompt in shown
        assert changes(threaded) == [call]

    def test_name_moves(self, threaded: ThreadedCluster) -> None:
        """The call goes to the database that was shown, whatever has its name by then."""
        threaded.do(prepare)
        line = ["databases", "delete", "name:orders", "--no-wait"]
        with TerminalProcess([*COMMAND, *line], columns=120) as terminal:
            terminal.read_until("to go on: ")
            threaded.do(lambda cluster: cluster.add_bdb(2, name="orders"))
            terminal.type("orders\n")
            terminal.read_to_end()

        assert changes(threaded) == ["DELETE /v1/bdbs/1"]

    @pytest.mark.parametrize("answer", ["1\n", "\n", "yes\n", "\x04"], ids=repr)
    def test_refused(self, threaded: ThreadedCluster, answer: str) -> None:
        """Any other answer, and Ctrl-D, end the command with 2, and nothing is sent."""
        threaded.do(prepare)
        with TerminalProcess([*COMMAND, "databases", "delete", "1"], columns=120) as terminal:
            terminal.read_until("Type orders to go on: ")
            terminal.type(answer)
            code, shown = terminal.read_to_end()

        assert code == 2
        assert "\nredis-actions: that is not the name, so nothing was sent" in shown
        assert changes(threaded) == []

    def test_interrupted(self, threaded: ThreadedCluster) -> None:
        """Ctrl-C ends the command at once, and nothing is sent."""
        threaded.do(prepare)
        with TerminalProcess([*COMMAND, "databases", "delete", "1"], columns=120) as terminal:
            terminal.read_until("to go on: ")
            terminal.process.send_signal(signal.SIGINT)
            code, shown = terminal.read_to_end()

        assert code == 130
        assert "\ninterrupted; nothing was sent" in shown
        assert changes(threaded) == []

    def test_unknown(self, threaded: ThreadedCluster) -> None:
        """An object that the cluster does not have is not asked about."""
        with TerminalProcess([*COMMAND, "databases", "delete", "9"], columns=120) as terminal:
            code, shown = terminal.read_to_end()

        assert code == 5
        assert "the cluster answered 404" in shown
        assert "Type" not in shown
        assert changes(threaded) == []

    async def test_closed(self) -> None:
        """A terminal that is gone counts as one where nothing was typed."""
        assert await _read_line(-1) == ""

    @pytest.mark.parametrize("closed", [False, True])
    def test_late_line(self, closed: bool) -> None:
        """A line that comes after the command was interrupted is left alone."""
        ours, theirs = pty.openpty()
        loop = asyncio.new_event_loop()

        async def interrupted() -> None:
            reading = asyncio.create_task(_read_line(theirs))
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

        async def later() -> None:
            await asyncio.sleep(0)

        try:
            loop.run_until_complete(interrupted())
            if closed:
                loop.close()
            os.write(ours, b"orders\n")
            for thread in threading.enumerate():
                if thread.name == _READER:
                    thread.join(10)
            if not closed:
                loop.run_until_complete(later())
        finally:
            loop.close()
            os.close(ours)
            os.close(theirs)


@needs_terminal
@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("name", "typed"),
    [("\\u001b[2Jorders\\n", "[2Jorders"), ("", "1"), ("a  b", "a b")],
)
async def test_odd_names(monkeypatch: pytest.MonkeyPatch, name: str, typed: str) -> None:
    """A name is typed as it is shown; for an object without a name, its uid is."""
    body = f'{{"name": "{name}"}}'
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin, os.fdopen(ours, "w") as keyboard:
        monkeypatch.setattr(sys, "stdin", stdin)
        keyboard.write(f"{typed}\nother\n")
        keyboard.flush()
        async with RecordingServer(GET=[(200, body)]) as server, server.client() as client:
            await confirm(client, Destruction("deletes", "databases", "1"))
            with pytest.raises(UsageError):
                await confirm(client, Destruction("deletes", "databases", "1"))
