"""Tests of `testing.server.auth`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import time
from typing import Any

import aiohttp
import pytest

from redis_enterprise_actions.testing import FakeCluster
from redis_enterprise_actions.testing.server.auth import TOKEN_MARK
from tests.http_client import HttpClient
from tests.testing.sessions import authorize, authorized, post, with_header


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


def credentials_of(cluster: FakeCluster) -> dict[str, str]:
    """Return the cluster's credentials as fields of a body."""
    return {"username": cluster.username, "password": cluster.password}


def decode_part(part: str) -> dict[str, Any]:
    """Return the decoded part of a token."""
    answer: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return answer


class TestTokens:
    """Tokens and the requests that they authorize."""

    @pytest.mark.parametrize("scheme", ["JWT", "Bearer"])
    async def test_authorize(self, cluster: FakeCluster, scheme: str) -> None:
        """The credentials are exchanged for a token that is accepted on every route."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
        cluster.add_action(uid="u")
        async with with_header(f"{scheme} {token}") as session:
            call = HttpClient(session, cluster)
            for path in ("/v1/actions", "/v1/actions/u", "/v1/bdbs/1", "/v2/actions"):
                await call.ok("GET", path)

    async def test_authorize_by_body(self, cluster: FakeCluster) -> None:
        """The credentials may stand in the body, if there is no header."""
        async with aiohttp.ClientSession() as session:
            token = await authorize(session, cluster, **credentials_of(cluster), ttl=60)
        async with with_header(f"JWT {token}") as session:
            await HttpClient(session, cluster).ok("GET", "/v1/actions")

    async def test_shape(self) -> None:
        """A token has three parts, an expiry in whole seconds, and is unique."""
        async with FakeCluster() as cluster, authorized(cluster) as session:
            tokens = [await authorize(session, cluster, ttl=600) for _ in range(2)]
        header, payload, signature = tokens[0].split(".")
        answer = decode_part(payload)

        assert decode_part(header) == {"alg": "HS256", "typ": "JWT"}
        assert set(answer) == {"iat", "exp", "jti"}
        assert answer["iat"] == pytest.approx(time.time(), abs=60)
        assert answer["exp"] - answer["iat"] == 600
        assert signature.startswith(TOKEN_MARK)
        assert "=" not in tokens[0]
        assert tokens[0] != tokens[1]

    async def test_iat(self, cluster: FakeCluster) -> None:
        """Tokens are dated on the loop's clock."""
        async with authorized(cluster) as session:
            first = decode_part((await authorize(session, cluster)).split(".")[1])
            await asyncio.sleep(1000)
            second = decode_part((await authorize(session, cluster)).split(".")[1])

        assert second["iat"] - first["iat"] == pytest.approx(1000, abs=1)

    @pytest.mark.parametrize(
        ("fields", "ttl"),
        [({}, 40), ({"ttl": 1}, 1), ({"ttl": 86400}, 86400)],
        ids=["default", "least", "most"],
    )
    async def test_expiry(self, fields: dict[str, int], ttl: int) -> None:
        """A token is valid for the requested time, or for the cluster's, and no longer."""
        async with FakeCluster(token_ttl=40) as cluster:
            async with authorized(cluster) as session:
                token = await authorize(session, cluster, **fields)
            async with with_header(f"JWT {token}") as session:
                call = HttpClient(session, cluster)
                await asyncio.sleep(ttl - 0.1)
                assert (await call("GET", "/v1/actions"))[0] == 200
                await asyncio.sleep(0.2)
                assert (await call("GET", "/v1/actions"))[0] == 401

    async def test_ttl_set_later(self, cluster: FakeCluster) -> None:
        """The cluster's time for tokens may be set at any time, and may be a fraction."""
        cluster.token_ttl = 0.5
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
        async with with_header(f"JWT {token}") as session:
            assert (await HttpClient(session, cluster)("GET", "/v1/actions"))[0] == 200
            await asyncio.sleep(0.6)
            assert (await HttpClient(session, cluster)("GET", "/v1/actions"))[0] == 401

    async def test_refresh(self, cluster: FakeCluster) -> None:
        """A valid token is exchanged for one that lasts longer."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster, ttl=10)
        await asyncio.sleep(9)
        async with with_header(f"JWT {token}") as session:
            newer = await authorize(session, cluster, "refresh_jwt")
        async with with_header(f"JWT {newer}") as session:
            await asyncio.sleep(290)
            assert (await HttpClient(session, cluster)("GET", "/v1/actions"))[0] == 200
            await asyncio.sleep(20)
            status, body = await post(session, cluster, "refresh_jwt", b"")
            assert (status, body) == (401, "")

    @pytest.mark.parametrize("path", ["authorize", "refresh_jwt"])
    @pytest.mark.parametrize(
        "header", [None, "Basic bm86bm8=", "JWT a.b.c", "Bearer", "JWT", "\u00fc", ""]
    )
    async def test_refused(self, cluster: FakeCluster, path: str, header: str | None) -> None:
        """Wrong credentials get no token."""
        async with with_header(header) as session:
            for body in (b"", b"{}", b'{"username": "no", "password": "no"}'):
                assert await post(session, cluster, path, body) == (401, "")

    async def test_header_comes_first(self, cluster: FakeCluster) -> None:
        """A wrong header is refused in spite of a right body."""
        async with with_header("Basic bm86bm8=") as session:
            body = json.dumps(credentials_of(cluster)).encode()
            assert (await post(session, cluster, "authorize", body))[0] == 401

    async def test_refresh_needs_a_token(self, cluster: FakeCluster) -> None:
        """A refresh with user and password is refused."""
        async with authorized(cluster) as session:
            assert (await post(session, cluster, "refresh_jwt", b""))[0] == 401

    @pytest.mark.parametrize("path", ["authorize", "refresh_jwt"])
    @pytest.mark.parametrize(
        "ttl", [0, -1, 86401, 1.5, 60.0, "60", None, True, []], ids=lambda ttl: repr(ttl)
    )
    async def test_invalid_ttl(self, cluster: FakeCluster, path: str, ttl: object) -> None:
        """A ttl is a whole number of seconds, a day at most."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
            header = None if path == "authorize" else {"Authorization": f"JWT {token}"}
            body = json.dumps({"ttl": ttl}).encode()
            status, answer = await post(session, cluster, path, body, headers=header)

        assert (status, answer["error_code"]) == (400, "invalid_ttl")

    @pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff"])
    async def test_no_json(self, cluster: FakeCluster, body: bytes) -> None:
        """A body that is not a JSON object is answered 400."""
        async with authorized(cluster) as session:
            status, answer = await post(session, cluster, "authorize", body)

        assert (status, answer["error_code"]) == (400, "invalid_request")

    async def test_altered(self, cluster: FakeCluster) -> None:
        """A token that was altered is not accepted."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
        async with with_header(f"JWT {token}0") as session:
            assert (await HttpClient(session, cluster)("GET", "/v1/actions"))[0] == 401

    async def test_revoke(self, cluster: FakeCluster) -> None:
        """Revoked tokens are refused, to a refresh, too; later tokens are accepted."""
        async with authorized(cluster) as session:
            token = await authorize(session, cluster)
            cluster.revoke_tokens()
            later = await authorize(session, cluster)
        async with with_header(f"JWT {token}") as session:
            assert (await HttpClient(session, cluster)("GET", "/v1/actions"))[0] == 401
            assert (await post(session, cluster, "refresh_jwt", b""))[0] == 401
        async with with_header(f"JWT {later}") as session:
            assert (await HttpClient(session, cluster)("GET", "/v1/actions"))[0] == 200

    async def test_no_basic(self) -> None:
        """With Basic off, user and password are accepted for tokens only, in a body."""
        async with FakeCluster(basic=False) as cluster:
            async with authorized(cluster) as session:
                async with session.get(f"{cluster.url}/v1/actions") as response:
                    assert response.status == 401
                    assert "WWW-Authenticate" not in response.headers
                assert (await post(session, cluster, "authorize", b""))[0] == 401
            async with aiohttp.ClientSession() as session:
                token = await authorize(session, cluster, **credentials_of(cluster))
            async with with_header(f"JWT {token}") as session:
                await HttpClient(session, cluster).ok("GET", "/v1/actions")

    async def test_basic_later(self, cluster: FakeCluster, call: HttpClient) -> None:
        """Basic may be switched off and on at any time."""
        seen = []
        for basic in (True, False, True):
            cluster.basic = basic
            seen.append((await call("GET", "/v1/actions"))[0])

        assert seen == [200, 401, 200]

    async def test_followers_redirect(self, three: FakeCluster, call3: HttpClient) -> None:
        """A token is issued by the primary, and accepted on every node."""
        status, _ = await post(call3.session, three, "authorize", b"", node=2)
        token = await authorize(call3.session, three)
        three.primary = 2
        async with with_header(f"JWT {token}") as session:
            assert (await HttpClient(session, three)("GET", "/v1/actions", node=2))[0] == 200

        assert status == 307

    async def test_secrets_are_not_shown(self, three: FakeCluster) -> None:
        """Neither the log nor the cluster shows passwords, tokens, headers or bodies."""
        async with aiohttp.ClientSession() as session:
            token = await authorize(session, three, **credentials_of(three))
        async with with_header(f"JWT {token}") as session:
            await HttpClient(session, three).ok("GET", "/v1/actions")
            await authorize(session, three, "refresh_jwt", ttl=77_777)

        fields = {field.name for field in dataclasses.fields(three.requests[0])}
        assert fields == {"time", "method", "path", "status", "node", "has_credentials"}
        assert [seen.method for seen in three.requests] == ["POST", "GET", "POST"]
        shown = f"{three!r} {three} {three.requests!r} {three.requests[0]}"
        for secret in (three.password, three.username, token, TOKEN_MARK, "JWT", "77777"):
            assert secret not in shown
