"""Tests of `_client.http.auth`."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import (
    ActionsClient,
    AuthenticationError,
    ClusterUnreachable,
    RequestRejected,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions._client.http.auth import Authenticator, StaticAuth, authenticator_for
from redis_enterprise_actions._model.secret import Secret
from tests.scripted import now


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions import RequestError
    from redis_enterprise_actions.testing import FakeCluster

SECRET = "hunter2-hunter2"
BASIC = Secret("Basic " + base64.b64encode(f"ops:{SECRET}".encode()).decode())
IN_BODY = {"username": "ops", "password": SECRET}


def jwt(lifetime: object = 300, number: int = 0) -> str:
    """Return a token whose claims have its lifetime."""
    claims = json.dumps({"iat": 1_800_000_000, "exp": 1_800_000_000 + lifetime, "jti": number})  # type: ignore[operator]
    return ".".join(
        base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ("{}", claims, "s")
    )


def rejected(status: int, code: str | None = None) -> RequestRejected:
    """Return the error of a cluster that refuses a login."""
    kind = AuthenticationError if status == 401 else RequestRejected
    return kind("POST", "/v1/users/authorize", status=status, error_code=code)


@dataclass
class GrantingCluster:
    """Cluster that grants tokens, unless it has other `answers`."""

    lifetime: float = 300
    answers: list[RequestError | bytes] = field(default_factory=list)
    requests: list[tuple[str, Secret | None, Secret]] = field(default_factory=list)

    async def post(self, path: str, header: Secret | None, body: Secret) -> Secret:
        """Give the next answer, or grant a token."""
        self.requests.append((path.rpartition("/")[2], header, body))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        granted = json.dumps({"access_token": jwt(self.lifetime, len(self.requests))}).encode()
        return Secret((answer or granted).decode("utf-8", "replace"))


def callable_auth(call: Callable[[], object]) -> Authenticator:
    """Return authentication by the tokens that a function returns."""
    return authenticator_for(None, None, call, auth="basic", timeout=5.0)  # type: ignore[arg-type]


def cluster_auth() -> Authenticator:
    """Return authentication by tokens that the cluster grants."""
    return authenticator_for("ops", Secret(SECRET), None, auth="jwt", timeout=5.0)


@pytest.mark.parametrize(
    ("arguments", "auth", "problem"),
    [
        (("ops", None, None), "basic", "go together"),
        ((None, Secret("p"), None), "basic", "go together"),
        (("a:b", Secret("p"), None), "basic", "colon"),
        ((5, Secret("p"), None), "basic", "username= is not a text"),
        (("ops", Secret(5), None), "basic", "password= is not a text"),  # type: ignore[arg-type]
        (("ops", Secret("\ud800"), None), "basic", "password= is not a text"),
        (("ops", Secret("p"), None), "digest", "neither"),
        ((None, None, None), "jwt", 'auth="jwt" needs'),
        (("ops", Secret("p"), Secret("t")), "basic", "token= cannot be combined with"),
        ((None, None, Secret("t")), "jwt", "token= cannot be combined with"),
        ((None, None, Secret("")), "basic", "neither a token"),
        ((None, None, Secret("a b c")), "basic", "neither a token"),
        ((None, None, Secret("t\r\nX: y")), "basic", "neither a token"),
        ((None, None, Secret(5)), "basic", "neither a token"),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments(arguments: tuple[object, ...], auth: str, problem: str) -> None:
    """Arguments that contradict each other, or cannot be sent, are wrong usage."""
    with pytest.raises(UsageError, match=problem):
        authenticator_for(*arguments, auth=auth, timeout=5.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "header"),
    [
        ((None, None, None), None),
        (("ops", Secret(SECRET), None), BASIC),
        ((None, None, Secret("abc")), Secret("JWT abc")),
        ((None, None, Secret("Bearer abc")), Secret("Bearer abc")),
    ],
)
async def test_static(arguments: tuple[None, None, None], header: Secret | None) -> None:
    """A static header is always the same, and there is no other one."""
    cluster = GrantingCluster()
    authenticator = authenticator_for(*arguments, auth="basic", timeout=5.0)

    assert isinstance(authenticator, StaticAuth)
    assert authenticator.has_credentials is (header is not None)
    assert [await authenticator.authorization(cluster.post) for _ in range(2)] == [header, header]
    assert await authenticator.reauthorize(header, cluster.post) is None
    assert cluster.requests == []


class TestClusterTokens:
    """Tokens that the cluster grants are fetched once, and refreshed in time."""

    async def test_concurrent(self) -> None:
        """Concurrent requests share one token, which is fetched with the password."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        headers = await asyncio.gather(
            *(authenticator.authorization(cluster.post) for _ in range(5))
        )

        assert headers == [Secret(f"JWT {jwt(300, 1)}")] * 5
        assert cluster.requests == [("authorize", BASIC, Secret("{}"))]

    async def test_refreshed(self) -> None:
        """A token is refreshed, with itself, after 60 % of its life."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        first = await authenticator.authorization(cluster.post)
        await asyncio.sleep(179)
        assert await authenticator.authorization(cluster.post) == first
        await asyncio.sleep(2)

        assert await authenticator.authorization(cluster.post) == Secret(f"JWT {jwt(300, 2)}")
        assert cluster.requests[1:] == [("refresh_jwt", first, Secret("{}"))]

    async def test_hours(self) -> None:
        """Tokens of five minutes take one request each, for hours."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        while now() < 3 * 3600:
            await authenticator.authorization(cluster.post)
            await asyncio.sleep(15)

        assert len(cluster.requests) == pytest.approx(3 * 3600 / 180, abs=10)
        assert {what for what, _, _ in cluster.requests[1:]} == {"refresh_jwt"}

    async def test_expired(self) -> None:
        """A token that was not used for 90 % of its life is replaced, not refreshed."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        await authenticator.authorization(cluster.post)
        await asyncio.sleep(271)
        await authenticator.authorization(cluster.post)

        assert [what for what, _, _ in cluster.requests] == ["authorize", "authorize"]

    async def test_refresh_refused(self) -> None:
        """If the cluster refuses to refresh a token, a new one is fetched."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        await authenticator.authorization(cluster.post)
        await asyncio.sleep(200)
        cluster.answers.append(rejected(401))
        await authenticator.authorization(cluster.post)

        assert [what for what, _, _ in cluster.requests] == [
            "authorize",
            "refresh_jwt",
            "authorize",
        ]

    async def test_refresh_fails(self) -> None:
        """A valid token is used on if the cluster does not answer, until it expires."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        first = await authenticator.authorization(cluster.post)
        await asyncio.sleep(200)
        cluster.answers.append(ClusterUnreachable("POST", "/x", reason="refused"))
        assert await authenticator.authorization(cluster.post) == first
        await asyncio.sleep(80)
        cluster.answers.append(ClusterUnreachable("POST", "/x", reason="refused"))

        with pytest.raises(ClusterUnreachable):
            await authenticator.authorization(cluster.post)

    @pytest.mark.parametrize(("retry_after", "most"), [(None, 9), (60.0, 2)])
    async def test_refresh_pauses(self, retry_after: float | None, most: int) -> None:
        """A failed refresh is not repeated with each request, nor before Retry-After."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        await authenticator.authorization(cluster.post)
        await asyncio.sleep(190)
        while now() < 268:
            cluster.answers = [
                ClusterUnreachable("POST", "/x", reason="busy", retry_after=retry_after)
            ]
            await authenticator.authorization(cluster.post)
            await asyncio.sleep(1)

        assert 2 <= len(cluster.requests) <= 1 + most

    async def test_refresh_fails_for_good(self) -> None:
        """A refresh that fails for good raises its error, though the token is valid."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        await authenticator.authorization(cluster.post)
        await asyncio.sleep(200)
        cluster.answers += [rejected(401), rejected(403)]

        with pytest.raises(RequestRejected) as caught:
            await authenticator.authorization(cluster.post)
        assert caught.value.status == 403

    async def test_reauthorized(self) -> None:
        """A refused token is replaced once for all concurrent requests."""
        cluster, authenticator = GrantingCluster(), cluster_auth()
        first = await authenticator.authorization(cluster.post)
        renewed = await asyncio.gather(
            *(authenticator.reauthorize(first, cluster.post) for _ in range(3))
        )

        assert renewed == [Secret(f"JWT {jwt(300, 2)}")] * 3
        assert [what for what, _, _ in cluster.requests] == ["authorize", "authorize"]

    @pytest.mark.parametrize("status", [400, 401, 406])
    async def test_password_in_body(self, status: int) -> None:
        """A cluster that refuses the password in a header gets it in the body from then on."""
        cluster, authenticator = GrantingCluster(answers=[rejected(status)]), cluster_auth()
        header = await authenticator.authorization(cluster.post)
        await authenticator.reauthorize(header, cluster.post)

        assert [(what, header) for what, header, _ in cluster.requests] == [
            ("authorize", BASIC),
            ("authorize", None),
            ("authorize", None),
        ]
        assert [json.loads(body.reveal()) for _, _, body in cluster.requests] == [
            {},
            IN_BODY,
            IN_BODY,
        ]

    async def test_password_in_header_again(self) -> None:
        """A cluster that was upgraded may want the password in a header again."""
        cluster, authenticator = GrantingCluster(answers=[rejected(400)]), cluster_auth()
        header = await authenticator.authorization(cluster.post)
        cluster.answers.append(rejected(401))
        await authenticator.reauthorize(header, cluster.post)

        assert [header for _, header, _ in cluster.requests] == [BASIC, None, None, BASIC]

    @pytest.mark.parametrize(
        ("answers", "expected"),
        [
            ([rejected(401), rejected(401, "second")], "second"),
            ([rejected(400), rejected(401, "second")], "second"),
            ([rejected(401, "first"), rejected(400)], "first"),
            ([rejected(403, "first")], "first"),
            ([rejected(401, "password_expired")], "password_expired"),
            ([rejected(401), ClusterUnreachable("POST", "/x", reason="x", error_code="x")], "x"),
        ],
    )
    async def test_refused(self, answers: list[RequestError], expected: str) -> None:
        """Of the two errors of a refused login, the more specific one is raised."""
        cluster, authenticator = GrantingCluster(answers=[*answers]), cluster_auth()

        with pytest.raises((RequestRejected, ClusterUnreachable)) as caught:
            await authenticator.authorization(cluster.post)
        assert caught.value.error_code == expected
        assert len(cluster.requests) == len(answers)

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"[]", b'{"access_token": 5}', b'{"access_token": "a\\nb"}', b"\xff"]
    )
    async def test_unreadable(self, body: bytes) -> None:
        """An answer without a token is unreadable, and is not quoted."""
        authenticator = cluster_auth()

        with pytest.raises(UnreadableReply, match="no access_token") as caught:
            await authenticator.authorization(GrantingCluster(answers=[body or b" "]).post)
        assert caught.value.excerpt == ""

    @pytest.mark.parametrize(
        ("token", "lifetime"),
        [
            (jwt(1000), 1000),
            ("opaque", 300),
            ("a.b.c", 300),
            (jwt(-5), 300),
            (jwt(1e300), 1e300),
            ("e30.W10.x", 300),
            ("e30.e30.x", 300),
        ],
    )
    async def test_lifetime(self, token: str, lifetime: float) -> None:
        """A token is used for the lifetime in its claims, or else for the vendor's default."""
        cluster, authenticator = (
            GrantingCluster(answers=[json.dumps({"access_token": token}).encode()]),
            cluster_auth(),
        )
        await authenticator.authorization(cluster.post)
        await asyncio.sleep(min(0.6 * lifetime, 1e6) - 1)
        await authenticator.authorization(cluster.post)
        assert len(cluster.requests) == 1
        await asyncio.sleep(2)
        await authenticator.authorization(cluster.post)

        assert len(cluster.requests) == (2 if lifetime < 1e6 else 1)


class TestCallableTokens:
    """Tokens that the caller's function returns."""

    async def test_opaque(self) -> None:
        """A token without a lifetime is used until it is refused."""
        tokens = iter(["one", "two"])
        authenticator = callable_auth(lambda: next(tokens))
        first = [await authenticator.authorization(GrantingCluster().post) for _ in range(3)]

        assert first == [Secret("JWT one")] * 3
        assert await authenticator.reauthorize(first[0], GrantingCluster().post) == Secret(
            "JWT two"
        )

    async def test_coroutine(self) -> None:
        """The function may be a coroutine function; and its tokens are replaced in time."""
        calls = 0

        async def token() -> str:
            nonlocal calls
            calls += 1
            await asyncio.sleep(1)
            return "Bearer " + jwt(100, calls)

        authenticator = callable_auth(token)
        first = await authenticator.authorization(GrantingCluster().post)
        await asyncio.sleep(61)

        assert first == Secret("Bearer " + jwt(100, 1))
        assert await authenticator.authorization(GrantingCluster().post) == Secret(
            "Bearer " + jwt(100, 2)
        )

    async def test_cached(self) -> None:
        """A function that returns the same token again does not prolong its life."""
        calls: list[float] = []
        old, new = jwt(100, 1), jwt(100, 2)

        def token() -> str:
            calls.append(now())
            return old if now() < 95 else new

        authenticator = callable_auth(token)
        while now() < 120:
            header = await authenticator.authorization(GrantingCluster().post)
            assert header == Secret(f"JWT {old if now() < 95 else new}")
            await asyncio.sleep(1)
        assert len(calls) < 25

    async def test_same_token(self) -> None:
        """There is no other header if the function returns the refused token again."""
        authenticator = callable_auth(lambda: "one")
        header = await authenticator.authorization(GrantingCluster().post)

        assert await authenticator.reauthorize(header, GrantingCluster().post) is None

    @pytest.mark.parametrize("token", ["", "a\nb", None, 5, b"x", "ä"])
    async def test_invalid_token(self, token: object) -> None:
        """A result that is not a token is wrong usage, and not shown."""
        with pytest.raises(UsageError, match="what token= returned is not a token"):
            await callable_auth(lambda: token).authorization(GrantingCluster().post)

    async def test_hangs(self) -> None:
        """A function that does not return in time is cancelled."""

        async def token() -> str:
            await asyncio.sleep(3600)
            return "late"

        with pytest.raises(TimeoutError):
            await callable_auth(token).authorization(GrantingCluster().post)
        assert now() == pytest.approx(5, abs=0.01)

    async def test_time_out_of_its_own(self) -> None:
        """A `TimeoutError` of the function is raised as it is."""
        error = TimeoutError("of the vault")

        def token() -> str:
            raise error

        with pytest.raises(TimeoutError) as caught:
            await callable_auth(token).authorization(GrantingCluster().post)
        assert caught.value is error

    async def test_raises_for_all(self) -> None:
        """Requests for the same token get the same error from one call of the function."""
        calls: list[float] = []

        async def token() -> str:
            calls.append(now())
            await asyncio.sleep(1)
            raise ValueError("no token")

        authenticator = callable_auth(token)
        requests = [authenticator.authorization(GrantingCluster().post) for _ in range(3)]
        errors = await asyncio.gather(*requests, return_exceptions=True)

        assert [str(error) for error in errors] == ["no token"] * 3
        assert len(calls) == 1

    async def test_raises(self) -> None:
        """An error of the function is raised, and the next request calls the function again."""
        tokens = iter([ZeroDivisionError(), "one"])

        def token() -> str:
            came = next(tokens)
            if isinstance(came, Exception):
                raise came
            return came  # type: ignore[return-value]

        authenticator = callable_auth(token)
        with pytest.raises(ZeroDivisionError):
            await authenticator.authorization(GrantingCluster().post)
        assert await authenticator.authorization(GrantingCluster().post) == Secret("JWT one")

    async def test_cancelled(self) -> None:
        """A request that is cancelled while it fetches a token does not affect the others."""

        async def token() -> str:
            await asyncio.sleep(2)
            return "one-and-only"

        authenticator = callable_auth(token)
        first = asyncio.create_task(authenticator.authorization(GrantingCluster().post))
        second = asyncio.create_task(authenticator.authorization(GrantingCluster().post))
        await asyncio.sleep(1)
        first.cancel()

        assert await second == Secret("JWT one-and-only")
        assert first.cancelled()


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
async def test_end_of_an_iteration(cluster: FakeCluster, error: type[Exception]) -> None:
    """The end of an iterator of `token=` is no end of ours, but an error that names it."""

    def next_token() -> str:
        raise error

    async with ActionsClient(cluster.url, token=next_token) as client:
        for wait in (client.get_action("a"), client.wait_for_action("a")):
            with pytest.raises(UsageError, match=f"token= raised {error.__name__} instead of a"):
                await wait


async def test_same_token_again(cluster: FakeCluster) -> None:
    """A token that the cluster refuses, and that `token=` returns again, is not sent twice."""
    async with ActionsClient(cluster.url, token=lambda: "stale") as client:
        with pytest.raises(AuthenticationError):
            await client.get_action("a")

    assert [seen.status for seen in cluster.requests] == [401]


async def test_token_that_is_none(cluster: FakeCluster) -> None:
    """What `token=` returns has to be a token; otherwise nothing is sent."""
    async with ActionsClient(cluster.url, token=lambda: "two\nlines") as client:
        with pytest.raises(UsageError, match="is not a token"):
            await client.get_action("a")

    assert cluster.requests == []
