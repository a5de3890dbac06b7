"""Any client of the API gets the same results from one scenario file, however its clock runs.

The clients are the two of this package, `redis-enterprise` (in Rust) and curl. The fake cluster is
the command `redis-actions fake-cluster`, as a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

import pytest
from tenacity import wait_fixed

from redis_enterprise_actions import ActionsClient, RequestRejected, sync
from tests.needed_tools import skip


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from redis_enterprise_actions import FinishedAction, RedisActionsError

pytestmark = [pytest.mark.enable_socket, pytest.mark.system]

ROOT: Final = Path(__file__).parents[2]
SCENARIO: Final = ROOT / "examples" / "scenarios" / "upgrade.toml"
SCRIPT: Final = Path(__file__).with_name("any_client.sh")
TOOLS: Final = ("bash", "curl", "jq")  # of the script
PAUSE: Final = 0.1  # seconds between two polls
TRIES: Final = 600
BUSY: Final = "Cluster is busy or unavailable"  # the Rust client's words for 503

RUNNING, FAILING = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
UPGRADE: Final = "5226a612-895d-4e81-896f-11176cd31f39"  # from the seed of the scenario

COMPLETED: Final = {"status": "completed", "error_code": None, "error": None}
EXPECTED: Final = {
    "refusal": {
        "status": 406,
        "error_code": "missing_db_name",
        "description": "name is required",
    },
    "answer": {"uid": 1, "name": "cache", "action_uid": UPGRADE},
    "ends": {
        RUNNING: COMPLETED,
        FAILING: {"status": "failed", "error_code": "no_space", "error": "node 3 is full"},
        UPGRADE: COMPLETED,
    },
}

JSON: TypeAlias = dict[str, Any]


class Served(NamedTuple):
    """Addresses and credentials of the fake cluster: the line that the command prints."""

    url: str
    urls: list[str]
    username: str
    password: str
    control: str

    def control_api(self, name: str, call: JSON | None = None) -> JSON:
        """Return the answer of the control API to a call."""
        data = None if call is None else json.dumps(call).encode()
        request = urllib.request.Request(self.control + name, data)
        with urllib.request.urlopen(request, timeout=10) as response:
            answer: JSON = json.load(response)
        return answer


class Client(Protocol):
    """A client of the cluster, in the normal form of `EXPECTED`."""

    def __init__(self, served: Served) -> None:
        """Take the cluster's addresses and credentials."""

    def refusal(self) -> JSON:
        """Create a database without a name, and return the refusal."""
        ...

    def upgrade(self) -> JSON:
        """Upgrade database 1, and return the answer."""
        ...

    def ends(self, uids: Sequence[str]) -> dict[str, JSON]:
        """Wait for actions, and return the end of each."""
        ...


def part_of(answer: JSON) -> JSON:
    """Return the part of the answer to an upgrade that is compared."""
    return {field: answer[field] for field in ("uid", "name", "action_uid")}


def refusal_by(error: RequestRejected) -> JSON:
    """Return a refusal in the normal form."""
    return {
        "status": error.status,
        "error_code": error.error_code,
        "description": error.description,
    }


def ends_of(results: Sequence[FinishedAction | RedisActionsError]) -> dict[str, JSON]:
    """Return what waits have returned or raised, in the normal form."""
    actions = [getattr(result, "action", result) for result in results]
    return {
        action.uid: {
            "status": action.status,
            "error_code": action.error_code,
            "error": action.error,
        }
        for action in actions
    }


class SyncClient:
    """The synchronous client of this package."""

    def __init__(self, served: Served) -> None:
        user, password = served.username, served.password
        self._client = lambda: sync.ActionsClient(served.urls, username=user, password=password)

    def refusal(self) -> JSON:
        with self._client() as client, pytest.raises(RequestRejected) as caught:
            client.submit("POST", "/v1/bdbs", {})
        return refusal_by(caught.value)

    def upgrade(self) -> JSON:
        with self._client() as client:
            answer: Any = client.databases.upgrade(1).answer
        return part_of(answer)

    def ends(self, uids: Sequence[str]) -> dict[str, JSON]:
        with self._client() as client:
            return ends_of(client.wait_for_actions(uids, settle=True, poll=wait_fixed(PAUSE)))


class AsyncClient:
    """The asynchronous client of this package."""

    def __init__(self, served: Served) -> None:
        user, password = served.username, served.password
        self._client = lambda: ActionsClient(served.urls, username=user, password=password)

    def refusal(self) -> JSON:
        async def refused() -> JSON:
            async with self._client() as client:
                with pytest.raises(RequestRejected) as caught:
                    await client.submit("POST", "/v1/bdbs", {})
            return refusal_by(caught.value)

        return asyncio.run(refused())

    def upgrade(self) -> JSON:
        async def started() -> JSON:
            async with self._client() as client:
                answer: Any = (await client.databases.upgrade(1)).answer
            return part_of(answer)

        return asyncio.run(started())

    def ends(self, uids: Sequence[str]) -> dict[str, JSON]:
        async def ended() -> dict[str, JSON]:
            async with self._client() as client:
                poll = wait_fixed(PAUSE)
                return ends_of(await client.wait_for_actions(uids, settle=True, poll=poll))

        return asyncio.run(ended())


class RustClient:
    """`redis-enterprise`, the wheel of a client in Rust."""

    def __init__(self, served: Served) -> None:
        try:
            module = importlib.import_module("redis_enterprise")
        except ImportError:
            skip("redis-enterprise is not installed here: nox -s any_language does it", ["rust"])
        self._client = module.EnterpriseClient(served.url, served.username, served.password)

    def _answer(self, ask: Callable[..., JSON], *arguments: object) -> JSON:
        """Return the answer to a request, which is repeated as long as it is 503."""
        for _ in range(TRIES):
            try:
                return ask(*arguments)
            except RuntimeError as error:
                if str(error) != BUSY:
                    raise
            time.sleep(PAUSE)
        raise AssertionError(BUSY)

    def refusal(self) -> JSON:
        with pytest.raises(RuntimeError) as caught:
            self._answer(self._client.post_sync, "/v1/bdbs", {})
        match = re.fullmatch(r"API error: (.*) \(code: (\d+)\)", str(caught.value))
        assert match is not None, caught.value
        return {"status": int(match[2]), **json.loads(match[1])}

    def upgrade(self) -> JSON:
        return part_of(self._answer(self._client.post_sync, "/v1/bdbs/1/upgrade", {}))

    def ends(self, uids: Sequence[str]) -> dict[str, JSON]:
        return {uid: self._end(uid) for uid in uids}

    def _end(self, uid: str) -> JSON:
        for _ in range(TRIES):
            action = self._answer(self._client.get_sync, f"/v1/actions/{uid}")
            if action["status"] in {"completed", "failed"}:
                return {
                    "status": action["status"],
                    "error_code": action.get("error_code"),
                    "error": action.get("error_message"),
                }
            time.sleep(PAUSE)
        raise AssertionError(action)


class ShellClient:
    """curl and jq, in a shell script."""

    def __init__(self, served: Served) -> None:
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing:
            skip(f"there is no {' and no '.join(missing)} here", TOOLS)
        settings = {"URL": served.url, "USERNAME": served.username, "PASSWORD": served.password}
        self._environment = {**os.environ, **settings}

    def _run(self, *arguments: str) -> JSON:
        ran = subprocess.run(
            ["bash", str(SCRIPT), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        printed: JSON = json.loads(ran.stdout)
        return printed

    def refusal(self) -> JSON:
        return self._run("refusal")

    def upgrade(self) -> JSON:
        return self._run("upgrade", "1")

    def ends(self, uids: Sequence[str]) -> dict[str, JSON]:
        return {uid: self._run("end", uid) for uid in uids}


CLIENTS: Final[dict[str, type[Client]]] = {
    "sync": SyncClient,
    "async": AsyncClient,
    "rust": RustClient,
    "curl": ShellClient,
}


@contextlib.contextmanager
def serving(speed: int) -> Iterator[Served]:
    """Serve the scenario with the command, at a speed."""
    command = ["fake-cluster", "--scenario", str(SCENARIO), "--control", "0", "--json"]
    command += ["--until-eof", "--speed", str(speed)]
    process = subprocess.Popen(
        [sys.executable, "-m", "redis_enterprise_actions", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        printed = json.loads(process.stdout.readline())
        yield Served(**{field: printed[field] for field in Served._fields})
    finally:
        try:
            _, errors = process.communicate(timeout=30)  # which closes its standard input
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_fast_clock(client: type[Client]) -> None:
    """The results are as expected on a clock that runs 60 times as fast."""
    with serving(speed=60) as served:
        driven = client(served)
        results = {
            "refusal": driven.refusal(),
            "answer": driven.upgrade(),
            "ends": driven.ends([RUNNING, FAILING, UPGRADE]),
        }
        state = served.control_api("")

    assert results == EXPECTED
    assert state["clock"]["elapsed"] >= 900
    assert state["problems"] == []


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_jumping_clock(client: type[Client]) -> None:
    """The results are the same on a clock that stands still, but for one jump.

    The cluster dates every request by its own clock.
    """
    with serving(speed=0) as served:
        driven = client(served)
        results: JSON = {"refusal": driven.refusal(), "answer": driven.upgrade()}
        before = served.control_api("requests")
        clock = served.control_api("clock", {"jump": 1000})
        results["ends"] = driven.ends([RUNNING, FAILING, UPGRADE])
        after = served.control_api(f"requests?since={before['total']}")

    assert results == EXPECTED
    assert (clock["time"], clock["elapsed"]) == ("2026-01-01T00:16:40Z", 1000)
    assert {request["elapsed"] for request in before["requests"]} == {0}
    assert {request["elapsed"] for request in after["requests"]} == {1000}
    assert [request["status"] for request in after["requests"]].count(503) == 3
