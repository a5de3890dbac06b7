"""Facts about `_access`: passwords, tokens, how long they are good for, and that none is shown."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import (
    AuthenticationError,
    ClusterUnreachable,
    RequestRejected,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions._client.http.auth import (
    Authenticator,
    Secret,
    StaticAuth,
    as_secret,
    authenticator_for,
)
from tests.scripted import now


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions import RequestError

SECRET = "hunter2-hunter2"
BASIC = Secret("Basic " + base64.b64encode(f"ops:{SECRET}".encode()).decode())
IN_BODY = {"username": "ops", "password": SECRET}


def jwt(life: object = 300, number: int = 0) -> str:
    """Return a token that says how long it lives."""
    claims = json.dumps({"iat": 1_800_000_000, "exp": 1_800_000_000 + life, "jti": number})  # type: ignore[operator]
    return ".".join(
        base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ("{}", claims, "s")
    )


def refusal(status: int, code: str | None = None) -> RequestRejected:
    """Return what a cluster says that refuses."""
    kind = AuthenticationError if status == 401 else RequestRejected
    return kind("POST", "/v1/users/authorize", status=status, error_code=code)


@dataclass
class Grants:
    """A cluster that grants tokens, or answers what it is told to."""

    life: float = 300
    answers: list[RequestError | bytes] = field(default_factory=list)
    asked: list[tuple[str, Secret | None, Secret]] = field(default_factory=list)

    async def post(self, path: str, proof: Secret | None, body: Secret) -> Secret:
        """Answer what comes next, or grant a token."""
        self.asked.append((path.rpartition("/")[2], proof, body))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        granted = json.dumps({"access_token": jwt(self.life, len(self.asked))}).encode()
        return Secret((answer or granted).decode("utf-8", "replace"))


def by_token(call: Callable[[], object]) -> Authenticator:
    """Return the access by what a function returns."""
    return authenticator_for(None, None, call, auth="basic", timeout=5.0)  # type: ignore[arg-type]


def by_jwt() -> Authenticator:
    """Return the access by tokens that the cluster grants."""
    return authenticator_for("ops", Secret(SECRET), None, auth="jwt", timeout=5.0)


def test_hidden() -> None:
    """A secret is shown by nothing but asking for it."""
    secret = as_secret(SECRET)

    assert (repr(secret), str(secret), f"{secret}", str([secret])) == ("***", "***", "***", "[***]")
    assert secret == Secret(SECRET)
    assert secret != SECRET
    assert len({secret, Secret(SECRET)}) == 1
    assert as_secret(None) is None


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
        (("ops", Secret("p"), Secret("t")), "basic", "token= goes without"),
        ((None, None, Secret("t")), "jwt", "token= goes without"),
        ((None, None, Secret("")), "basic", "neither a token"),
        ((None, None, Secret("a b c")), "basic", "neither a token"),
        ((None, None, Secret("t\r\nX: y")), "basic", "neither a token"),
        ((None, None, Secret(5)), "basic", "neither a token"),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments(arguments: tuple[object, ...], auth: str, problem: str) -> None:
    """What does not go together, or cannot be sent, is the caller's mistake."""
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
async def test_fixed(arguments: tuple[None, None, None], header: Secret | None) -> None:
    """What does not change is sent each time, and there is nothing else to send."""
    grants = Grants()
    access = authenticator_for(*arguments, auth="basic", timeout=5.0)

    assert isinstance(access, StaticAuth)
    assert access.has_credentials is (header is not None)
    assert [await access.authorization(grants.post) for _ in range(2)] == [header, header]
    assert await access.reauthorize(header, grants.post) is None
    assert grants.asked == []


def test_redact() -> None:
    """A body loses what proves who we are."""
    access = authenticator_for("ops", Secret(SECRET), None, auth="basic", timeout=1)
    said = BASIC.reveal().partition(" ")[2]

    assert access.redact(f"you sent Basic {said}!".encode()) == b"you sent Basic ***!"


class TestGranted:
    """Tokens that the cluster grants are asked for once, and refreshed in time."""

    async def test_one_for_all(self) -> None:
        """Those who ask at the same time share a token, which is asked for with the password."""
        grants, access = Grants(), by_jwt()
        proofs = await asyncio.gather(*(access.authorization(grants.post) for _ in range(5)))

        assert proofs == [Secret(f"JWT {jwt(300, 1)}")] * 5
        assert grants.asked == [("authorize", BASIC, Secret("{}"))]

    async def test_refreshed(self) -> None:
        """After six tenths of its life a token is refreshed with itself."""
        grants, access = Grants(), by_jwt()
        first = await access.authorization(grants.post)
        await asyncio.sleep(179)
        assert await access.authorization(grants.post) == first
        await asyncio.sleep(2)

        assert await access.authorization(grants.post) == Secret(f"JWT {jwt(300, 2)}")
        assert grants.asked[1:] == [("refresh_jwt", first, Secret("{}"))]

    async def test_hours(self) -> None:
        """Hours on tokens of five minutes take one call for each token."""
        grants, access = Grants(), by_jwt()
        while now() < 3 * 3600:
            await access.authorization(grants.post)
            await asyncio.sleep(15)

        assert len(grants.asked) == pytest.approx(3 * 3600 / 180, abs=10)
        assert {what for what, _, _ in grants.asked[1:]} == {"refresh_jwt"}

    async def test_too_late(self) -> None:
        """A token that nobody used for most of its life is not relied on."""
        grants, access = Grants(), by_jwt()
        await access.authorization(grants.post)
        await asyncio.sleep(271)
        await access.authorization(grants.post)

        assert [what for what, _, _ in grants.asked] == ["authorize", "authorize"]

    async def test_refresh_refused(self) -> None:
        """A cluster that does not refresh is asked for a new token."""
        grants, access = Grants(), by_jwt()
        await access.authorization(grants.post)
        await asyncio.sleep(200)
        grants.answers.append(refusal(401))
        await access.authorization(grants.post)

        assert [what for what, _, _ in grants.asked] == ["authorize", "refresh_jwt", "authorize"]

    async def test_refresh_fails(self) -> None:
        """While the cluster does not answer, a token that is still good is used."""
        grants, access = Grants(), by_jwt()
        first = await access.authorization(grants.post)
        await asyncio.sleep(200)
        grants.answers.append(ClusterUnreachable("POST", "/x", reason="refused"))
        assert await access.authorization(grants.post) == first
        await asyncio.sleep(80)
        grants.answers.append(ClusterUnreachable("POST", "/x", reason="refused"))

        with pytest.raises(ClusterUnreachable):
            await access.authorization(grants.post)

    @pytest.mark.parametrize(("retry_after", "most"), [(None, 9), (60.0, 2)])
    async def test_refresh_fails_on(self, retry_after: float | None, most: int) -> None:
        """While it fails, it is not tried with each request, nor before the cluster wants it."""
        grants, access = Grants(), by_jwt()
        await access.authorization(grants.post)
        await asyncio.sleep(190)
        while now() < 268:
            grants.answers = [
                ClusterUnreachable("POST", "/x", reason="busy", retry_after=retry_after)
            ]
            await access.authorization(grants.post)
            await asyncio.sleep(1)

        assert 2 <= len(grants.asked) <= 1 + most

    async def test_refresh_is_the_end(self) -> None:
        """A certificate that does not verify is no reason to go on with the old token."""
        grants, access = Grants(), by_jwt()
        await access.authorization(grants.post)
        await asyncio.sleep(200)
        grants.answers += [refusal(401), refusal(403)]

        with pytest.raises(RequestRejected) as caught:
            await access.authorization(grants.post)
        assert caught.value.status == 403

    async def test_renewed(self) -> None:
        """A token that was refused is replaced, once for all who were refused."""
        grants, access = Grants(), by_jwt()
        first = await access.authorization(grants.post)
        renewed = await asyncio.gather(*(access.reauthorize(first, grants.post) for _ in range(3)))

        assert renewed == [Secret(f"JWT {jwt(300, 2)}")] * 3
        assert [what for what, _, _ in grants.asked] == ["authorize", "authorize"]

    @pytest.mark.parametrize("status", [400, 401, 406])
    async def test_in_body(self, status: int) -> None:
        """A cluster that refuses the password in a header gets it in the body from then on."""
        grants, access = Grants(answers=[refusal(status)]), by_jwt()
        proof = await access.authorization(grants.post)
        await access.reauthorize(proof, grants.post)

        assert [(what, proof) for what, proof, _ in grants.asked] == [
            ("authorize", BASIC),
            ("authorize", None),
            ("authorize", None),
        ]
        assert [json.loads(body.reveal()) for _, _, body in grants.asked] == [{}, IN_BODY, IN_BODY]

    async def test_not_in_body_any_more(self) -> None:
        """A cluster that was upgraded may want it in a header again."""
        grants, access = Grants(answers=[refusal(400)]), by_jwt()
        proof = await access.authorization(grants.post)
        grants.answers.append(refusal(401))
        await access.reauthorize(proof, grants.post)

        assert [proof for _, proof, _ in grants.asked] == [BASIC, None, None, BASIC]

    @pytest.mark.parametrize(
        ("answers", "said"),
        [
            ([refusal(401), refusal(401, "second")], "second"),
            ([refusal(400), refusal(401, "second")], "second"),
            ([refusal(401, "first"), refusal(400)], "first"),
            ([refusal(403, "first")], "first"),
            ([refusal(401, "password_expired")], "password_expired"),
            ([refusal(401), ClusterUnreachable("POST", "/x", reason="x", error_code="x")], "x"),
        ],
    )
    async def test_refused(self, answers: list[RequestError], said: str) -> None:
        """A wrong password is refused in the words that tell the most."""
        grants, access = Grants(answers=[*answers]), by_jwt()

        with pytest.raises((RequestRejected, ClusterUnreachable)) as caught:
            await access.authorization(grants.post)
        assert caught.value.error_code == said
        assert len(grants.asked) == len(answers)

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"[]", b'{"access_token": 5}', b'{"access_token": "a\\nb"}', b"\xff"]
    )
    async def test_unreadable(self, body: bytes) -> None:
        """An answer without a token is unreadable, and is not quoted."""
        access = by_jwt()

        with pytest.raises(UnreadableReply, match="no access_token") as caught:
            await access.authorization(Grants(answers=[body or b" "]).post)
        assert caught.value.excerpt == ""

    @pytest.mark.parametrize(
        ("token", "life"),
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
    async def test_lifetime(self, token: str, life: float) -> None:
        """A token lives as long as it says, or as long as the vendor's do."""
        grants, access = Grants(answers=[json.dumps({"access_token": token}).encode()]), by_jwt()
        await access.authorization(grants.post)
        await asyncio.sleep(min(0.6 * life, 1e6) - 1)
        await access.authorization(grants.post)
        assert len(grants.asked) == 1
        await asyncio.sleep(2)
        await access.authorization(grants.post)

        assert len(grants.asked) == (2 if life < 1e6 else 1)


class TestCalled:
    """Tokens that a function of the user's returns."""

    async def test_opaque(self) -> None:
        """A token that does not tell its life is good until it is refused."""
        tokens = iter(["one", "two"])
        access = by_token(lambda: next(tokens))
        first = [await access.authorization(Grants().post) for _ in range(3)]

        assert first == [Secret("JWT one")] * 3
        assert await access.reauthorize(first[0], Grants().post) == Secret("JWT two")

    async def test_coroutine(self) -> None:
        """The function may be a coroutine function; a token that tells its life is renewed."""
        calls = 0

        async def token() -> str:
            nonlocal calls
            calls += 1
            await asyncio.sleep(1)
            return "Bearer " + jwt(100, calls)

        access = by_token(token)
        first = await access.authorization(Grants().post)
        await asyncio.sleep(61)

        assert first == Secret("Bearer " + jwt(100, 1))
        assert await access.authorization(Grants().post) == Secret("Bearer " + jwt(100, 2))

    async def test_kept_in_a_cache(self) -> None:
        """A function that returns the same token again does not make it younger."""
        calls: list[float] = []
        old, new = jwt(100, 1), jwt(100, 2)

        def token() -> str:
            calls.append(now())
            return old if now() < 95 else new

        access = by_token(token)
        while now() < 120:
            proof = await access.authorization(Grants().post)
            assert proof == Secret(f"JWT {old if now() < 95 else new}")
            await asyncio.sleep(1)
        assert len(calls) < 25

    async def test_the_same_again(self) -> None:
        """If there is no other token than the one refused, there is none."""
        access = by_token(lambda: "one")
        proof = await access.authorization(Grants().post)

        assert await access.reauthorize(proof, Grants().post) is None

    @pytest.mark.parametrize("token", ["", "a\nb", None, 5, b"x", "ä"])
    async def test_no_token(self, token: object) -> None:
        """What is no token is the caller's mistake, and not shown."""
        with pytest.raises(UsageError, match="what token= returned is not a token"):
            await by_token(lambda: token).authorization(Grants().post)

    async def test_hangs(self) -> None:
        """A function that does not return is given up."""

        async def token() -> str:
            await asyncio.sleep(3600)
            return "late"

        with pytest.raises(TimeoutError):
            await by_token(token).authorization(Grants().post)
        assert now() == pytest.approx(5, abs=0.01)

    async def test_raises(self) -> None:
        """What the function raises is raised, and the next one who asks asks it again."""
        tokens = iter([ZeroDivisionError(), "one"])

        def token() -> str:
            came = next(tokens)
            if isinstance(came, Exception):
                raise came
            return came  # type: ignore[return-value]

        access = by_token(token)
        with pytest.raises(ZeroDivisionError):
            await access.authorization(Grants().post)
        assert await access.authorization(Grants().post) == Secret("JWT one")

    async def test_cancelled(self) -> None:
        """Who is cancelled while a token is fetched keeps nobody else from fetching one."""

        async def token() -> str:
            await asyncio.sleep(2)
            return "one-and-only"

        access = by_token(token)
        first = asyncio.create_task(access.authorization(Grants().post))
        second = asyncio.create_task(access.authorization(Grants().post))
        await asyncio.sleep(1)
        first.cancel()

        assert await second == Secret("JWT one-and-only")
        assert first.cancelled()
        assert access.redact(b"<one-and-only>") == b"<***>"


def test_redact_before_the_first_token() -> None:
    """Where there is no token yet, there is nothing to take out."""
    assert by_jwt().redact(b"x") == b"x"
