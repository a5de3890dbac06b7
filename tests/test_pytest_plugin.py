"""Tests of the pytest plugin, by runs of pytest on tests like those of its users."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
import trustme  # noqa: F401 - its C code cannot be loaded by one run after the other

from tests.capture_files import action, capture, exchange, write


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.enable_socket

pytest_plugins = ["pytester"]

# pytest-asyncio warns where its setting is left to its default, as users may.
STRICTLY = ("-W", "error", "-W", "ignore:The configuration option")

IMPORT_PLAN = "from redis_enterprise_actions.testing import Plan"
HOUR_LONG = """
    uid = fake_cluster.add_action(plan=Plan(duration=3600))
    action = await actions_client.wait_for_action(uid)

    assert action.status == "completed"
"""


def run_tests(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    """Run a file of tests, with warnings as errors and no marker that is not known."""
    pytester.makeini("[pytest]")  # or one further up might be found
    pytester.makepyfile(dedent(source))
    return pytester.runpytest("--strict-markers", "-p", "no:cacheprovider", *STRICTLY, *options)


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("@pytest.mark.asyncio\n@pytest.mark.looptime", ()),
        ("", ("--asyncio-mode=auto", "--looptime")),
        ("@pytest.mark.asyncio(loop_scope='module')", ("--looptime",)),
        ("@pytest.mark.asyncio", ("-o", "asyncio_default_test_loop_scope=session", "--looptime")),
    ],
    ids=["strict", "auto", "module", "session"],
)
def test_under_pytest_asyncio(
    pytester: pytest.Pytester, mark: str, options: tuple[str, ...]
) -> None:
    """A test has a cluster and its client by their names, whatever loop it runs on."""
    test = f"async def test_it(fake_cluster, actions_client):{HOUR_LONG}"
    result = run_tests(pytester, f"import pytest\n{IMPORT_PLAN}\n\n{mark}\n{test}", *options)

    result.assert_outcomes(passed=1)


ON_ANYIO = """
    import pytest
    from redis_enterprise_actions.testing import Plan

    @pytest.fixture
    def anyio_backend():
        return "{backend}"

    @pytest.mark.anyio
    async def test_it(fake_cluster, actions_client):
        uid = fake_cluster.add_action(plan=Plan(duration=0))

        assert (await actions_client.wait_for_action(uid)).status == "completed"
"""


@pytest.mark.parametrize(
    "options", [(), ("-p", "no:asyncio", "-p", "no:looptime_plugin")], ids=["with", "without"]
)
def test_under_anyio(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    """A test under anyio has both, with or without pytest-asyncio."""
    result = run_tests(pytester, ON_ANYIO.format(backend="asyncio"), *options)

    result.assert_outcomes(passed=1)


def test_under_both(pytester: pytest.Pytester) -> None:
    """A test that pytest-asyncio and anyio would both run fails, and does not hang."""
    result = run_tests(pytester, ON_ANYIO.format(backend="asyncio"), "--asyncio-mode=auto")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pytest-asyncio would run the test, and anyio fake_cluster*"])


def test_under_trio(pytester: pytest.Pytester) -> None:
    """A test under trio fails with a message."""
    result = run_tests(pytester, ON_ANYIO.format(backend="trio"))

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fake_cluster needs asyncio*"])


def test_without_a_loop(pytester: pytest.Pytester) -> None:
    """A test that is no coroutine function fails with a message, and does not hang."""
    result = run_tests(pytester, "def test_it(fake_cluster): ...")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fake_cluster is for coroutine tests*"])


@pytest.mark.parametrize(
    ("mark", "fact"),
    [
        ("version='7.4'", "fake_cluster.version == '7.4'"),
        ("nodes=3", "len(fake_cluster.urls) == 3"),
        ("tls='self-signed'", "fake_cluster.url.startswith('https:')"),
        ("tls='own-ca', client_certificate=True", "fake_cluster.client_pem"),
        ("token_ttl=60, basic=False", "fake_cluster.token_ttl == 60"),
        ("faults=[{'status': 503, 'times': 2}]", "fake_cluster.requests[1].status == 503"),
        (
            "chaos={'seed': 1, 'horizon': 60, 'episodes': 50}",
            "{seen.status for seen in fake_cluster.requests} != {200}",
        ),
    ],
    ids=["version", "nodes", "tls", "certificate", "tokens", "faults", "chaos"],
)
def test_marker(pytester: pytest.Pytester, mark: str, fact: str) -> None:
    """The marker has the settings and the faults of the cluster; the client copes with both."""
    source = f"""
        import pytest
        {IMPORT_PLAN}

        @pytest.mark.fake_cluster({mark})
        async def test_it(fake_cluster, actions_client):
            uid = fake_cluster.add_action(plan=Plan(duration=120))

            assert (await actions_client.wait_for_action(uid)).status == "completed"
            assert {fact}
    """
    result = run_tests(pytester, source, "--asyncio-mode=auto", "--looptime")

    result.assert_outcomes(passed=1)


REPLAY = """
    import pytest

    @pytest.mark.fake_cluster(replay="capture.json", speed=2)
    async def test_it(fake_cluster, actions_client):
        action = await actions_client.wait_for_action("00000001-0000-4000-8000-000000000000")

        assert action.status == "completed"
        assert fake_cluster.unplayed == []
        assert fake_cluster.speed == 2
"""


def test_replay(pytester: pytest.Pytester) -> None:
    """The marker names a capture by its path from the folder of the test."""
    write(
        pytester.path, capture(exchange(0, **action("active")), exchange(9, **action("completed")))
    )
    run_tests(pytester, REPLAY, "--asyncio-mode=auto", "--looptime").assert_outcomes(passed=1)


@pytest.mark.parametrize("other", ["faults=[{'drop': True}]", "chaos={}", "scenario='x.toml'"])
def test_replay_of_nothing_else(pytester: pytest.Pytester, other: str) -> None:
    """A replay has no faults, no chaos and no scenario of its own."""
    source = REPLAY.replace("speed=2", other)
    result = run_tests(pytester, source, "--asyncio-mode=auto")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*replay= cannot be combined with*"])


def test_markers_add_up(pytester: pytest.Pytester) -> None:
    """A marker of the module holds for all of its tests, unless a test overrides it."""
    source = """
        import pytest

        pytestmark = pytest.mark.fake_cluster(version="7.8", nodes=2)

        @pytest.mark.fake_cluster(nodes=3)
        async def test_three(fake_cluster):
            assert (fake_cluster.version, len(fake_cluster.urls)) == ("7.8", 3)

        async def test_two(fake_cluster):
            assert (fake_cluster.version, len(fake_cluster.urls)) == ("7.8", 2)
    """
    result = run_tests(pytester, source, "--asyncio-mode=auto")

    result.assert_outcomes(passed=2)


SCENARIO = """
v = 1
[cluster]
version = "7.22"
nodes = 3
starts_at = 2026-01-01T00:00:00Z
[[databases]]
uid = 1
[[actions]]
uid = "a"
name = "retry_bdb"
plan = { duration = 3600 }
[[restarts]]
node = 2
at = 600
downtime = 60
"""


ON_ONE_LOOP = (
    "-o",
    "asyncio_default_test_loop_scope=session",
    "-o",
    "asyncio_default_fixture_loop_scope=session",
)


@pytest.mark.parametrize("options", [(), ON_ONE_LOOP], ids=["loops", "one loop"])
def test_scenario(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    """A scenario file beside the test has the settings, and its times begin with the test."""
    pytester.makefile(".toml", upgrade=SCENARIO)
    source = """
        import asyncio
        from datetime import UTC, datetime, timedelta
        import pytest

        pytestmark = pytest.mark.fake_cluster(scenario="upgrade.toml", version="8.0")

        @pytest.fixture
        async def more(fake_cluster):
            assert list(fake_cluster.bdbs) == [1] and not fake_cluster.actions
            fake_cluster.add_bdb(2)

        @pytest.mark.parametrize("again", range(2))
        async def test_it(more, fake_cluster, actions_client, again):
            assert (fake_cluster.version, len(fake_cluster.urls)) == ("8.0", 3)
            assert list(fake_cluster.bdbs) == [1, 2]
            start = datetime(2026, 1, 1, tzinfo=UTC)
            assert abs(fake_cluster.date - start) < timedelta(seconds=1)
            await asyncio.sleep(630)
            with pytest.raises(ValueError, match="node 2 is stopped already"):
                await fake_cluster.stop_node(2)
            action = await actions_client.wait_for_action("a")
            assert action.status == "completed"
            assert abs(fake_cluster.date - start - timedelta(seconds=3600)) < timedelta(seconds=60)
            fake_cluster.add_bdb(3)
            await fake_cluster.reset()
            assert list(fake_cluster.bdbs) == [1] and list(fake_cluster.actions) == ["a"]
    """
    result = run_tests(pytester, source, "--asyncio-mode=auto", "--looptime", *options)

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(("mark", "shown"), [("", 60), (", speed=0, starts_at=START", 0)])
def test_time_of_a_fixture(pytester: pytest.Pytester, mark: str, shown: int) -> None:
    """The acts of a fixture are past; only a scenario and `starts_at` start the clock anew."""
    source = f"""
        from datetime import UTC, datetime
        import pytest

        START = datetime(2026, 1, 1, tzinfo=UTC)

        @pytest.fixture
        async def later(fake_cluster):
            begins = fake_cluster.date
            await fake_cluster.advance(60)
            return begins

        @pytest.mark.fake_cluster(chaos={{"seed": 1, "horizon": 9, "episodes": 1}}{mark})
        async def test_it(later, fake_cluster):
            assert abs((fake_cluster.date - later).total_seconds() - {shown}) < 30
    """
    result = run_tests(pytester, source, "--asyncio-mode=auto")

    result.assert_outcomes(passed=1)


def test_scenario_of_a_late_fixture(pytester: pytest.Pytester) -> None:
    """A fixture that is asked for by its name in the test begins with its scenario at once."""
    pytester.makefile(".toml", upgrade=SCENARIO)
    source = """
        import pytest

        @pytest.fixture
        def late(request):
            return request.getfixturevalue("fake_cluster")

        @pytest.mark.fake_cluster(scenario="upgrade.toml")
        async def test_it(late):
            assert list(late.actions) == ["a"]
    """
    result = run_tests(pytester, source, "--asyncio-mode=auto")

    result.assert_outcomes(passed=1)


def test_scenario_with_more(pytester: pytest.Pytester) -> None:
    """Faults and chaos of the marker are added, and so is TLS with its client."""
    pytester.makefile(".toml", upgrade=SCENARIO)
    source = """
        import pytest

        @pytest.mark.fake_cluster(
            scenario="upgrade.toml",
            tls="own-ca",
            client_certificate=True,
            faults=[{"status": 500}],
            chaos={"seed": 1, "horizon": 1, "episodes": 1},
        )
        async def test_it(fake_cluster, actions_client):
            assert (await actions_client.wait_for_action("a")).status == "completed"
            assert 500 in [seen.status for seen in fake_cluster.requests]
    """
    result = run_tests(pytester, source, "--asyncio-mode=auto", "--looptime")

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("scenario='nope.toml'", "*nope.toml: cannot be read*"),
        ("'7.8'", "*'7.8' has no name in the marker fake_cluster*"),
        ("version='6'", "*version='6'*"),
        ("verison='7.8'", "*unexpected keyword argument 'verison'*"),
    ],
    ids=["no file", "no name", "no such version", "no such setting"],
)
def test_marker_that_cannot_be(pytester: pytest.Pytester, mark: str, message: str) -> None:
    """A mistake in the marker is the error of its test."""
    source = f"""
        import pytest

        @pytest.mark.fake_cluster({mark})
        async def test_it(fake_cluster): ...
    """
    result = run_tests(pytester, source, "--asyncio-mode=auto")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_fixtures_of_the_users(pytester: pytest.Pytester) -> None:
    """A user's fixture can use the plugin's, and one of the same name replaces it."""
    pytester.makeconftest(
        dedent("""
            import pytest

            @pytest.fixture
            def actions_client():
                return "theirs"

            @pytest.fixture
            async def orchestrator(fake_cluster):
                fake_cluster.add_bdb(7)
                yield fake_cluster.url
        """)
    )
    source = """
        async def test_it(orchestrator, fake_cluster, actions_client):
            assert orchestrator == fake_cluster.url
            assert 7 in fake_cluster.bdbs
            assert actions_client == "theirs"
    """
    result = run_tests(pytester, source, "--asyncio-mode=auto")

    result.assert_outcomes(passed=1)


def test_it_costs_nothing(tmp_path: Path) -> None:
    """A run of pytest that does not use the plugin imports neither the package nor aiohttp."""
    (tmp_path / "pytest.ini").write_text("[pytest]", "utf-8")
    code = "import sys, pytest; pytest.main(['-q']); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(run.stdout.split())

    assert "_redis_enterprise_actions_pytest" in loaded
    assert not {"redis_enterprise_actions", "aiohttp", "msgspec"} & loaded
