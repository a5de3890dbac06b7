"""Fixtures and settings of all tests: a fake cluster on a real socket, and virtual time."""

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
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from types import FrameType

    from looptime import LoopTimeEventLoop


LIVE = Path(__file__).parent / "live"

# Cycles in which looptime polls the sockets before virtual time advances. Local sockets deliver
# immediately: all tests pass with 5. The default of 42 makes a run a quarter longer.
NOOP_CYCLES = 12

# Fixtures that serve a cluster. A test that opens a socket without them needs the marker
# `enable_socket`, or pytest-socket fails it. `nox -s quick` leaves such tests out.
CLUSTER_FIXTURES = {"cluster", "threaded", "fake_cluster"}

# Only the nox session of the folder's name installs these libraries.
LIBRARIES = {"engines": ("temporalio", "prefect"), "rust_client": ("redis_enterprise",)}
collect_ignore = [folder for folder, names in LIBRARIES.items() if not all(map(find_spec, names))]

# No deadline: tests do not depend on the speed of the machine. `--hypothesis-profile nightly` tries
# many more cases.
settings.register_profile("here", deadline=None)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("here")


def examples(count: int) -> int:
    """Return the number of examples for a test that tries `count` of them by default."""
    return count * settings().max_examples // 100


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options for more cases and for a real cluster."""
    parser.addoption("--waits", type=int, default=200, help="number of waits in the chaos tests")
    parser.addoption("--seed", type=int, default=None, help="seed of the chaos tests")
    full = "test every combination of faults, not a part of them"
    parser.addoption("--full", action="store_true", help=full)
    live = "run only the tests against the cluster of the environment; they start no work"
    parser.addoption("--live", action="store_true", help=live)


def pytest_configure(config: pytest.Config) -> None:
    """Make all runs equal: no event loop that looptime would leak, and with Ctrl-C."""
    asyncio.set_event_loop(None)
    if sys.platform == "win32":  # each event loop opens a pair of sockets
        config.option.force_enable_socket = True
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell sets that for `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)  # commands under test inherit it
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # of nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.umask(0o022)  # profiles that a group may write are refused
    config.pluginmanager.register(secrecy)
    shorten_stacks()


def shorten_stacks() -> None:
    """Keep three frames of a stack in debug mode instead of all, which takes a third of the time.

    In debug mode asyncio and aiohttp keep the stack of each future, handle, request and answer.
    """
    extract = traceback.StackSummary.extract

    def last_of(
        frames: Iterable[tuple[FrameType, int]], *, limit: int | None = None, **options: bool
    ) -> traceback.StackSummary:
        return extract(frames, limit=3 if limit is None else min(limit, 3), **options)

    traceback.StackSummary.extract = last_of  # type: ignore[method-assign, assignment]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run every coroutine test on virtual time with real sockets.

    `--live` runs the tests against a real cluster, in real time, and no others.
    """
    live = config.getoption("--live")
    others = [item for item in items if item.path.is_relative_to(LIVE) is not live]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    for item in items:
        if pytest_asyncio.is_async_test(item) and not live:
            item.add_marker(pytest.mark.looptime(noop_cycles=NOOP_CYCLES))
        if live or CLUSTER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("enable_socket")


def pytest_collection_finish() -> None:
    """Exclude the test items from garbage collection, which some tests run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def seeded_random(request: pytest.FixtureRequest) -> None:
    """Seed the jitter of each test, so that its failures can be repeated."""
    random.seed(request.node.nodeid)


@pytest.fixture(autouse=True)
def no_cluster_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of a cluster that is configured on this machine."""
    for name in [name for name in os.environ if name.startswith("REDIS_ENTERPRISE_")]:
        monkeypatch.delenv(name)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITLAB_CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)  # they change the output


@pytest.fixture(autouse=True)
def no_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the profiles of this machine, and the references that its commands have seen."""
    for name in ("REDIS_ACTIONS_CONFIG", "REDIS_ACTIONS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, "/nowhere")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, f"{os.devnull}/no-folder")


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture the log without the requests, of which `test_request_log` is the test."""

    def is_other(record: logging.LogRecord) -> bool:
        return record.name != "redis_enterprise_actions.requests"

    caplog.handler.addFilter(is_other)
    yield caplog
    caplog.handler.removeFilter(is_other)


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    """Return a keyring in memory, in place of that of this machine."""
    before, memory = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    """Return a fake cluster of the default version."""
    async with FakeCluster() as cluster:
        yield cluster


@pytest.fixture
async def client(cluster: FakeCluster) -> AsyncIterator[ActionsClient]:
    """Return a client of that cluster; check that it leaves no task."""
    before = asyncio.all_tasks()
    async with client_of(cluster) as client:
        yield client
    for _ in range(10):
        await asyncio.sleep(0)
    own = {task for task in asyncio.all_tasks() - before if "aiohttp" not in repr(task)}
    assert own - {asyncio.current_task()} == set()


@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedCluster]:
    """Return a fake cluster in a thread, with its settings in the environment."""
    threaded = ThreadedCluster()
    threaded.start()
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", threaded.cluster.url)
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", threaded.cluster.username)
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", threaded.cluster.password)
    yield threaded
    threaded.stop()


@pytest.fixture
def cluster_in_environment(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Return the fake cluster on this loop, with its settings in the environment."""
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", cluster.url)
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", cluster.username)
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", cluster.password)
    return cluster


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return a function that returns the printed lines."""
    return lambda: capsys.readouterr().out.splitlines()


def virtual_loop() -> LoopTimeEventLoop:
    """Return a new loop with virtual time from 0, for tests that run several loops."""
    return looptime.patch_event_loop(asyncio.new_event_loop(), start=0, noop_cycles=NOOP_CYCLES)


ACTIVE = Action(
    uid="a1", name="SMUpdateBDB", kind=Kind.STATE_MACHINE, status="active", phase=Phase.RUNNING
)


def at(progress: float | None = None, status: str = "active") -> Action:
    """Return `ACTIVE` with some progress, or another status."""
    return msgspec.structs.replace(ACTIVE, progress=progress, status=status, phase=phase_of(status))


def client_of(cluster: FakeCluster, **options: object) -> ActionsClient:
    """Return a client with the cluster's credentials."""
    return ActionsClient(
        cluster.url,
        username=cluster.username,
        password=cluster.password,
        **options,  # type: ignore[arg-type]
    )
