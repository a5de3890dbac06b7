"""Tests of `_client.sources.bootstrap`; its answers are in `submit.test_bootstrap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import ActionsClient, UsageError
from redis_enterprise_actions._client.protocols import NO_LIST, Wanted


if TYPE_CHECKING:
    from redis_enterprise_actions._client.sources.bootstrap import BootstrapApi


URLS = [
    "https://n1:9443",
    "https://N2.example.com:9443",
    "https://[::1]:9443",
    "http://n4:1",
    "http://n4:2",
]


def source() -> BootstrapApi:
    """Return the source of a client that sends nothing."""
    return ActionsClient(URLS)._parts.sources.bootstraps


async def test_no_list() -> None:
    """No list holds bootstraps, and their path is the same on all nodes."""
    bootstraps = source()

    assert await bootstraps.fetch_many(Wanted(), None) is NO_LIST
    assert bootstraps.path(bootstraps.reference(None)) == "/v1/bootstrap"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (None, URLS[0]),
        ("n1", URLS[0]),
        ("n1:9443", URLS[0]),
        (" n2.EXAMPLE.com ", "https://n2.example.com:9443"),
        ("[::1]", URLS[2]),
        ("[::1]:9443", URLS[2]),
        ("n4:2", URLS[4]),
    ],
)
def test_node(name: str | None, url: str) -> None:
    """A node is named by the host of its URL, with the port where that is needed."""
    bootstraps = source()

    assert str(bootstraps.node_of(bootstraps.reference(name))) == url


@pytest.mark.parametrize(
    ("urls", "name"),
    [
        (["https://n1:9443"], ""),
        (["https://n1:9443", "https://n2:9443"], "n1"),
        (["https://n1:9443", "https://n1:9444"], "n1:9443"),
        (["https://n1:9443/a", "https://n1:9443/b"], ""),
    ],
)
def test_first_node(urls: list[str], name: str) -> None:
    """The first of several nodes is named, so that its reference holds for other URLs, too."""
    reference = ActionsClient(urls)._parts.sources.bootstraps.reference(None)

    assert reference.uid == name


@pytest.mark.parametrize("name", ["n3", "n1:1", "n4", "::1", "https://n1:9443", ""])
def test_no_node(name: str) -> None:
    """A name that fits no URL, or several, is wrong usage."""
    with pytest.raises(UsageError):
        source().reference(name)
