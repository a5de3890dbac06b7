"""Tests of `_client.http.nodes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from yarl import URL

from redis_enterprise_actions import ActionsClient, UsageError
from redis_enterprise_actions._client.http.nodes import (
    NodePool,
    base_url,
    differs_by_slashes,
    moved_path,
)
from redis_enterprise_actions._model.secret import Secret


if TYPE_CHECKING:
    from collections.abc import Iterable

SECRET = "hunter2-hunter2"
N1, N2, N3 = (URL(f"https://n{number}:9443") for number in (1, 2, 3))


def nodes(count: int = 3, trusted_hosts: Iterable[str] = ()) -> NodePool:
    """Return a pool of nodes."""
    return NodePool(
        [Secret(f"https://n{number}:9443") for number in range(1, count + 1)], trusted_hosts
    )


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://cluster.example.com:9443", "https://cluster.example.com:9443"),
        ("https://cluster.example.com:9443/", "https://cluster.example.com:9443"),
        ("https://proxy.example.com/redis/", "https://proxy.example.com/redis"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://cluster.example.com:9443/v1", "https://cluster.example.com:9443"),
        ("https://cluster.example.com:9443/v2/", "https://cluster.example.com:9443"),
        ("https://proxy.example.com/redis/v1", "https://proxy.example.com/redis"),
        ("https://proxy.example.com/v1redis", "https://proxy.example.com/v1redis"),
        ("https://gateway//v1", "https://gateway"),
        ("https://k8s/api/v1/nodes/n1:9443/proxy", "https://k8s/api/v1/nodes/n1:9443/proxy"),
        ("https://gateway/prod/v3", "https://gateway/prod/v3"),
        ("https://gateway/v2/clusters/prod", "https://gateway/v2/clusters/prod"),
        (
            "http://localhost:8001/api/v1/namespaces/redis/services/https:rec:9443/proxy",
            "http://localhost:8001/api/v1/namespaces/redis/services/https:rec:9443/proxy",
        ),
    ],
)
def test_url(url: str, base: str) -> None:
    """A URL may have a path in front, and a slash or the API's version at its end."""
    assert str(base_url(Secret(url))) == base


@pytest.mark.parametrize(
    "path",
    ["/v1/actions", "/v1/bdbs/1/", "/redis/v2/actions", "/v1/bdbs/1/actions/export", "/v1/logs"],
)
def test_url_with_a_route(path: str) -> None:
    """A URL with a route of the API in it is refused, in words."""
    with pytest.raises(UsageError, match=r"must not name a route of the API: leave /\w+/"):
        ActionsClient(f"https://cluster.example.com:9443{path}")


@pytest.mark.parametrize(
    ("location", "moved"),
    [
        ("/v1/actions/", "/v1/actions/"),
        ("https://n1:9443/v1/actions/", "/v1/actions/"),
        ("https://N1:9443/v1//actions", "/v1//actions"),
        ("actions/", "/v1/actions/"),
        ("/v1/actions", "/v1/actions"),
        ("", "/v1/actions"),
        ("/v1/actions/?x=1", "/v1/actions/"),
        ("/login", "/login"),
        ("https://n2:9443/v1/actions/", None),
        ("http://n1:9443/v1/actions/", None),
        ("https://[x]@", None),
        ("https://n1:port/", None),
    ],
)
def test_moved_path(location: str, moved: str | None) -> None:
    """A redirect on the same node names another path."""
    assert moved_path(N1, "/v1/actions", location) == moved


def test_moved_path_in_front() -> None:
    """A path in front of a node's URL is no part of the path on it."""
    proxied = URL("https://proxy/redis")

    assert moved_path(proxied, "/v1/actions", "/redis/v1/actions/") == "/v1/actions/"
    assert moved_path(proxied, "/v1/actions", "/v1/actions/") is None


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("/v1/actions/", True),
        ("//v1/actions", True),
        ("/v1/actions", False),
        ("/v1/action/s", False),
        ("/v1/actions/a", False),
        ("/", False),
    ],
)
def test_differs_by_slashes(other: str, same: bool) -> None:
    """Slashes that separate no names may be added and dropped; the names are the same."""
    assert differs_by_slashes("/v1/actions", other) is same


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cluster.example.com:9443",
        "ftp://cluster.example.com",
        "https://",
        "https://host:port",
        f"https://host:9443/?password={SECRET}",
        "https://ho st:9443",
        "https://a..b:9443",
        f"https://{'a' * 70}.com:9443",
        "https://host:9443/#top",
        f"https://ops:{SECRET}@host:9443",
        f"https://{SECRET}@host:9443",
        f"ops:{SECRET}@host:9443",
        f"https://ops:{SECRET}@host:port",
        "https://[x]@",
        "https://[:n:n4]",
        None,
        5,
    ],
)
def test_invalid_url(url: str) -> None:
    """A text that is not a cluster's URL is wrong usage, and a password in it is not quoted."""
    with pytest.raises(UsageError) as caught:
        base_url(Secret(url))

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


class TestFailover:
    """A node that answers stays the current one; one that fails is left."""

    def test_first(self) -> None:
        """The first URL is the current one, and a URL that is given twice is one node."""
        several = NodePool(map(Secret, [*map(str, (N2, N1)), "https://n2:9443/"]))

        assert several.urls == (N2, N1)
        assert several.current == N2

    def test_one(self) -> None:
        """A single node stays the current one after a failure."""
        one = nodes(1)

        one.mark_failed([N1], 0.0)
        assert one.current == N1

    def test_round(self) -> None:
        """Each node is tried once, without a pause; then the one that failed longest ago."""
        three = nodes()
        turns = []
        for moment in range(6):
            three.mark_failed([three.current], float(moment))
            turns.append(three.current)

        assert turns == [N2, N3, N1, N2, N3, N1]

    def test_sticks(self) -> None:
        """After a usable reply the node stays, and nodes that failed before may be used again."""
        two = nodes(2)
        two.mark_failed([N1], 0.0)
        two.mark_answered(N2, 1.0)
        stayed = two.current

        assert stayed == N2
        two.mark_failed([N2], 2.0)
        assert two.current == N1

    def test_backoff(self) -> None:
        """A node is not used during its backoff, while there is another one."""
        two = nodes(2)
        two.mark_failed([N1], 0.0, backoff=100.0)
        two.mark_answered(N2, 1.0)

        two.mark_failed([N2], 10.0)
        assert two.current == N2
        two.mark_failed([N2], 100.0, backoff=30.0)
        assert two.current == N1

    def test_all_in_backoff(self) -> None:
        """If all nodes are in backoff, the one whose backoff ends first is next."""
        two = nodes(2)
        two.mark_failed([N1], 0.0, backoff=20.0)

        two.mark_failed([N2], 5.0, backoff=60.0)
        assert (two.current, two.remaining_backoff(N1, 5.0)) == (N1, 15.0)

    def test_longest_backoff(self) -> None:
        """A backoff is at most five minutes."""
        one = nodes(1)
        one.mark_failed([N1], 0.0, backoff=1e9)

        assert one.remaining_backoff(N1, 0.0) == 300.0

    def test_trusted_host(self) -> None:
        """After a trusted host outside of the list fails, a node of the list is next."""
        three = nodes()
        three.current = URL("https://10.0.0.7:9443")

        three.mark_failed([N1, three.current], 0.0)
        assert three.current == N2

    def test_failure_of_another_node(self) -> None:
        """A failure of a node that is not the current one leaves the current one, listed or not."""
        three = nodes()
        three.mark_failed([N3], 0.0)
        stayed = three.current
        three.current = URL("https://10.0.0.7:9443")
        three.mark_failed([N1, N2], 0.0)

        assert stayed == N1
        assert three.current == URL("https://10.0.0.7:9443")

    def test_next_node(self) -> None:
        """The next node is one that was not asked, and has not failed since the last answer."""
        three = nodes()
        three.mark_failed([N2], 0.0)
        three.mark_failed([N3], 0.0, backoff=5.0)

        assert three.next_node([], 1.0) == N1
        assert three.next_node([N1], 1.0) is None
        assert three.next_node([N1], 1.0, even_failed=True) == N2
        assert three.next_node([N1, N2], 1.0, even_failed=True) is None
        assert three.next_node([N1, N2], 5.0, even_failed=True) == N3

    @pytest.mark.parametrize("urls", [[], (), ["https://n1:9443", None], {"https://n1:9443"}, 5])
    def test_invalid_urls(self, urls: list[str]) -> None:
        """A value that is neither a URL nor a list of URLs is wrong usage."""
        with pytest.raises(UsageError, match="URL"):
            ActionsClient(urls)


class TestRedirects:
    """A redirect is followed to nodes of the cluster and trusted hosts only."""

    @pytest.mark.parametrize(
        ("location", "target"),
        [
            ("https://n2:9443/v1/actions", N2),
            ("https://N2:9443/v1/actions/../users", N2),
            ("https://user:pw@n2:9443/", N2),
            ("//n2:9443/v1/actions", N2),
            ("/v1/other", N1),
            ("", N1),
            ("https://10.0.0.7:9443/v1/actions", URL("https://10.0.0.7:9443")),
            ("https://10.0.0.8:1234/v1/actions", URL("https://10.0.0.8:1234")),
            ("https://[fd00::7]:9443/v1/actions", URL("https://[fd00::7]:9443")),
            ("https://10.0.0.7/v1/actions", None),
            ("https://10.0.0.8:9443/v1/actions", None),
            ("http://10.0.0.7:9443/v1/actions", None),
            ("http://n2:9443/v1/actions", None),
            ("https://n2:8443/v1/actions", None),
            ("https://n2.evil.example:9443/", None),
            ("https://n2:9443@evil.example/", None),
            ("ftp://n2:9443/", None),
            ("https://evil.example:9443/", None),
            ("https://n2:port/", None),
            ("https://[::1/", None),
            ("javascript:alert(1)", None),
            ("https://[x]@", None),
            ("https://[:n:n4]", None),
            ("\x00", N1),
        ],
    )
    def test_target(self, location: str, target: URL | None) -> None:
        """Scheme, host and port must be those of a node, or trusted."""
        trusting = nodes(3, ["10.0.0.7", "10.0.0.8:1234", "[fd00::7]"])

        assert trusting.redirect_target(N1, location) == target

    def test_path_in_front(self) -> None:
        """A node with a path in its URL keeps it."""
        proxied = NodePool(map(Secret, ["https://n1:9443", "https://proxy/redis"]))

        found = proxied.redirect_target(N1, "https://proxy/v1/actions")
        assert found == URL("https://proxy/redis")

    @pytest.mark.parametrize(
        "hosts",
        [
            "10.0.0.7",
            5,
            [""],
            ["https://10.0.0.7"],
            ["10.0.0.7/path"],
            ["user@10.0.0.7"],
            ["10.0.0.7:port"],
            ["ho st"],
            ["host?x"],
            ["[x]@"],
            [None],
            [5],
        ],
        ids=repr,
    )
    def test_bad_hosts(self, hosts: list[str]) -> None:
        """A value that is not a list of hosts is wrong usage."""
        with pytest.raises(UsageError, match="trusted_hosts="):
            nodes(1, hosts)
