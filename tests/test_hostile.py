"""Tests of hostile answers: each wait ends, and CI systems find no command in the output."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import Action, RedisActionsError, UsageError
from redis_enterprise_actions._cli import arguments as _arguments
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.conftest import client_of, examples, virtual_loop
from tests.scripted import now
from tests.secrecy import search_output


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

_T = TypeVar("_T")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["actions", "state-machines", "action_uid", "status", "progress", "error"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
BODIES = st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode())
STATUSES = st.sampled_from([200, 201, 204, 301, 307, 400, 401, 403, 404, 409, 429, 500, 501, 503])
WORDS = st.sampled_from(["0", "7", "-1", "1e9", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"])
FAULTS = st.one_of(
    st.fixed_dictionaries({"status": STATUSES, "body": BODIES}),
    st.fixed_dictionaries({"retry_after": WORDS}),
    st.fixed_dictionaries({"delay": st.floats(0.1, 60)}),
    st.sampled_from([{name: True} for name in ("drop", "truncate", "empty", "nan", "bad_entry")]),
)
MANY_DAYS = 30 * 86400.0


def run(main: Callable[[], Awaitable[_T]]) -> _T:
    """Run a coroutine on a loop of its own with virtual time; check that no poll loop is left."""
    loop = virtual_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(asyncio.wait_for(main(), MANY_DAYS))
    finally:
        left = {task.get_name() for task in asyncio.all_tasks(loop)}
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        asyncio.set_event_loop(None)
        assert left & {"poll loop"} == set()


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.lists(FAULTS, max_size=12), nodes=st.integers(1, 3))
def test_any_order_of_faults(faults: list[dict[str, object]], nodes: int) -> None:
    """Each wait returns or raises a `RedisActionsError`, whatever goes wrong in whatever order."""

    async def main() -> None:
        async with FakeCluster(nodes=nodes, handle_redirects=True) as cluster:
            uids = [cluster.add_action(plan=Plan(duration=30 * number)) for number in range(3)]
            for fault in faults:
                cluster.inject(**fault)  # type: ignore[arg-type]
            async with client_of(cluster) as client:
                results = await client.wait_for_actions(uids, settle=True)
                listed = await asyncio.gather(client.list_actions(), return_exceptions=True)

        for result in (*results, *listed):
            assert isinstance(result, (Action, list, RedisActionsError))
            assert not isinstance(result, UsageError)
            assert str(result)

    run(main)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(faults=st.lists(FAULTS.filter(lambda fault: "delay" not in fault), min_size=1, max_size=12))
def test_others_are_undisturbed(faults: list[dict[str, object]]) -> None:
    """Faults of one action's route do not disturb the waits for other actions."""

    async def main() -> None:
        async with FakeCluster() as cluster:
            victim = cluster.add_action("retry_bdb", Plan(duration=200))
            others = [cluster.add_action(plan=Plan(duration=60 * number)) for number in (1, 2, 3)]
            for fault in faults * 3:
                cluster.inject(path=f"/v1/actions/{victim}", **fault)  # type: ignore[arg-type]
            # The entry of the list is unreadable, so that the client asks for the action alone.
            cluster.inject(path="/v1/actions", times=None, bad_entry=True)
            ended: dict[str, float] = {}

            async def other(uid: str) -> Action:
                action = await client.wait_for_action(uid)
                ended[uid] = now()
                return action

            async with client_of(cluster) as client:
                outcome = asyncio.ensure_future(
                    asyncio.gather(client.wait_for_action(victim), return_exceptions=True)
                )
                actions = await asyncio.gather(*map(other, others))
                (result,) = await outcome

            assert {action.status for action in actions} == {"completed"}
            for uid in others:
                assert ended[uid] - cluster.actions[uid].ends_at < 20
            assert isinstance(result, (Action, RedisActionsError))

    run(main)


@pytest.mark.parametrize(
    "uid", ["a/b", "../users", "a/../../v1/users", "a%2Fb", "a?b=c", "a#b", "ä", "a b", "."]
)
async def test_uids(cluster: FakeCluster, uid: str) -> None:
    """A uid is one segment of a path, whatever characters it has."""
    async with client_of(cluster) as client:
        if uid == ".":
            with pytest.raises(UsageError):
                await client.wait_for_action(uid)
            return
        assert cluster.add_action(plan=Plan(duration=5), uid=uid) == uid
        assert (await client.wait_for_action(uid)).uid == uid
    assert {seen.path.count("/") for seen in cluster.requests} == {3}


# --- output of the command in jobs of CI systems ------------------------------------------------

COMMAND = [sys.executable, "-W", "error", "-m", "redis_enterprise_actions"]
CI_COMMANDS = "::error::evil\n::error::evil ##[error]evil ##vso[task.evil]x\r--- evil"
CONTROL_CHARACTERS = "\x9b31m\x85\u202e\u2066\u061c\u2028\u200b\x1b[31m\x1b]0;x\x07\x7f\x00\r\n"

# Beginnings of lines, or texts in them, that CI systems execute as commands.
PREFIXES = [
    "::error file=app.py,line=1::evil",
    "::add-mask::evil",
    "\u200b::set-output name=evil::evil",
    "\n::error::evil",
    "\x85\u2028::error::evil again",
    "##[error]evil",
    "x ##[add-mask]evil",
    "###[group]evil",
    "##vso[task.setvariable variable=evil]evil",
    "x ##vso[task.complete result=Failed;]evil",
    "##teamcity[buildStop comment='evil']",
    "--- evil",
    "+++ evil",
    "~~~ evil",
    "^^^ +++ evil",
    "\x1b[0Ksection_start:1:evil\r\x1b[0Kevil",
]

# The same as the CI systems parse them, and the commands of `--output github` and `gitlab`.
BEGINNING = re.compile(r"\s*::|(?:---|\+\+\+|~~~)(?:\s|$)|\^\^\^\s*\+\+\+")
ANYWHERE = re.compile(r"##\[|##vso\[|##teamcity\[")
SECTION = re.compile(r"(?:\x1b\[0K)?section_(?:start|end):\d+:([\w.-]+)(?:\[[^]]*\])?\r\x1b\[0K")
OURS_ON_GITHUB = re.compile(
    r"::endgroup::$|::group::(?:Waiting for |Calling)|::(?:error|notice|warning) title=[^:,]*::"
)
OURS_ON_GITLAB = re.compile(r"redis_actions_\d+")


def commands_in(printed: str, *, by: str = "") -> list[str]:
    """Return the lines that a CI system would execute, except those of the output `by`.

    A carriage return ends a line too, as on GitHub.
    """
    found = [each[0] for each in SECTION.finditer(printed)]
    if by == "gitlab" and all(map(OURS_ON_GITLAB.fullmatch, SECTION.findall(printed))):
        found = []
    for line in re.split(r"[\r\n]+", printed):
        ours = by == "github" and OURS_ON_GITHUB.match(line)
        if ANYWHERE.search(line) or (BEGINNING.match(line) and not ours):
            found.append(line)
    return found


def control_characters_in(printed: str, *, by: str = "") -> set[str]:
    """Return the characters that are not printable, except those of the output `by`."""
    printed = SECTION.sub("", printed) if by == "gitlab" else printed
    return {char for char in printed if not char.isprintable()} - {"\n", "\t"}


def hostile_action(prefix: str, status: str) -> dict[str, object]:
    """Return an action whose texts all begin with `prefix` and end with control characters."""
    text = f"{prefix} {CONTROL_CHARACTERS}"
    op = {"op_name": text, "status_code": text, "status_description": text}
    return {
        "action_uid": uid_of(prefix),
        "name": text,
        "status": status or text,
        "state": text,
        "error": text,
        "object_name": f"{text}:1",
        "pending_ops": {text: op},
    }


def uid_of(prefix: str) -> str:
    """Return a uid that begins with `prefix`, without the characters that no uid can have."""
    return re.sub(r"[\x00-\x1f\x85\u2028\u200b/?#]", "", prefix)


class HostileCluster(http.server.BaseHTTPRequestHandler):
    """A cluster that has commands of CI systems in every text."""

    status = ""  # of all actions; "" is a hostile one

    def do_GET(self) -> None:
        """Answer with hostile actions, or with an error."""
        actions = {uid_of(prefix): hostile_action(prefix, self.status) for prefix in PREFIXES}
        path = unquote(self.path.partition("?")[0])
        uid = path.removeprefix("/v1/actions/")
        code, body = (
            409,
            {"error_code": CI_COMMANDS, "description": CI_COMMANDS, "name": CI_COMMANDS},
        )
        if path == "/v1/actions":
            code, body = 200, {"actions": [], "state-machines": list(actions.values())}
        elif path in {"/v1/nodes/actions", "/v1/cluster/actions"}:
            code, body = 200, {"actions": []}
        elif uid in actions:
            code, body = 200, actions[uid]
        elif path in {"/v1/nodes", "/v1/cluster"}:
            code, body = 200, [body]
        elif path in {"/v2/actions", "/v1/crdb_tasks"}:
            code, body = 200, []
        encoded = json.dumps(body).encode()
        self.send_response(code, "evil")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    do_POST = do_DELETE = do_GET  # noqa: N815 - what the library calls

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[HostileCluster]]:
    """Serve a hostile cluster to commands, and a profiles file with hostile names."""
    name = json.dumps(f"{CI_COMMANDS}{CONTROL_CHARACTERS}").replace("\x7f", "")
    (tmp_path / "config.toml").write_text(f"[profiles.{name}]\nuser = {name}\n", "utf-8")
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(HostileCluster, "status", "")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HostileCluster) as server:
        monkeypatch.setenv("REDIS_ENTERPRISE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("REDIS_ENTERPRISE_USER", "ops")
        monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", "hunter2-hunter2")
        threading.Thread(target=server.serve_forever).start()
        yield HostileCluster
        server.shutdown()


# Command lines by name. UIDS stands for the uids of all actions, and UID for one of them.
PLAIN = ("--timeout", "0.5", "--output", "plain")
LINES = {
    "list": ["list"],
    "list --json": ["list", "--json"],
    "watch --once": ["watch", "--once"],
    "get": ["get", "UID"],
    "get --json": ["get", "UID", "--json"],
    **{
        f"wait --output {mode}": ["wait", "UIDS", "--timeout", "0.5", "--output", mode]
        for mode in ("plain", "json", "github", "gitlab", "auto")
    },
    "submit": ["submit", "POST", "/v1/bdbs/1/upgrade"],
    "submit --json": ["submit", "POST", "/v1/bdbs/1/upgrade", "--json"],
    "submit --wait": ["submit", "POST", "/v1/bdbs/1/upgrade", "--wait"],
    "databases": ["databases", "upgrade", "1", "--no-wait"],
    "nodes": ["nodes", "maintenance-on", "1", "--timeout", "0.5"],
    "cluster": ["cluster", "change-primary", "2", "--timeout", "0.5"],
    "shards": ["shards", "fail-over", "3", "--dry-run"],
    "crdbs": ["crdbs", "delete", "5c4e2f1b-8a0e-4b6e-9d5c-2f1b8a0e4b6e", "--yes", "--no-wait"],
    "cancel": ["cancel", "crdb:x"],
    "check": ["check"],
    "check --json": ["check", "--json"],
    "wait --until": ["wait", "UIDS", "--until", "available", *PLAIN],
    "wait cluster": ["wait", "cluster@healthy", "cluster@quiet", *PLAIN],
    "wait bdb": ["wait", "bdb:1@available", "bdb:1@in-sync", *PLAIN],
    "wait crdb": ["wait", "crdb:g@replicating", "bootstrap", *PLAIN],
    "doctor": ["doctor"],
    "doctor --json": ["doctor", "--json"],
    "profiles": ["profiles"],
    "login": ["login"],
    "logout": ["logout", "--profile", "UID\n::error::evil"],
    "completion": ["completion", "bash"],
    "help": ["help", "UID\n::error::evil"],
    "version": ["version"],
    "wrong usage": ["wait", "UID", "--report", "UID\n::error::evil"],
    "wrong argument": ["list", "--bdb", "UID\n::error::evil\x9b"],
}
WITHOUT_CLUSTER = {"fake-cluster", "demo"}  # these commands send requests to a fake cluster only
OUTPUTS = {"wait --output auto": "github", "submit --wait": "github", "submit": "github"}
OUTPUTS |= {"nodes": "github", "cluster": "github"}
OUTPUTS |= {f"wait --output {by}": by for by in ("github", "gitlab")}


def line_of(name: str, uid: str) -> list[str]:
    """Return the command line of that name."""
    uids = [f"action:{uid_of(prefix)}" for prefix in PREFIXES]
    parts = [uids if part == "UIDS" else [part.replace("UID", uid)] for part in LINES[name]]
    return [part for each in parts for part in each]


def test_every_command_is_above() -> None:
    """Every command has a row in the table."""
    actions = _arguments.build_parser()._actions
    (commands,) = (each.choices for each in actions if isinstance(each.choices, dict))

    assert {line[0] for line in LINES.values()} | WITHOUT_CLUSTER == commands.keys()


@pytest.mark.parametrize("name", LINES)
def test_no_command(hostile: type[HostileCluster], name: str) -> None:
    """No line of any command's output is a command of a CI system."""
    ran = subprocess.run(
        [*COMMAND, *line_of(name, uid_of(PREFIXES[0]))],
        env={**os.environ, "GITHUB_ACTIONS": "true", "REDIS_ACTIONS_TRACEBACK": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    out, err = (search_output(text.decode()) for text in (ran.stdout, ran.stderr))

    assert ran.returncode not in {1, 70}
    assert "evil" in out + err or name in {"login", "completion", "version"}
    by = OUTPUTS.get(name, "")
    assert commands_in(out, by=by) == commands_in(err) == []
    assert control_characters_in(out, by=by) == control_characters_in(err) == set()
    if "json" in name and "submit" not in name:
        assert all(isinstance(json.loads(each), dict) for each in out.splitlines())


@pytest.mark.parametrize("status", ["completed", "failed", "pending"])
@pytest.mark.parametrize(
    "name", ["list", "wait --output plain", "wait --output github", "wait --output gitlab"]
)
def test_each_status(
    hostile: type[HostileCluster], capsys: pytest.CaptureFixture[str], name: str, status: str
) -> None:
    """No line is a command of a CI system, whatever the status of the actions is."""
    hostile.status = status
    main(line_of(name, ""))
    out, err = capsys.readouterr()

    by = OUTPUTS.get(name, "")
    assert out.count("evil") >= len(PREFIXES)
    assert commands_in(out, by=by) == commands_in(err) == []
    assert control_characters_in(out, by=by) == control_characters_in(err) == set()


@pytest.mark.parametrize("prefix", PREFIXES)
def test_one_action(
    hostile: type[HostileCluster], capsys: pytest.CaptureFixture[str], prefix: str
) -> None:
    """One action is printed as a harmless line, or as JSON with the cluster's text."""
    uid = uid_of(prefix)
    assert main(["get", uid]) == 0
    text = capsys.readouterr().out
    assert main(["get", uid, "--json"]) == 0
    as_json = capsys.readouterr().out

    assert text.count("\n") == as_json.count("\n") == 1
    assert commands_in(text) == commands_in(as_json) == []
    assert control_characters_in(text) == control_characters_in(as_json) == set()
    assert json.loads(as_json)["name"] == f"{prefix} {CONTROL_CHARACTERS}"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other terminals")
@pytest.mark.parametrize("name", ["list", "wait --output rich"])
@pytest.mark.parametrize("columns", ["40", "120"])
def test_on_a_terminal(hostile: type[HostileCluster], name: str, columns: str) -> None:
    """No line is a command of a CI system on a terminal, which Buildkite's jobs have."""
    import pty  # noqa: PLC0415 - not on Windows

    ours, theirs = pty.openpty()
    uids = line_of("wait --output plain", "")[1:-4] if name != "list" else []
    limits = ["--timeout", "0.5"] if uids else []
    with subprocess.Popen(
        [*COMMAND, *name.split(), *uids, *limits],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": columns, "LINES": "60"},
    ) as process:
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # EIO on Linux when the process has ended
            while more := os.read(ours, 65536):
                written += more
    os.close(ours)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", search_output(written.decode()))

    assert process.returncode == (3 if uids else 0)
    assert shown.count("evil") >= len(PREFIXES)
    assert commands_in(shown) == []
    assert control_characters_in(shown) - {"\r"} == set()


@pytest.mark.parametrize(
    ("printed", "by", "count"),
    [
        ("::error::evil", "", 1),
        ("::error::evil", "github", 1),
        ("x\n  ::error file=a::evil\ny", "github", 1),
        ("x\r::add-mask::y", "github", 1),
        ("::error title=a%3A b::x ::error::y", "github", 0),
        ("::error title=a%3A b::x", "", 1),
        ("::error title=a::x ##[error]y", "github", 1),
        ("::group::Waiting for x\n::endgroup::", "github", 0),
        ("x ##[error]y", "", 1),
        ("x ##vso[task.x]y", "", 1),
        ("a ::error::x", "", 0),
        ("--- x\n+++\n~~~ y\n^^^ +++", "", 4),
        ("\x1b[0Ksection_start:1:evil\r\x1b[0Kx", "gitlab", 1),
        ("\x1b[0Ksection_start:1:redis_actions_1[collapsed=true]\r\x1b[0Kx", "gitlab", 0),
        ("\x1b[0Ksection_start:1:redis_actions_1\r\x1b[0Kx", "", 1),
    ],
)
def test_commands_are_found(printed: str, by: str, count: int) -> None:
    """The parser of the tests finds commands."""
    assert len(commands_in(printed, by=by)) == count
