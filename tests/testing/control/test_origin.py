"""Tests of `testing.control.origin`: which requests may come from a page in a browser."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from redis_enterprise_actions.testing.control.origin import problem_of


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080",
        "127.0.0.1",
        "10.1.2.3:80",
        "[::1]:8080",
        "[::1]",
        "localhost",
        "localhost:8080",
        "LOCALHOST:1",
        "Fake",
        "fake:9000",
    ],
)
def test_ours(host: str) -> None:
    """Addresses, localhost, and the name that was asked for are no names of a page's."""
    request = make_mocked_request("POST", "/", headers=CIMultiDict({"Host": host}))

    assert problem_of(request, "fake") is None
    assert (problem_of(request, "127.0.0.1") is None) is (host.casefold()[:4] != "fake")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "fake.",
        "127.1",
        "2130706433",
        "[::1",
        "[evil]",
        "::1",
        "localhost\\evil.example",
    ],
)
def test_others(host: str) -> None:
    """Other names are refused, as a page can make one lead here; so is no name."""
    request = make_mocked_request("POST", "/", headers=CIMultiDict({"Host": host}))

    assert "Host header" in str(problem_of(request, "fake"))


def test_no_host() -> None:
    """A request with no Host, or with two, is refused."""
    for hosts in ([], ["localhost", "localhost"]):
        headers = CIMultiDict([("Host", host) for host in hosts])

        assert problem_of(make_mocked_request("GET", "/", headers=headers), "fake") is not None


@pytest.mark.parametrize("origin", ["null", "", "https://evil.example", "http://localhost:80"])
def test_origin(origin: str) -> None:
    """A request with an Origin is refused, whatever it is."""
    headers = CIMultiDict({"Host": "localhost", "Origin": origin})

    assert "Origin" in str(problem_of(make_mocked_request("GET", "/", headers=headers), "fake"))
