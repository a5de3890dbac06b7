"""Tests of the command as a process: on terminals, in pipes and on CI runners."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from redis_enterprise_actions.testing import Plan
from tests.event_samples import golden_text
from tests.fake_terminal import FakeTerminal
from tests.pace import slowness
from tests.secrecy import search_output


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.threaded_cluster import ThreadedCluster

pytestmark = pytest.mark.enable_socket

COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions"]
CLEAN = {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", "COLUMNS": "", "LINES": ""}
ESCAPES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other terminals")


class TerminalResult(NamedTuple):
    """Result of a command on a terminal."""

    code: int
    raw: str
    terminal: FakeTerminal
    pictures: list[list[str]]  # of the window, after each piece of output


def on_terminal(
    *line: str,
    width: int = 80,
    keys: bytes = b"",
    program: list[str] = COMMAND,
    **environ: str,
) -> TerminalResult:
    """Run a command on a new terminal; send keys once it draws."""
    import termios  # noqa: PLC0415 - not on Windows

    terminal, other = os.openpty()
    termios.tcsetwinsize(other, (24, width))
    # A session leader that opens a terminal gets it as its controlling terminal, with Ctrl-C.
    opening = ("sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(other))
    window, raw, pictures = FakeTerminal(width=width or 80), "", []
    with subprocess.Popen(
        [*opening, *program, *line],
        env={**os.environ, **CLEAN, **environ},
        start_new_session=True,
    ) as process:
        for piece in read_terminal(terminal, other):
            raw += piece
            window.write(piece)
            pictures.append(window.screen)
            if keys and "%" in raw:
                os.write(terminal, keys)
                keys = b""
    return TerminalResult(process.returncode, raw, window, pictures)


def read_terminal(terminal: int, other: int) -> Iterator[str]:
    """Yield the output of a terminal until no process has it open."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    data = os.read(terminal, 65536)
    os.close(other)  # as the command has it now
    with contextlib.suppress(OSError):  # it has ended
        while data:
            yield search_output(decoder.decode(data))
            data = os.read(terminal, 65536)
    os.close(terminal)


def in_pipe(*line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with pipes for its output."""
    ran = subprocess.run(
        [*COMMAND, *line],
        env={**os.environ, **CLEAN, **environ},
        capture_output=True,
        timeout=60,
        check=False,
    )
    out, err = ran.stdout.decode(), ran.stderr.decode()  # with each carriage return in it
    return subprocess.CompletedProcess(ran.args, ran.returncode, out, err)


def normalized(text: str) -> str:
    """Return output with times that are the same in each run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-03-01T04:59:58Z", text)
    return re.sub(r"\b\d\.\ds\b", "0.1s", text)


@pytest.fixture
def two_waits(threaded: ThreadedCluster) -> list[str]:
    """Start two actions, one of which fails; return the arguments to wait for them."""

    def begin(cluster: object) -> None:
        add = cluster.add_action  # type: ignore[attr-defined]
        add("SMUpdateBDB", Plan(duration=0), uid="a1", bdb_uid=1)
        add(
            "retry_bdb",
            Plan(duration=0, outcome="failed", error="[b]日本 full"),
            uid="a2",
            node_uid=1,
        )

    threaded.do(begin)
    return ["wait", "a1", "a2"]


@posix
@pytest.mark.parametrize(
    ("name", "width", "environ"),
    [
        ("wide", 80, {}),
        ("narrow", 40, {}),
        ("no-color", 80, {"NO_COLOR": "1"}),
        ("dumb", 80, {"TERM": "dumb"}),
    ],
)
def test_terminal(two_waits: list[str], name: str, width: int, environ: dict[str, str]) -> None:
    """The terminal at the end is as the golden file has it, with a visible cursor."""
    ran = on_terminal(*two_waits, width=width, **environ)
    text = normalized("\n".join(ran.terminal.everything) + "\n")

    assert ran.code == 1
    assert text == golden_text(f"terminal-{name}.txt", text)
    assert ran.terminal.cursor
    colours = set(re.findall(r"\x1b\[([0-9;]*)m", ran.raw)) - {"0", "1", "2"}
    assert bool(colours) == (name in {"wide", "narrow"})
    assert (ESCAPES.search(ran.raw.replace("\r\n", "\n")) is None) == (name == "dumb")


@posix
def test_live(threaded: ThreadedCluster) -> None:
    """During a wait a terminal shows a bar, in whose place its end stands at the end."""
    uid = threaded.add("SMUpdateBDB", Plan(outcome="never"), bdb_uid=1)
    ran = on_terminal("wait", uid, "--timeout", "1")

    assert ran.code == 3
    assert any("  SMUpdateBDB on bdb:1 " in row for picture in ran.pictures for row in picture)
    assert any("━" in row for picture in ran.pictures for row in picture)
    assert not any("━" in row for row in ran.terminal.everything)


@posix
@pytest.mark.parametrize("value", ["0", "-1", "wide", "\u00b2", "99999999999"])
@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
def test_odd_size(two_waits: list[str], name: str, value: str) -> None:
    """An impossible `COLUMNS` or `LINES` is ignored."""
    ran = on_terminal(*two_waits, **{name: value})
    text = normalized("\n".join(ran.terminal.everything) + "\n")

    assert ran.code == 1
    assert text == golden_text("terminal-wide.txt", text)


@posix
@pytest.mark.parametrize("width", [0, 1, 2, 3, 5, 10])
def test_tiny_window(threaded: ThreadedCluster, width: int) -> None:
    """A wait works in a window of any size."""
    uid = threaded.add("SMUpdateBDB", Plan(outcome="never"), bdb_uid=1)
    ran = on_terminal("wait", uid, "--timeout", "0.5", width=width)

    assert ran.code == 3
    assert "\x1b[?25h" in ran.raw
    assert "Traceback" not in ran.raw


FAILING_DISPLAY = """
import sys
from redis_enterprise_actions._cli import main as _cli
from redis_enterprise_actions._cli.wait import live as _live
before = _live.Frame.live
def live(self, cluster):
    if self._elapsed > 0.7:
        raise KeyError("::error::hunter2")
    return before(self, cluster)
_live.Frame.live = live
sys.exit(_cli.main(sys.argv[1:]))
"""


@posix
@pytest.mark.parametrize("wanted", ["0", "1"])
def test_display_fails(threaded: ThreadedCluster, tmp_path: Path, wanted: str) -> None:
    """An error of the live display restores the terminal, writes the report, and is 70."""
    uid = threaded.add("SMUpdateBDB", Plan(outcome="never"), bdb_uid=1)
    report = tmp_path / "r.json"
    line = ["wait", uid, "--report", str(report)]
    program = [sys.executable, "-W", "error", "-c", FAILING_DISPLAY]
    ran = on_terminal(*line, width=300, program=program, REDIS_ACTIONS_TRACEBACK=wanted)

    assert ran.code == 70
    assert ran.terminal.cursor
    assert ran.terminal.wraps
    assert ran.terminal.everything[-1].startswith(
        "redis-actions: unexpected error: KeyError in redis_enterprise_actions._cli.wait.live,"
    )
    assert ("Traceback" in ran.raw) == ("hunter2" in ran.raw) == (wanted == "1")
    assert uid in report.read_text("utf-8")


@posix
def test_ctrl_c(threaded: ThreadedCluster) -> None:
    """Ctrl-C on a terminal leaves the last state of the waits, and a visible cursor."""
    uid = threaded.add("SMUpdateBDB", Plan(outcome="never"), bdb_uid=1)
    ran = on_terminal("wait", uid, keys=b"\x03", width=200)

    assert ran.code == 130
    assert ran.terminal.cursor
    left, done, last = ran.terminal.everything
    assert re.match(r"■ SMUpdateBDB on bdb:1  left +\d\.\ds  at \d+ % \(", left)
    counts = "interrupted: 1 no longer waited for (exit code 130)"
    assert done == f"{counts}. Resume: redis-actions wait {uid}"
    assert last == "interrupted; what runs on the cluster goes on running"


@posix
def test_results_in_a_file(two_waits: list[str], tmp_path: Path) -> None:
    """With a terminal as standard error alone, the table is there, and the results in the file."""
    results = tmp_path / "results"
    redirected = ["sh", "-c", f'exec "$@" >{results}', "sh", *COMMAND]
    ran = on_terminal(*two_waits, program=redirected)

    assert ran.code == 1
    assert ran.terminal.everything == []
    assert ran.terminal.cursor
    assert any("of 2 done" in row for picture in ran.pictures for row in picture)
    assert [line[:2] for line in results.read_text("utf-8").splitlines()] == ["✓ ", "✗ ", "1 "]


@posix
def test_outage_on_a_terminal(threaded: ThreadedCluster) -> None:
    """An outage is drawn on a terminal."""
    threaded.cluster.inject(times=None, status=503)
    ran = on_terminal("wait", "x", "--outage-timeout", "2.5")

    assert ran.code == 5
    seen = {row for picture in ran.pictures for row in picture}
    assert any(re.match(r"! no usable answer for \d\.\ds: it answered 503$", row) for row in seen)
    assert not any("asking again" in row for row in ran.terminal.everything)


@posix
def test_without_rich(two_waits: list[str], tmp_path: Path) -> None:
    """On a terminal without rich there are plain lines, and one line says why."""
    (tmp_path / "rich.py").write_text("raise ImportError")
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['rich'] = None\n")
    ran = on_terminal(*two_waits, width=120, PYTHONPATH=str(tmp_path))
    text = normalized("\n".join(ran.terminal.everything) + "\n")

    assert ran.code == 1
    assert text == golden_text("terminal-without-rich.txt", text)


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_pipe(two_waits: list[str], environ: dict[str, str]) -> None:
    """In a pipe the lines are the same, whatever the environment says of a terminal."""
    ran = in_pipe(*two_waits, **environ)
    text = normalized(ran.stdout)

    assert (ran.returncode, ran.stderr) == (1, "")
    assert text == golden_text("pipe.txt", text)
    assert ESCAPES.search(ran.stdout) is None


@pytest.mark.parametrize(("encoding", "marks"), [("utf-8", "✓✗"), ("ascii", "+x")])
def test_pipe_encoding(two_waits: list[str], encoding: str, marks: str) -> None:
    """In an encoding without the marks of outcomes there are others."""
    ran = in_pipe(*two_waits, PYTHONIOENCODING=encoding)

    assert "".join(line[0] for line in ran.stdout.splitlines()[:2]) == marks


def test_names(two_waits: list[str]) -> None:
    """With `--output name` standard output has the references of what completed, alone."""
    ran = in_pipe(*two_waits, "--output", "name")

    assert (ran.returncode, ran.stdout) == (1, "action:a1\n")
    assert "failed" in ran.stderr


@pytest.mark.parametrize(
    ("name", "environ"),
    [("github", {"GITHUB_ACTIONS": "true"}), ("gitlab", {"GITLAB_CI": "true"})],
)
def test_pipeline(two_waits: list[str], tmp_path: Path, name: str, environ: dict[str, str]) -> None:
    """In a CI pipeline the output is that of the pipeline by default."""
    summary = tmp_path / "summary.md"
    ran = in_pipe(*two_waits, GITHUB_STEP_SUMMARY=str(summary), **environ)
    text = re.sub(r":\d{10}:", ":1772341198:", normalized(ran.stdout))

    assert (ran.returncode, ran.stderr) == (1, "")
    assert text == golden_text(f"pipeline-{name}.txt", text)
    assert summary.exists() == (name == "github")


@pytest.mark.parametrize("mode", ["plain", "json", "github"])
def test_runner(threaded: ThreadedCluster, mode: str) -> None:
    """No gap is longer than the keep-alive, not in an outage either; no control sequences."""
    threaded.cluster.inject(path="/v1/actions/x", times=None, status=503)
    keep_alive, times = 0.5, [time.monotonic()]
    line = ["wait", "x", "--output", mode, "--keep-alive", str(keep_alive)]
    with subprocess.Popen(
        [*COMMAND, *line, "--outage-timeout", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        text = ""
        for printed in process.stdout:
            times.append(time.monotonic())
            text += printed
        assert process.wait(60) == 5
    gaps = [b - a for a, b in itertools.pairwise(times[1:])]  # not that to the first: it starts

    late = slowness()
    assert len(gaps) >= 4 / (keep_alive + late)
    assert max(gaps) < keep_alive + 0.5 + 5 * late
    assert ESCAPES.search(text) is None


def test_jq(threaded: ThreadedCluster, lines: Callable[[], list[str]]) -> None:
    """`wait -` reads the output of `list --json`."""
    for number in range(3):
        threaded.add("retry_bdb", Plan(duration=0.2), uid=f"a{number}")
    listed = in_pipe("list", "--json").stdout
    ran = subprocess.run(
        [*COMMAND, "wait", "-", "--json"],
        input=f"# all\n\n{listed}",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1].startswith('{"event":"done"')
    assert '"ended":{"completed":3}' in ran.stdout


class TestReportsAndHook:
    """Reports and the hook."""

    def test_every_format(self, two_waits: list[str], tmp_path: Path) -> None:
        """Reports of every format are written, and the hook gets the path of the first."""
        files = [tmp_path / f"report.{kind}" for kind in ("html", "md", "json", "svg")]
        options = [option for file in files for option in ("--report", str(file))]
        ran = in_pipe(*two_waits, *options, "--hook", 'echo "$REDIS_ACTIONS_REPORT" $PATH_TO')

        assert (ran.returncode, ran.stderr) == (1, f"{files[0]}\n")
        assert all("SMUpdateBDB" in file.read_text("utf-8") for file in files)

    @pytest.mark.parametrize(
        ("uid", "hook", "code", "expected"),
        [
            ("a1", "true", 0, ""),
            ("a1", "exit 3", 6, "redis-actions: the hook ended with 3\n"),
            ("a2", "exit 3", 1, "redis-actions: the hook ended with 3\n"),
        ],
    )
    def test_hook(
        self, two_waits: list[str], uid: str, hook: str, code: int, expected: str
    ) -> None:
        """A failed hook is reported; it turns exit code 0 into 6, and changes no other."""
        ran = in_pipe("wait", uid, "--hook", hook)

        assert (ran.returncode, ran.stderr) == (code, expected)

    @pytest.mark.parametrize(("outcome", "code"), [("completed", 6), ("failed", 1)])
    def test_report_fails(
        self, threaded: ThreadedCluster, tmp_path: Path, outcome: str, code: int
    ) -> None:
        """A report that cannot be written turns exit code 0 into 6, and changes no other."""
        uid = threaded.add("retry_bdb", Plan(duration=1, outcome=outcome))
        threaded.hold()
        place = tmp_path / "place"
        place.mkdir()
        with subprocess.Popen(
            [*COMMAND, "wait", uid, "--report", str(place / "report.json")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            process.stderr.readline()
            place.rmdir()
            threaded.go_on()
            _, err = process.communicate(timeout=60)

        assert process.returncode == code
        assert f"redis-actions: --report {place}/report.json cannot be written: " in err

    @pytest.mark.parametrize("name", ["report.pdf", "nowhere/report.json"])
    def test_no_report(self, two_waits: list[str], name: str) -> None:
        """An impossible report is wrong usage."""
        ran = in_pipe(*two_waits, "--report", name)

        assert ran.returncode == 2
        assert ran.stderr.startswith("redis-actions wait: --report: ")

    def test_rejected_call(self, threaded: ThreadedCluster, tmp_path: Path) -> None:
        """A rejected call has a report and a hook, too."""
        report = tmp_path / "report.json"
        line = ["submit", "POST", "/v1/bdbs/1/upgrade", "--wait", "--report", str(report)]
        ran = in_pipe(*line, "--hook", "echo $REDIS_ACTIONS_OUTCOME $REDIS_ACTIONS_EXIT_CODE")

        assert (ran.returncode, ran.stderr) == (5, "rejected 5\n")
        assert "answered 404" in ran.stdout
        assert report.exists()

    def test_output_closed(self, threaded: ThreadedCluster, tmp_path: Path) -> None:
        """If the output is closed the report is written; no hook runs."""
        uid = threaded.add(plan=Plan(duration=1))
        threaded.hold()
        report = tmp_path / "report.json"
        line = ["wait", uid, "--report", str(report), "--hook", f"touch {tmp_path}/hooked"]
        with subprocess.Popen(
            [*COMMAND, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stderr.readline()
            process.stdout.close()
            threaded.go_on()
            assert process.wait(60) == 141

        assert uid in report.read_text()
        assert not (tmp_path / "hooked").exists()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("plain", "  warning: the certificate of https"),
        ("json", '{"event":"warning"'),
        ("github", "::warning title=redis-actions::warning: the certificate of https"),
    ],
)
def test_warnings(unused_tcp_port: int, mode: str, expected: str) -> None:
    """Warnings of the package go to the display, which has a stream for them."""
    url = f"https://127.0.0.1:{unused_tcp_port}"
    line = ["wait", "x", "--url", url, "--insecure", "--user", "x", "--outage-timeout", "0"]
    ran = in_pipe(*line, "--output", mode, REDIS_ENTERPRISE_PASSWORD="x")

    assert ran.returncode == 5
    assert expected in (ran.stderr if mode == "plain" else ran.stdout)
    assert (ran.stderr == "") is (mode != "plain")


@posix
@pytest.mark.parametrize(("outcome", "code"), [("completed", 6), ("failed", 1)])
@pytest.mark.parametrize(
    ("hook", "why"),
    [
        ("kill -KILL $$", "was ended by SIGKILL"),
        ("exec kill -40 $$", "was ended by signal 40"),
        ("exit 7", "ended with 7"),
    ],
    ids=["signal", "real-time signal", "code"],
)
def test_failing_hook(
    threaded: ThreadedCluster, outcome: str, code: int, hook: str, why: str
) -> None:
    """A hook that fails is told, and makes the exit code 6 if that would have been 0."""
    if "-40" in hook and not sys.platform.startswith("linux"):
        pytest.skip("no such signal")
    uid = threaded.add(plan=Plan(duration=0, outcome=outcome))  # type: ignore[arg-type]
    ran = subprocess.run(
        [*COMMAND, "wait", uid, "--hook", hook], capture_output=True, text=True, check=False
    )

    assert ran.returncode == code
    assert f"redis-actions: the hook {why}" in ran.stderr


# --- closed standard streams ----------------------------------------------------------------------

each_closing = pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])


def run_closed(closed: str, *line: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell that closes standard streams."""
    shell = f'exec "$0" "$@" {closed}'
    return subprocess.run(
        ["sh", "-c", shell, *COMMAND, *line],
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@posix
@each_closing
@pytest.mark.parametrize(
    ("line", "code", "printed"),
    [
        (["--help"], 0, "out"),
        (["wait", "--bogus"], 2, "err"),
        (["list", "--url", "nonsense"], 2, "err"),
        (["get", "missing"], 4, "err"),
        (["wait", "missing", "--not-found-grace", "0.1"], 4, "out"),
        (["wait", "-"], 2, "err"),
        (["list", "--json"], 0, "err"),
    ],
    ids=["help", "usage", "setting", "error", "wait", "standard input", "list"],
)
def test_closed_streams(
    threaded: ThreadedCluster, closed: str, line: list[str], code: int, printed: str
) -> None:
    """Text for a closed stream appears on no other stream, and the exit code is the same."""
    ran = run_closed(closed, *line)

    assert ran.returncode == code
    assert bool(ran.stdout) is (printed == "out" and " >&-" not in f" {closed}")
    assert bool(ran.stderr) is (printed == "err" and "2>&-" not in closed)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@each_closing
def test_reserved_descriptors(threaded: ThreadedCluster, tmp_path: Path, closed: str) -> None:
    """No socket gets the number of a closed stream, in which others would write."""
    uid, file = threaded.add(plan=Plan(duration=0)), tmp_path / "open"
    reading = "; ".join(f"readlink /proc/$PPID/fd/{number}" for number in range(3))
    own = "; ".join(f"readlink /proc/$$/fd/{number}" for number in range(3))
    ran = run_closed(closed, "wait", uid, "--hook", f"({reading}; {own}) > {file}")
    links = file.read_text().split()

    assert ran.returncode == 0
    assert len(links) == 6
    for stream, link in zip(("<&-", " >&-", "2>&-"), links, strict=False):
        assert (link == "/dev/null") is (stream in f" {closed}")
