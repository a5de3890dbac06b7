"""Tests of the command's bootstraps and uploads: `cluster create`, `join`, `upload-module`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions.testing import Plan
from tests.threaded_cluster import ThreadedCluster


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.enable_socket

USER, PASSWORD = "ops@example.com", "new-cluster-password"
CREDENTIALS: Final = {"username": USER, "password": PASSWORD}
CREATE: Final[dict[str, Any]] = {
    "cluster": {"nodes": [], "name": "c.example.com"},
    "credentials": CREDENTIALS,
}
JOIN: Final[dict[str, Any]] = {"cluster": {"nodes": ["10.0.0.1"]}, "credentials": CREDENTIALS}
QUICK: Final = ["--interval", "0.1"]


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedCluster]:
    """Return three installed nodes in a thread, with their settings in the environment."""
    threaded = ThreadedCluster(nodes=3, bootstrapped=False)
    threaded.start()
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", " ".join(threaded.cluster.urls))
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", USER)
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", PASSWORD)
    for node in (1, 2, 3):
        threaded.cluster.plan_bootstrap(node, duration=0.3)
    yield threaded
    threaded.stop()


@pytest.fixture
def call_of(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that returns the command line of a call with a body."""

    def call(name: str, body: object, *more: str) -> list[str]:
        path = tmp_path / "body.json"
        path.write_text(json.dumps(body))
        return ["cluster", name, "--data", f"@{path}", *more]

    return call


def nodes_of(cluster: FakeCluster) -> list[str]:
    """Return the hosts of the nodes, with their ports."""
    return [url.removeprefix("http://") for url in cluster.urls]


class TestBootstrap:
    """Clusters that the command makes."""

    def test_cluster(
        self,
        machines: ThreadedCluster,
        call_of: Callable[..., list[str]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A cluster is created, and two nodes join it at once."""
        _, second, third = nodes_of(machines.cluster)

        assert main(["wait", "bootstrap@idle", *QUICK]) == 0
        assert main(call_of("create", CREATE, *QUICK)) == 0
        assert main(call_of("join", JOIN, "--node", second, "--node", third, *QUICK)) == 0
        assert main(["wait", "bootstrap", f"bootstrap:{second}", f"bootstrap:{third}"]) == 0
        shown = "".join(capsys.readouterr())
        assert f"bootstrap:{third}" in shown
        assert PASSWORD not in shown

    def test_no_user(
        self,
        machines: ThreadedCluster,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A wait for an idle node needs no user, and any other does."""
        monkeypatch.delenv("REDIS_ENTERPRISE_USER")
        monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD")

        assert main(["wait", "bootstrap@idle", *QUICK]) == 0
        assert not any(seen.has_credentials for seen in machines.cluster.requests)
        assert main(["wait", "bootstrap@idle", "bootstrap"]) == 2
        assert "no user is named" in capsys.readouterr().err

    def test_no_wait(
        self,
        machines: ThreadedCluster,
        call_of: Callable[..., list[str]],
        lines: Callable[[], list[str]],
    ) -> None:
        """Without a wait the references are printed, one for each node."""
        nodes = nodes_of(machines.cluster)
        options = [word for node in nodes[1:] for word in ("--node", node)]

        assert main(call_of("join", JOIN, *options, "--no-wait")) == 0
        assert lines() == [f"bootstrap:{node}@after,idle" for node in nodes[1:]]

    def test_one_refused(
        self,
        machines: ThreadedCluster,
        call_of: Callable[..., list[str]],
        lines: Callable[[], list[str]],
    ) -> None:
        """A node that refuses its call does not keep the others from joining."""
        nodes = nodes_of(machines.cluster)
        assert main(call_of("create", CREATE, *QUICK)) == 0
        machines.cluster.inject(node=2, method="POST", status=409)

        options = ["--node", nodes[1], "--node", nodes[2], "--output", "json", *QUICK]
        lines()

        assert main(call_of("join", JOIN, *options)) == 5
        shown = lines()
        summary = json.loads(shown[-1])
        assert "409" in "".join(shown)
        assert summary["exit_code"] == 5
        assert summary["ended"] == {"rejected": 1, "completed": 1}
        assert machines.do(lambda cluster: cluster.bootstrap_state(3)) == "completed"

    def test_all_refused(
        self,
        machines: ThreadedCluster,
        call_of: Callable[..., list[str]],
        lines: Callable[[], list[str]],
    ) -> None:
        """If each node refuses its call, there is nothing to follow."""
        nodes = nodes_of(machines.cluster)
        machines.cluster.inject(times=2, method="POST", status=409)
        options = ["--node", nodes[1], "--node", nodes[2], "--output", "json"]

        assert main(call_of("join", JOIN, *options)) == 5
        summary = json.loads(lines()[-1])
        assert (summary["exit_code"], summary["ended"]) == (5, {"rejected": 2})

    def test_submit(
        self,
        machines: ThreadedCluster,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """`submit` follows a bootstrap to its failure, and says why."""
        body = json.dumps(JOIN | {"action": "join_cluster"})
        call = ["submit", "POST", "/v1/bootstrap/join_cluster", "--data", body, *QUICK]

        assert main(call) == 1
        shown = "".join(capsys.readouterr())
        assert "connect_error: failed to connect to the cluster" in shown

    def test_unknown_node(
        self,
        machines: ThreadedCluster,
        call_of: Callable[..., list[str]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A node that no URL names is wrong usage."""
        (known, *_) = nodes_of(machines.cluster)

        assert main(call_of("create", CREATE, "--node", "n9")) == 2
        assert machines.cluster.url in capsys.readouterr().err
        assert main(call_of("join", JOIN, "--node", known, "--node", "n9")) == 2
        assert "'n9' is the host of none" in capsys.readouterr().err
        assert machines.cluster.requests == []

    def test_until(
        self,
        machines: ThreadedCluster,
        call_of: Callable[..., list[str]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A goal that a bootstrap cannot have is refused before the call."""
        submit = ["submit", "POST", "/v1/bootstrap/create_cluster", "--data", "{}"]
        for call in (call_of("create", CREATE), submit, ["wait", "bootstrap"]):
            assert main([*call, "--until", "available"]) == 2
            assert "until='available' is for work on one database" in capsys.readouterr().err
        assert machines.cluster.requests == []

    def test_node_twice(
        self,
        machines: ThreadedCluster,
        call_of: Callable[..., list[str]],
    ) -> None:
        """A node that is named twice is called once."""
        (node, *_) = nodes_of(machines.cluster)
        main(call_of("join", JOIN, "--node", node, "--node", f" {node}", *QUICK))

        calls = [seen for seen in machines.cluster.requests if seen.method == "POST"]
        assert len(calls) == 1


def test_upload(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`cluster upload-module` uploads a file, and waits until it is installed."""
    threaded = ThreadedCluster(version="7.22")
    threaded.start()
    try:
        monkeypatch.setenv("REDIS_ENTERPRISE_URL", threaded.cluster.url)
        monkeypatch.setenv("REDIS_ENTERPRISE_USER", threaded.cluster.username)
        monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", threaded.cluster.password)
        threaded.cluster.plan("POST", "/v2/modules", Plan(duration=0))
        path = tmp_path / "redisgears.Linux-ubuntu20.04-x86_64.1.2.1.zip"
        path.write_bytes(b"PK")

        assert main(["cluster", "upload-module", str(path), *QUICK]) == 0
        assert main(["cluster", "upload-module", str(tmp_path / "none.zip")]) == 2
    finally:
        threaded.stop()
