"""What the tests share: a fake cluster on a real socket, and a clock that costs no time."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import keyring
import looptime
import msgspec
import pytest
import pytest_asyncio
from hypothesis import settings

from redis_enterprise_actions import Action, ActionsClient, Kind, Phase
from redis_enterprise_actions._model.action import phase_of
from redis_enterprise_actions.testing import FakeCluster
from tests import secrecy
from tests.memory_keyring import MemoryKeyring
from tests.served import Served


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from types import FrameType

    from looptime import LoopTimeEventLoop


LIVE = Path(__file__).parent / "live"

# How often looptime looks for what a socket brings before time goes on. Ours are of this machine,
# and bring it at once: all tests pass with 5. The usual 42 make a run a quarter longer.
LOOKS = 12

# Fixtures that serve a cluster. A test that opens a socket and has none of them says so with the
# marker `enable_socket`: pytest-socket fails it otherwise. `nox -s quick` leaves such tests out.
SERVING = {"cluster", "served", "fake_cluster"}

# Their libraries are large, and only the nox session of that name has them.
collect_ignore = [] if find_spec("temporalio") and find_spec("prefect") else ["engines"]

# No test depends on the speed of the machine. `--hypothesis-profile nightly` tries many more cases.
settings.register_profile("here", deadline=None)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("here")


def examples(count: int) -> int:
    """Return the number of examples for a test that tries `count` of them by default."""
    return count * settings().max_examples // 100


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let tests take more cases, and a real cluster be asked."""
    parser.addoption("--waits", type=int, default=200, help="how many waits there are in chaos")
    parser.addoption("--seed", type=int, default=None, help="what the chaos is drawn from")
    full = "every combination of faults, of which the default is a part"
    parser.addoption("--full", action="store_true", help=full)
    asks = "ask the cluster of the environment, and run no other tests; nothing is started there"
    parser.addoption("--live", action="store_true", help=asks)


def pytest_configure(config: pytest.Config) -> None:
    """Make each run alike: without an event loop that looptime would leak, and with Ctrl-C."""
    asyncio.set_event_loop(None)
    if sys.platform == "win32":  # where each event loop opens a pair of sockets
        config.option.force_enable_socket = True
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell sets it with `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)  # commands under test inherit it
    config.pluginmanager.register(secrecy)
    shorten_stacks()


def shorten_stacks() -> None:
    """Let debug mode note the last three calls instead of all, which takes a third of the time.

    asyncio and aiohttp keep the stack of each future, handle, request and answer then.
    """
    extract = traceback.StackSummary.extract

    def last_of(
        frames: Iterable[tuple[FrameType, int]], *, limit: int | None = None, **options: bool
    ) -> traceback.StackSummary:
        return extract(frames, limit=3 if limit is None else min(limit, 3), **options)

    traceback.StackSummary.extract = last_of  # type: ignore[method-assign, assignment]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let every coroutine test run on virtual time: sockets are real, sleeping is not.

    But for those that ask a real cluster, which are run by `--live`, and then alone.
    """
    live = config.getoption("--live")
    others = [item for item in items if item.path.is_relative_to(LIVE) is not live]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    for item in items:
        if pytest_asyncio.is_async_test(item) and not live:
            item.add_marker(pytest.mark.looptime(noop_cycles=LOOKS))
        if live or SERVING.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("enable_socket")


def pytest_collection_finish() -> None:
    """Take the thousands of tests out of garbage collection, which some tests run and all pay."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def the_same_lots(request: pytest.FixtureRequest) -> None:
    """Jitter is drawn alike in each run of a test: what fails once fails again."""
    random.seed(request.node.nodeid)


@pytest.fixture(autouse=True)
def no_cluster_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a cluster that happens to be configured on this machine."""
    for name in [name for name in os.environ if name.startswith("REDIS_ENTERPRISE_")]:
        monkeypatch.delenv(name)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITLAB_CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)  # nor does the output depend on who runs the tests


@pytest.fixture(autouse=True)
def no_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one meet the profiles of who runs it."""
    for name in ("REDIS_ACTIONS_CONFIG", "REDIS_ACTIONS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, "/nowhere")


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    """A keyring in memory instead of this machine's."""
    before, memory = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    """A fake cluster of the newest version. Nothing may be left running when it ends."""
    async with FakeCluster() as cluster:
        yield cluster


@pytest.fixture
async def client(cluster: FakeCluster) -> AsyncIterator[ActionsClient]:
    """A client of that cluster, which must leave no task behind."""
    before = asyncio.all_tasks()
    async with client_of(cluster) as client:
        yield client
    for _ in range(10):
        await asyncio.sleep(0)
    own = {task for task in asyncio.all_tasks() - before if "aiohttp" not in repr(task)}
    assert own - {asyncio.current_task()} == set()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Serve a fake cluster for commands, and point the environment at it."""
    served = Served()
    served.start()
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", served.cluster.url)
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", served.cluster.username)
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", served.cluster.password)
    yield served
    served.stop()


@pytest.fixture
def asked(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster that a command asks which runs on this loop, and its clock."""
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", cluster.url)
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", cluster.username)
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", cluster.password)
    return cluster


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return a function that returns what was printed."""
    return lambda: capsys.readouterr().out.splitlines()


def virtual_loop() -> LoopTimeEventLoop:
    """Return a loop of its own for a test that runs several, on virtual time from 0 on."""
    return looptime.patch_event_loop(asyncio.new_event_loop(), start=0, noop_cycles=LOOKS)


ACTIVE = Action(
    uid="a1", name="SMUpdateBDB", kind=Kind.STATE_MACHINE, status="active", phase=Phase.RUNNING
)


def at(progress: float | None = None, status: str = "active") -> Action:
    """Return the action with some progress, or another status."""
    return msgspec.structs.replace(ACTIVE, progress=progress, status=status, phase=phase_of(status))


def client_of(cluster: FakeCluster, **options: object) -> ActionsClient:
    """Return a client with the cluster's credentials."""
    return ActionsClient(
        cluster.url,
        username=cluster.username,
        password=cluster.password,
        **options,  # type: ignore[arg-type]
    )
