"""pytest plugin with the fixtures `fake_cluster` and `actions_client`.

The module stands beside the package because pytest loads it in every run: neither the package nor
aiohttp is imported before a fixture is used. The fixtures run on the event loop of the test, under
pytest-asyncio and anyio.
"""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import pytest


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
    from pathlib import Path

    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster

_MARKER: Final = (
    "fake_cluster(scenario=None, replay=None, faults=[], chaos={}, **settings): settings of the "
    "fixture fake_cluster: a scenario file or a capture to replay, by its path from the folder of "
    "the test's file; the arguments of FakeCluster, which win over those of the scenario, of its "
    "method `inject` for each fault, and of its method `chaos`. The marker closest to the test "
    "wins."
)
_LOOP_SCOPES: Final = ("function", "class", "module", "package", "session")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the fixtures for the installed frameworks."""
    config.addinivalue_line("markers", _MARKER)
    if config.pluginmanager.hasplugin("asyncio"):
        config.pluginmanager.register(_on_pytest_asyncio(), "fake_cluster_on_pytest_asyncio")
    config.pluginmanager.register(_on_anyio(), "fake_cluster_on_anyio")


@pytest.fixture
def fake_cluster(request: pytest.FixtureRequest) -> FakeCluster:
    """Serve a `redis_enterprise_actions.testing.FakeCluster` for as long as the test runs.

    The marker of the same name has its settings.
    """
    return cast("FakeCluster", request.getfixturevalue(_variant(request, "fake_cluster")))


@pytest.fixture
def actions_client(request: pytest.FixtureRequest) -> ActionsClient:
    """Open a `redis_enterprise_actions.ActionsClient` that is connected to `fake_cluster`."""
    return cast("ActionsClient", request.getfixturevalue(_variant(request, "actions_client")))


# --- the event loop -------------------------------------------------------------------------------


def _variant(request: pytest.FixtureRequest, name: str) -> str:
    """Return the name of the fixture that runs on the event loop of the test."""
    marker = _test(request).get_closest_marker("asyncio")
    on_anyio = "anyio_backend" in request.fixturenames
    if marker is not None and on_anyio:
        pytest.fail(
            f"pytest-asyncio would run the test, and anyio {name}: in the mode "
            '"strict", pytest-asyncio leaves tests alone that are marked for anyio',
            pytrace=False,
        )
    if marker is not None:
        default = request.config.getini("asyncio_default_test_loop_scope")
        return f"_{name}_on_{marker.kwargs.get('loop_scope') or default}_loop"
    if not on_anyio:
        pytest.fail(
            f"{name} is for coroutine tests that pytest-asyncio or anyio runs: "
            "@pytest.mark.asyncio or @pytest.mark.anyio is missing",
            pytrace=False,
        )
    if request.getfixturevalue("anyio_backend_name") != "asyncio":
        pytest.fail(f'{name} needs asyncio: let anyio_backend be "asyncio"', pytrace=False)
    return f"_{name}_on_anyio"


def _test(request: pytest.FixtureRequest) -> pytest.Item:
    node: pytest.Item = request.node  # pyright: ignore[reportUnknownMemberType] - left untyped
    return node


def _on_pytest_asyncio() -> ModuleType:
    """Return a plugin with the fixtures, one for each loop scope of a test."""
    import pytest_asyncio  # noqa: PLC0415 - it may not be installed

    return _plugin({
        f"_{name}_on_{scope}_loop": pytest_asyncio.fixture(make(), loop_scope=scope)
        for name, make in _FIXTURES.items()
        for scope in _LOOP_SCOPES
    })  # fmt: skip


def _on_anyio() -> ModuleType:
    """Return a plugin with the fixtures for anyio, which takes plain ones."""
    return _plugin({
        f"_{name}_on_anyio": pytest.fixture(make()) for name, make in _FIXTURES.items()
    })  # fmt: skip


def _plugin(fixtures: Mapping[str, object]) -> ModuleType:
    plugin = ModuleType(__name__)
    vars(plugin).update(fixtures)
    return plugin


# --- the fixtures' values -------------------------------------------------------------------------


class _Marked(NamedTuple):
    """Arguments of the markers of a test."""

    settings: dict[str, Any]
    scenario: Any
    replay: Any
    faults: list[dict[str, Any]]
    chaos: dict[str, Any] | None


def _marked(test: pytest.Item) -> _Marked:
    """Merge the markers of a test; the closest one wins."""
    settings: dict[str, Any] = {}
    for mark in reversed(list(test.iter_markers("fake_cluster"))):
        if mark.args:
            pytest.fail(f"{mark.args[0]!r} has no name in the marker fake_cluster", pytrace=False)
        settings |= mark.kwargs
    return _Marked(
        scenario=settings.pop("scenario", None),
        replay=settings.pop("replay", None),
        faults=settings.pop("faults", []),
        chaos=settings.pop("chaos", None),
        settings=settings,
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Start chaos and times with the test: a virtual clock begins there, too.

    With `scenario` or `starts_at`, the cluster's clock starts anew, so that what a fixture did
    before then has times of its own.
    """
    cluster = cast("FakeCluster | None", getattr(item, "funcargs", {}).get("fake_cluster"))
    marked = _marked(item)
    has_times = marked.scenario is not None or "starts_at" in marked.settings
    if cluster is None or not (has_times or marked.chaos is not None):
        return (yield)
    test = cast("Callable[..., Awaitable[None]]", cast("Any", item).obj)

    @wraps(test)
    async def with_times(**fixtures: object) -> None:
        if has_times:
            await cluster._timeline.start()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if marked.chaos is not None:
            cluster.chaos(**marked.chaos)
        await test(**fixtures)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item, "obj", with_times)
        return (yield)


# Each loop scope has functions of its own, as pytest-asyncio writes the scope onto them.


def _make_cluster() -> Callable[..., AsyncGenerator[FakeCluster, None]]:
    async def fake_cluster(request: pytest.FixtureRequest) -> AsyncGenerator[FakeCluster, None]:
        from redis_enterprise_actions.testing import FakeCluster  # noqa: PLC0415 - see the top

        test = _test(request)
        marked = _marked(test)
        if marked.replay is not None:
            if marked.faults or marked.chaos is not None or marked.scenario is not None:
                problem = "replay= cannot be combined with scenario=, faults= or chaos="
                pytest.fail(problem, pytrace=False)
            path = test.path.parent / marked.replay
            async with FakeCluster.replay(path, **marked.settings) as replayed:
                yield cast("FakeCluster", replayed)  # a test that asks for a replay knows
            return
        if marked.scenario is None:
            new = FakeCluster(**marked.settings)
        else:
            path = test.path.parent / marked.scenario
            new = FakeCluster.from_scenario(path, **marked.settings)
        # The test starts its times, unless the fixture is not known before.
        deferred = "fake_cluster" in getattr(test, "fixturenames", ())
        new._timeline.is_deferred = deferred  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        async with new as cluster:
            for fault in marked.faults:
                cluster.inject(**fault)
            yield cluster

    return fake_cluster


def _make_client() -> Callable[..., AsyncGenerator[ActionsClient, None]]:
    async def actions_client(
        fake_cluster: FakeCluster, tmp_path: Path
    ) -> AsyncGenerator[ActionsClient, None]:
        from redis_enterprise_actions import ActionsClient  # noqa: PLC0415 - see the top

        options = _client_options(fake_cluster, tmp_path)
        async with ActionsClient(fake_cluster.urls, **options) as client:
            yield client

    return actions_client


def _client_options(cluster: FakeCluster, folder: Path) -> dict[str, Any]:
    """Return the credentials of a client, and the fingerprint of the cluster's certificate."""
    auth = "basic" if cluster.basic else "jwt"
    credentials = {"username": cluster.username, "password": cluster.password, "auth": auth}
    if not cluster.url.startswith("https:"):
        return credentials
    tls = {"fingerprint": cluster.fingerprint}
    try:
        client_pem = cluster.client_pem
    except RuntimeError:
        return {**tls, **credentials}
    pem = folder / "client.pem"
    pem.write_text(client_pem, "ascii")
    return {**tls, "client_cert": pem}


_FIXTURES: Final = {"fake_cluster": _make_cluster, "actions_client": _make_client}
