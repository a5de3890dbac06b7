"""Tests of the mistakes that newcomers make: each gives the lines of the golden file.

`python -m tests.cli.test_mistakes` writes that file anew.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from redis_enterprise_actions.testing import Plan
from tests.cli.test_process import CLEAN, COMMAND, in_pipe, on_terminal, posix
from tests.event_samples import GOLDEN
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = [pytest.mark.enable_socket, posix]

FILE: Final = GOLDEN / "mistakes.txt"
UID: Final = "6c93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0f"
TYPO: Final = "6c93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0a"
ENDLESS: Final = "0f5a0f5a-9a5b-4f2e-3f7e-6c93e2a50b0f"
SETTINGS: Final = ("REDIS_ENTERPRISE_URL", "REDIS_ENTERPRISE_USER", "REDIS_ENTERPRISE_PASSWORD")


@dataclass(frozen=True)
class Mistake:
    """Command line of a newcomer, and the exit code.

    In `line`, `{plain}` and `{tls}` are the host and port of a cluster without and with TLS.
    `without` names settings that are missing in the environment. `run` runs the command if more
    than the line is wrong.
    """

    name: str
    line: tuple[str, ...]
    code: int
    environment: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    run: Callable[..., subprocess.CompletedProcess[str]] = in_pipe


def interrupted(*line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command; press Ctrl-C when it has printed a line."""
    with _started(line, environ) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(line, process.returncode, out, first + err)


def closed_pipe(*line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose output nobody reads."""
    with _started(line, environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        code = process.wait(60)
    return subprocess.CompletedProcess(line, code, "", err)


def without_rich(*line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a terminal, where rich is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        hidden = "import sys\nsys.modules['rich'] = None\n"
        Path(folder, "sitecustomize.py").write_text(hidden, "utf-8")
        Path(folder, "rich.py").write_text("raise ImportError", "utf-8")
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        ran = on_terminal(*line, width=200, PYTHONPATH=os.pathsep.join(paths), **environ)
    text = "\n".join(ran.terminal.everything)
    return subprocess.CompletedProcess(line, ran.code, f"{text}\n", "")


def _started(line: tuple[str, ...], environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *line],
        env={**os.environ, **CLEAN, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


MISTAKES: Final = (
    Mistake("no settings", ("wait", UID), 2, without=SETTINGS),
    Mistake("no password", ("wait", UID), 2, without=("REDIS_ENTERPRISE_PASSWORD",)),
    Mistake("an unknown profile", ("list", "--profile", "prd"), 2),
    Mistake("a port that nothing listens on", ("list", "--url", "http://127.0.0.1:1"), 5),
    Mistake("the same, and a wait", ("wait", UID, "--url", "http://127.0.0.1:1"), 5),
    Mistake("https for http", ("list", "--url", "https://{plain}"), 5),
    Mistake("the same, and a filter", ("wait", "--bdb", "1", "--url", "https://{plain}"), 5),
    Mistake("http for https", ("list", "--url", "http://{tls}"), 5),
    Mistake("a URL without https://", ("list", "--url", "{plain}"), 2),
    Mistake("a certificate of its own", ("list", "--url", "https://{tls}"), 5),
    Mistake("a URL with /v1", ("wait", UID, "--url", "http://{plain}/v1"), 0),
    Mistake("a route for the URL", ("list", "--url", "http://{plain}/v1/actions"), 2),
    Mistake(
        "a wrong password", ("wait", UID), 5, environment={"REDIS_ENTERPRISE_PASSWORD": "wrong"}
    ),
    Mistake("a password as an argument", ("list", "--password", "secret"), 2),
    Mistake("a typo in a uid", ("wait", TYPO, "--not-found-grace", "0.1"), 4),
    Mistake("a typo in a uid of get", ("get", TYPO), 4),
    Mistake("a typo in a uid of cancel", ("cancel", TYPO), 4),
    Mistake("cancel of an action", ("cancel", ENDLESS), 2),
    Mistake("a part of a uid that is too short", ("get", UID[:6]), 4),
    Mistake("an unknown kind of reference", ("wait", "database:1"), 2),
    Mistake("a typo in an option", ("wait", UID, "--tiemout", "30m"), 2),
    Mistake("a typo in a command", ("wiat", UID), 2),
    Mistake("a typo in a named call", ("databases", "upgarde", "1"), 2),
    Mistake("no reference", ("wait",), 2),
    Mistake("nothing that matches", ("wait", "--status", "queued"), 2),
    Mistake("a bad duration", ("wait", UID, "--timeout", "30 minutes"), 2),
    Mistake("an unknown output", ("wait", UID, "--output", "yaml"), 2),
    Mistake("a report of an unknown kind", ("wait", UID, "--report", "deploy.pdf"), 2),
    Mistake("a body that is not JSON", ("databases", "update", "1", "--data", "<port: 1>"), 2),
    Mistake("a database that does not exist", ("databases", "upgrade", "99"), 5),
    Mistake("a deletion in a script", ("databases", "delete", "1"), 2),
    Mistake("a limit that is too short", ("wait", ENDLESS, "--timeout", "0.1"), 3),
    Mistake("Ctrl-C", ("wait", ENDLESS), 130, run=interrupted),
    Mistake("a closed pipe", ("list",), 141, run=closed_pipe),
    Mistake("no rich", ("wait", UID), 0, run=without_rich),
)


class Servers:
    """Two fake clusters, one without TLS and one with a certificate of its own."""

    def __init__(self) -> None:
        self.plain = ThreadedCluster()
        self.tls = ThreadedCluster(tls="self-signed")
        for server in (self.plain, self.tls):
            server.start()
        self.plain.add("SMUpdateBDB", Plan(duration=0), uid=UID, bdb_uid=1)
        self.plain.add("SMUpdateBDB", Plan(outcome="never"), uid=ENDLESS, bdb_uid=2)
        self.plain.hold()

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings of the cluster without TLS."""
        cluster = self.plain.cluster
        return dict(
            zip(SETTINGS, (cluster.url, cluster.username, cluster.password), strict=True),
            XDG_CONFIG_HOME="/nowhere",
            XDG_CACHE_HOME="/nowhere",
        )

    @property
    def places(self) -> dict[str, str]:
        """Return the hosts and ports."""
        servers = {"plain": self.plain, "tls": self.tls}
        return {name: it.cluster.url.partition("://")[2] for name, it in servers.items()}

    def stop(self) -> None:
        """Stop both."""
        self.plain.stop()
        self.tls.stop()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Run the fake clusters."""
    servers = Servers()
    yield servers
    servers.stop()


def normalized(text: str, servers: Servers) -> str:
    """Return output without the ports and times of a run, and the words of one Python version."""
    text = text.replace(servers.places["plain"], "host:9080")
    text = text.replace(servers.places["tls"], "host:9443")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-03-01T04:59:58Z", text)
    text = re.sub(r"(?<!,) +(\d\.\d|\d\d)s\b", " 1.0s", text)
    text = re.sub(r"\b\d+ (poll|attempt)s?\b", r"2 \1s", text)
    return re.sub(r"\[SSL: \w+\] .* \(_ssl\.c:\d+\)", "what OpenSSL says", text)


def run_mistake(mistake: Mistake, servers: Servers) -> str:
    """Run the command of a mistake; return its section of the golden file."""
    env = {**servers.environment, **mistake.environment}
    for name in mistake.without:
        del env[name]
    ran = mistake.run(*[word.format(**servers.places) for word in mistake.line], **env)
    assert ran.returncode == mistake.code, ran.stdout + ran.stderr
    shown = subprocess.list2cmdline(mistake.line).format(plain="host:9080", tls="host:9443")
    output = normalized(f"{ran.stdout}{ran.stderr}", servers)
    return f"# {mistake.name}\n$ redis-actions {shown}\n{output}(exit code {ran.returncode})\n"


def golden_sections() -> dict[str, str]:
    """Return the sections of the golden file by name of the mistake."""
    parts = re.split(r"(?m)^# ", FILE.read_text("utf-8"))[1:]
    return {part.partition("\n")[0]: f"# {part.rstrip()}\n" for part in parts}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.name.replace(" ", "-"))
def test_lines(mistake: Mistake, servers: Servers) -> None:
    """The lines that a mistake gives are those of the golden file."""
    assert run_mistake(mistake, servers) == golden_sections()[mistake.name]


def test_every_section_has_its_mistake() -> None:
    """The golden file has no section but those of the table."""
    assert list(golden_sections()) == [mistake.name for mistake in MISTAKES]


def test_ctrl_z(servers: Servers) -> None:
    """After Ctrl-Z the shell has its cursor; after `fg` the screen is drawn anew."""
    ours, theirs = os.openpty()
    # A session leader that opens a terminal gets it as its controlling terminal.
    opening = ("sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(theirs))
    env = {**os.environ, **CLEAN, **servers.environment, "PS1": "ready> "}
    seen = b""

    def read_until(text: str) -> str:
        nonlocal seen
        while text.encode() not in seen:
            seen += os.read(ours, 65536)
        before, _, seen = seen.partition(text.encode())
        return before.decode(errors="replace")

    with subprocess.Popen(
        [*opening, "bash", "--norc", "--noprofile", "-i"], env=env, start_new_session=True
    ) as shell:
        try:
            read_until("ready> ")
            os.write(ours, f"{' '.join(COMMAND)} wait {ENDLESS}\n".encode())
            read_until("0 of 1 done")
            os.write(ours, b"\x1a")
            stopped = read_until("ready> ")
            os.write(ours, b"fg\n")
            again = read_until("0 of 1 done")
            os.write(ours, b"\x03")
            read_until("ready> ")
            os.write(ours, b"echo code $?\n")
            read_until("code 130")
        finally:
            shell.kill()
            os.close(ours)
            os.close(theirs)

    assert stopped.rpartition("\x1b[?25")[2].startswith("h")
    assert "Stopped" in stopped
    assert again.rpartition("\x1b[?25")[2].startswith("l")


def write_golden() -> None:
    """Write the golden file."""
    servers = Servers()
    sections = [run_mistake(each, servers) for each in MISTAKES]
    servers.stop()
    FILE.write_text("\n".join(sections), "utf-8")


if __name__ == "__main__":
    began = time.monotonic()
    write_golden()
    sys.stderr.write(f"{FILE.name}, in {time.monotonic() - began:.0f} s\n")
