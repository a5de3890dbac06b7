"""Tests of `--until`, `--hold` and conditions on the command line, on virtual time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions.testing import FakeCluster, Plan
from tests.cli.wait import run_command
from tests.event_samples import conforms


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Lines = Callable[[], list[str]]

pytestmark = [pytest.mark.enable_socket, pytest.mark.core]


@pytest.fixture
def cluster(cluster_in_environment: FakeCluster) -> FakeCluster:
    """Return the cluster of the environment, with a database."""
    cluster_in_environment.add_bdb(1, name="cache")
    return cluster_in_environment


@pytest.mark.parametrize(
    ("goal", "duration", "end"),
    [
        ("progress=40", 100, "reached progress=40 after 4"),
        ("state=reshard", 100, "reached state=reshard after "),
        ("progress=100", 60, "] completed after 1m"),
    ],
)
async def test_early_goal(
    cluster: FakeCluster, lines: Lines, goal: str, duration: float, end: str
) -> None:
    """A wait ends at a state or a progress, or with the work, which has passed both."""
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=duration), bdb_uid=1)

    assert await run_command("wait", uid, "--until", goal, "--json", "--interval", "1") == 0
    event = json.loads(lines()[-2])
    assert end in event["message"]
    assert event["outcome"] == ("completed" if "completed" in end else "reached")
    assert event["message"].endswith("; it goes on") == (event["outcome"] == "reached")


async def test_available(cluster: FakeCluster, lines: Lines) -> None:
    """A call goes on until its database is available; both moments are shown."""
    cluster.availability_delay = 20
    cluster.plan("POST", "/v1/bdbs/1/upgrade", Plan(duration=30))

    assert await run_command("databases", "upgrade", "1", "--until", "available", "--json") == 0
    events = list(map(json.loads, lines()))
    changes = [event["action"]["status"] for event in events if event["event"] == "change"]
    assert changes[-2:] == ["completed", "not available"] or changes[-1] == "available"
    end = events[-2]
    assert "] completed, available " in end["message"]
    assert end["message"].endswith(" later")
    assert (end["outcome"], end["action"]["name"]) == ("completed", "SMUpgradeBDB")
    assert end["reason"].startswith("available ")


async def test_completed_before(cluster: FakeCluster, lines: Lines) -> None:
    """Of work that had completed before, that is said."""
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=1), bdb_uid=1)
    await asyncio.sleep(5)

    assert await run_command("wait", uid, "--until", "available", "--json") == 0
    assert "] had already completed, available " in json.loads(lines()[-2])["message"]


async def test_not_available(cluster: FakeCluster, lines: Lines) -> None:
    """After a limit, the summary tells how to wait for the condition alone."""
    cluster.set_available(1, available=False)
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=5), bdb_uid=1)
    other = cluster.add_action("retry_bdb", Plan(duration=1))

    code = await run_command(
        "wait", uid, other, "--until", "quiet", "--timeout", "30", "--output", "plain"
    )
    assert code == 0
    code = await run_command("wait", uid, "--until", "available", "--timeout", "30", "--json")
    assert code == 3
    printed = lines()
    end = json.loads(printed[-2])
    assert end["message"].startswith("bdb:1@available timed out after 30s, last seen not available")
    assert end["ref"] == f"action:{uid}"
    code = await run_command(
        "wait", uid, "bdb:1", "--until", "available", "--timeout", "20", "--output", "plain"
    )
    assert code == 3
    assert lines()[-1].endswith("Resume: redis-actions wait bdb:1@available")
    later = cluster.add_action("SMUpdateBDB", Plan(duration=90), bdb_uid=1)
    words = ("--until", "available", "--hold", "90s", "--timeout", "30", "--output", "plain")
    assert await run_command("wait", uid, later, *words) == 3
    assert lines()[-1].endswith(
        f"Resume: redis-actions wait {later} --until available --hold 90s; "
        "redis-actions wait bdb:1@available --hold 90s"
    )
    await asyncio.sleep(60)
    call = ("submit", "PUT", "/v1/bdbs/1", "--data", '{"memory_size": 1073741824}')
    await run_command(*call, "--until", "available", "--timeout", "500ms", "--output", "gitlab")
    resume = next(line for line in lines() if "Resume: " in line)
    assert resume.endswith(" --until available")


@pytest.mark.parametrize(
    "ref", ["bdb:1@available", "bdb:name:cache@available", "cluster@healthy", "cluster@quiet"]
)
async def test_conditions(cluster: FakeCluster, lines: Lines, ref: str) -> None:
    """A condition is waited for by its reference; `get` shows it."""
    assert await run_command("get", ref) == 0
    assert ref.partition("@")[2] in lines()[-1]
    assert await run_command("wait", ref, "--json") == 0
    message = json.loads(lines()[-2])["message"]
    whole = ref.replace("name:cache", "1")
    assert message == f"{whole} is true"
    assert cluster.bdbs.keys() == {1}


async def test_hold(cluster: FakeCluster, lines: Lines) -> None:
    """A condition has to hold; one that becomes true again begins anew."""
    loop = asyncio.get_running_loop()
    cluster.set_available(1, available=False)
    loop.call_later(20, lambda: cluster.set_available(1, available=True))
    loop.call_later(35, lambda: cluster.set_available(1, available=False))
    loop.call_later(45, lambda: cluster.set_available(1, available=True))
    began = loop.time()

    assert await run_command("wait", "bdb:1@available", "--hold", "30s", "--json") == 0
    assert 75 <= loop.time() - began < 95
    assert "bdb:1@available is true after 1m" in lines()[-2]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("wait", "UID", "--until", "soon"), "is none of available, "),
        (("wait", "UID", "--until", "progress=101"), "is none of available, "),
        (("wait", "UID", "--hold", "5"), "a hold is for conditions"),
        (("wait", "cluster@quiet", "--until", "available"), "this is a condition already"),
        (("databases", "upgrade", "1", "--until", "ready"), "is none of available, "),
        (("databases", "upgrade", "1", "--hold", "5"), "a hold is for conditions"),
        (("wait", "bootstrap@soon"), "is not a reference"),
        (("wait", "UID", "node:1/remove", "--until", "available"), "and this is node:1/remove"),
        *(
            ((*call, "--until", goal), f"until='{goal}' is for work on one .*, and this is ")
            for goal, *call in (
                ("available", "submit", "POST", "/v1/nodes/1/actions/maintenance_on"),
                ("available", "submit", "POST", "/v1/cluster/actions/change_master"),
                ("in-sync", "submit", "DELETE", "/v1/bdbs/1", "--yes"),
                ("available", "submit", "POST", "/v1/crdbs"),
                ("replicating", "submit", "PUT", "/v1/bdbs/1"),
                ("available", "databases", "delete", "1", "--yes"),
                ("replicating", "databases", "upgrade", "1"),
                ("available", "nodes", "maintenance-on", "1"),
                ("replicating", "crdbs", "delete", "g", "--yes"),
            )
        ),
    ],
)
async def test_wrong_goals(cluster: FakeCluster, words: tuple[str, ...], problem: str) -> None:
    """A goal that cannot be reached is refused, before anything is sent."""
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=5), bdb_uid=1)
    sent = len(cluster.requests)

    with pytest.raises(UsageError, match=problem):
        await run_command(*[uid if word == "UID" else word for word in words])
    assert not [seen for seen in cluster.requests[sent:] if seen.method != "GET"]


@pytest.mark.parametrize(
    "words",
    [
        ("databases", "delete", "1", "--yes", "--until", "quiet"),
        ("submit", "PUT", "/v1/bdbs/1", "--data", "{}", "--until", "available"),
        ("submit", "PUT", "/v1/bdbs/1", "--data", "{}", "--until", "progress=50"),
        ("databases", "upgrade", "1", "--until", "available"),
    ],
)
async def test_right_goals(cluster: FakeCluster, words: tuple[str, ...]) -> None:
    """A goal that the call may reach is none of the refused ones."""
    assert await run_command(*words) == 0
    assert [seen for seen in cluster.requests if seen.method != "GET"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ("action:task1", "--until", "available"),
            "until='available' is for work on one database, and this is retry_bdb",
        ),
        (("bdb:1@in-sync",), "database 1 has no Replica Of sources that could be in sync"),
    ],
)
async def test_wrong_object(
    cluster: FakeCluster, lines: Lines, words: tuple[str, ...], problem: str
) -> None:
    """A goal that its object cannot reach ends the wait as wrong usage, once that is seen."""
    cluster.add_action("retry_bdb", Plan(duration=20), uid="task1")

    assert await run_command("wait", *words, "--json") == 2
    *_, event, _ = lines()
    end = json.loads(event)
    assert (end["outcome"], end["message"]) == ("wrong usage", problem)
    assert conforms(event)
    uid = cluster.add_action("SMUpdateBDB", Plan(duration=1), bdb_uid=1)
    assert await run_command("wait", *words, uid, "--output", "plain") == 2


class TestOtherClusters:
    """`--with`: other clusters of an Active-Active database, by their profiles."""

    @pytest.fixture
    async def other(
        self, cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[FakeCluster]:
        """Return a second cluster of the database `g`, which the profile `eu` names."""
        async with FakeCluster(username="eu@example.com", password="other") as other:
            secret = tmp_path / "password"
            secret.write_text("other", "utf-8")
            secret.chmod(0o600)
            config = tmp_path / "config.toml"
            config.write_text(
                f'[profiles.eu]\nurl = "{other.url}"\nuser = "eu@example.com"\n'
                f'password_file = "{secret}"\n'
                f'[profiles.here]\nurl = "{cluster.url}"\nuser = "{cluster.username}"\n'
                f'password_file = "{secret}"\n',
                "utf-8",
            )
            config.chmod(0o600)
            monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(config))
            cluster.add_crdb("g", bdb_uid=1)
            cluster.link_crdb("g", other)
            yield other

    async def test_both_are_asked(
        self, cluster: FakeCluster, other: FakeCluster, lines: Lines
    ) -> None:
        """The wait ends when both clusters report that the database replicates."""
        other.set_link("g", cluster, "down")
        asyncio.get_running_loop().call_later(30, other.set_link, "g", cluster, "up")
        began = asyncio.get_running_loop().time()

        assert await run_command("wait", "crdb:g@replicating", "--with", "eu", "--json") == 0
        assert 30 <= asyncio.get_running_loop().time() - began < 45
        host = other.url.removeprefix("http://")
        assert json.loads(lines()[-2])["ref"] == f"crdb:g@replicating,with={host}"
        asked = [seen for seen in other.requests if seen.path.endswith("/health_report")]
        assert asked

    async def test_resume(self, cluster: FakeCluster, other: FakeCluster, lines: Lines) -> None:
        """The command that goes on with the wait names the profiles, not the hosts."""
        other.set_link("g", cluster, "down")
        words = ("--with", "eu", "--timeout", "5", "--output", "gitlab")

        assert await run_command("wait", "crdb:g@replicating", *words) == 3
        resume = next(line for line in lines() if "Resume: " in line)
        assert resume.endswith("Resume: redis-actions wait crdb:g@replicating --with eu")

    @pytest.mark.parametrize(
        ("words", "problem"),
        [
            (("crdb:g@replicating", "--with", "nowhere"), "nowhere"),
            (("bdb:1@available", "--with", "eu"), "--with is for crdb:GUID@replicating"),
            (("crdb:g@replicating", "--with", "here"), "has a client of this cluster"),
        ],
    )
    @pytest.mark.usefixtures("other")
    async def test_refused(self, words: tuple[str, ...], problem: str) -> None:
        """Profiles that do not exist, or are of no use, are refused."""
        with pytest.raises(UsageError, match=problem):
            await run_command("wait", *words)
