"""The pytest plugin: a fake cluster, and a client of it, for each test that asks for one.

Stands beside the package, as pytest loads it in every run: neither the package nor aiohttp is
imported before a fixture is used. It knows how coroutine fixtures get onto the loop that runs
the test, under pytest-asyncio and anyio, and nothing of what clusters do.
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
    "fake_cluster(faults=[], trouble={}, **settings): how the cluster of the fixture fake_cluster "
    "is made: the arguments of FakeCluster, those of `inject` for each fault, and those of "
    "`trouble`. What stands closer to the test goes before."
)
_LOOP_SCOPES: Final = ("function", "class", "module", "package", "session")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and the fixtures for the frameworks that are there."""
    config.addinivalue_line("markers", _MARKER)
    if config.pluginmanager.hasplugin("asyncio"):
        config.pluginmanager.register(_on_pytest_asyncio(), "fake_cluster_on_pytest_asyncio")
    config.pluginmanager.register(_on_anyio(), "fake_cluster_on_anyio")


@pytest.fixture
def fake_cluster(request: pytest.FixtureRequest) -> FakeCluster:
    """Serve a `redis_enterprise_actions.testing.FakeCluster` for as long as the test runs.

    The marker of the same name says how it is made.
    """
    return cast("FakeCluster", request.getfixturevalue(_variant(request, "fake_cluster")))


@pytest.fixture
def actions_client(request: pytest.FixtureRequest) -> ActionsClient:
    """Open a `redis_enterprise_actions.ActionsClient` of `fake_cluster`, with all that it needs."""
    return cast("ActionsClient", request.getfixturevalue(_variant(request, "actions_client")))


# --- whose loop it is -----------------------------------------------------------------------------


def _variant(request: pytest.FixtureRequest, name: str) -> str:
    """Return the fixture that is set up on the loop which runs the test."""
    marker = _test(request).get_closest_marker("asyncio")
    on_anyio = "anyio_backend" in request.fixturenames
    if marker is not None and on_anyio:
        pytest.fail(
            f"pytest-asyncio would run the test, and anyio {name}: in the mode "
            '"strict", pytest-asyncio leaves alone what is marked for anyio',
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
    """Return a plugin with the fixtures, one for each loop that a test can ask for."""
    import pytest_asyncio  # noqa: PLC0415 - it need not be there

    return _plugin({
        f"_{name}_on_{scope}_loop": pytest_asyncio.fixture(make(), loop_scope=scope)
        for name, make in _FIXTURES.items()
        for scope in _LOOP_SCOPES
    })  # fmt: skip


def _on_anyio() -> ModuleType:
    """Return a plugin with the fixtures as anyio wants them: plain ones."""
    return _plugin({
        f"_{name}_on_anyio": pytest.fixture(make()) for name, make in _FIXTURES.items()
    })  # fmt: skip


def _plugin(fixtures: Mapping[str, object]) -> ModuleType:
    plugin = ModuleType(__name__)
    vars(plugin).update(fixtures)
    return plugin


# --- what they give -------------------------------------------------------------------------------


class _Wanted(NamedTuple):
    """What the markers of a test say of its cluster."""

    settings: dict[str, Any]
    faults: list[dict[str, Any]]
    trouble: dict[str, Any] | None


def _wanted(test: pytest.Item) -> _Wanted:
    """Read the markers, the farthest first."""
    settings: dict[str, Any] = {}
    for mark in reversed(list(test.iter_markers("fake_cluster"))):
        if mark.args:
            pytest.fail(f"{mark.args[0]!r} has no name in the marker fake_cluster", pytrace=False)
        settings |= mark.kwargs
    return _Wanted(
        faults=settings.pop("faults", []), trouble=settings.pop("trouble", None), settings=settings
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let trouble begin with the test, as only then a virtual clock does, too."""
    cluster = cast("FakeCluster | None", getattr(item, "funcargs", {}).get("fake_cluster"))
    trouble = None if cluster is None else _wanted(item).trouble
    if cluster is None or trouble is None:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item, "obj", _in_trouble(cast("Any", item).obj, trouble, cluster))
        return (yield)


def _in_trouble(
    test: Callable[..., Awaitable[None]], trouble: dict[str, Any], cluster: FakeCluster
) -> Callable[..., Awaitable[None]]:
    @wraps(test)
    async def troubled(**fixtures: object) -> None:
        cluster.trouble(**trouble)
        await test(**fixtures)

    return troubled


# Functions are made anew for each loop, as pytest-asyncio writes its scope onto them.


def _make_cluster() -> Callable[..., AsyncGenerator[FakeCluster, None]]:
    async def fake_cluster(request: pytest.FixtureRequest) -> AsyncGenerator[FakeCluster, None]:
        from redis_enterprise_actions.testing import FakeCluster  # noqa: PLC0415 - see the top

        wanted = _wanted(_test(request))
        async with FakeCluster(**wanted.settings) as cluster:
            for fault in wanted.faults:
                cluster.inject(**fault)
            yield cluster

    return fake_cluster


def _make_client() -> Callable[..., AsyncGenerator[ActionsClient, None]]:
    async def actions_client(
        request: pytest.FixtureRequest, fake_cluster: FakeCluster, tmp_path: Path
    ) -> AsyncGenerator[ActionsClient, None]:
        from redis_enterprise_actions import ActionsClient  # noqa: PLC0415 - see the top

        proof = _proof(fake_cluster, _wanted(_test(request)).settings, tmp_path)
        async with ActionsClient(fake_cluster.urls, **proof) as client:
            yield client

    return actions_client


def _proof(cluster: FakeCluster, settings: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """Return what the cluster's client has to know of it but for its URLs."""
    known = {"fingerprint": cluster.fingerprint} if settings.get("tls") else {}
    if settings.get("client_certificate"):
        pem = place / "client.pem"
        pem.write_text(cluster.client_pem, "ascii")
        return {**known, "client_cert": pem}
    auth = "basic" if cluster.basic else "jwt"
    return {**known, "username": cluster.username, "password": cluster.password, "auth": auth}


_FIXTURES: Final = {"fake_cluster": _make_cluster, "actions_client": _make_client}
