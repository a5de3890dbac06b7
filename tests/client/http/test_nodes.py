"""Facts about `_nodes`: which node is asked next, and whom a redirect may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from yarl import URL

from redis_enterprise_actions import ActionsClient, UsageError
from redis_enterprise_actions._client.http.auth import Secret
from redis_enterprise_actions._client.http.nodes import NodePool, base_url


if TYPE_CHECKING:
    from collections.abc import Iterable

SECRET = "hunter2-hunter2"
N1, N2, N3 = (URL(f"https://n{number}:9443") for number in (1, 2, 3))


def nodes(count: int = 3, trusted_hosts: Iterable[str] = ()) -> NodePool:
    """Return a cluster of nodes."""
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
    ],
)
def test_url(url: str, base: str) -> None:
    """A URL may have a path in front, and a slash at its end."""
    assert str(base_url(Secret(url))) == base


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
def test_no_url(url: str) -> None:
    """What is no cluster's URL is said to be none, and a password in it is not repeated."""
    with pytest.raises(UsageError) as caught:
        base_url(Secret(url))

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


class TestTurns:
    """A node that answers is stuck to; one that does not is left."""

    def test_first(self) -> None:
        """The first URL is the first to be asked, and one that comes twice is one node."""
        several = NodePool(map(Secret, [*map(str, (N2, N1)), "https://n2:9443/"]))

        assert several.urls == (N2, N1)
        assert several.current == N2

    def test_one(self) -> None:
        """A single URL is a cluster of one node, and a failure leaves it where it is."""
        one = nodes(1)

        assert one.mark_failed([N1], 0.0, backoff=None) == 0.0
        assert one.current == N1

    def test_round(self) -> None:
        """Each node is asked once, at once; then the one that failed longest ago, with pauses."""
        three = nodes()
        turns = []
        for moment in range(6):
            rest = three.mark_failed([three.current], float(moment), backoff=None)
            turns.append((rest, three.current))

        assert turns == [(None, N2), (None, N3), (0.0, N1), (0.0, N2), (0.0, N3), (0.0, N1)]

    def test_sticks(self) -> None:
        """After a good answer we stay, and those that failed before are worth a try again."""
        two = nodes(2)
        two.mark_failed([N1], 0.0, backoff=None)
        two.mark_answered(1.0)
        stayed = two.current

        assert stayed == N2
        assert two.mark_failed([N2], 2.0, backoff=None) is None
        assert two.current == N1

    def test_rest(self) -> None:
        """A node that wants to be left alone is not asked sooner, while there is another one."""
        two = nodes(2)
        two.mark_failed([N1], 0.0, backoff=100.0)
        two.mark_answered(1.0)

        assert two.mark_failed([N2], 10.0, backoff=None) == 0.0
        assert two.current == N2
        assert two.mark_failed([N2], 100.0, backoff=30.0) == 0.0
        assert two.current == N1

    def test_all_rest(self) -> None:
        """If all want to be left alone, the first to be back is waited for."""
        two = nodes(2)
        two.mark_failed([N1], 0.0, backoff=20.0)

        assert two.mark_failed([N2], 5.0, backoff=60.0) == 15.0
        assert two.current == N1

    def test_longest_rest(self) -> None:
        """No node is left alone for years because it said so."""
        assert nodes(1).mark_failed([N1], 0.0, backoff=1e9) == 300.0

    def test_stranger(self) -> None:
        """A trusted node that is none of the list is left for the list when it fails."""
        three = nodes()
        three.current = URL("https://10.0.0.7:9443")

        assert three.mark_failed([N1, three.current], 0.0, backoff=None) is None
        assert three.current == N2

    @pytest.mark.parametrize("urls", [[], (), ["https://n1:9443", None], {"https://n1:9443"}, 5])
    def test_no_list(self, urls: list[str]) -> None:
        """What is no URL and no list of URLs is said to be none."""
        with pytest.raises(UsageError, match="URL"):
            ActionsClient(urls)


class TestRedirects:
    """A redirect may name nodes of the cluster and trusted hosts, nothing else."""

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
        """Scheme, host and port have to be those of a node, or trusted."""
        trusting = nodes(3, ["10.0.0.7", "10.0.0.8:1234", "[fd00::7]"])

        assert trusting.redirect_target(N1, location) == target

    def test_path_in_front(self) -> None:
        """A node behind a path keeps it."""
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
        """What is no host, or not several, is the caller's mistake."""
        with pytest.raises(UsageError, match="trusted_hosts="):
            nodes(1, hosts)
