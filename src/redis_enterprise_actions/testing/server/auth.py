"""Whom the fake lets in, and its routes that issue tokens.

Vendor pages: requests/users/authorize, requests/users/refresh_jwt. What is wrong with a 400 is
said in the manner of other errors; the pages do not say how.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import secrets
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, Protocol, cast

from aiohttp import web


if TYPE_CHECKING:
    from collections.abc import Mapping


_AUTHORIZE: Final = "/v1/users/authorize"
_REFRESH: Final = "/v1/users/refresh_jwt"
_REALM: Final = {"WWW-Authenticate": 'Basic realm="redis"'}
_LONGEST: Final = 86400  # a day, in seconds

# Every token's signature begins with this, so that a leak can be searched for.
TOKEN_MARK: Final = "fake-signature-"  # noqa: S105 - of a cluster that is not there
_SCHEMES: Final = frozenset({"JWT", "Bearer"})  # the vendor's pages have either
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


class House(Protocol):
    """What the door is told by the cluster, which may be told otherwise at any time."""

    username: str
    password: str
    basic: bool
    token_ttl: float


class Door:
    """The check of credentials, the same on every node. `epoch` is as in `Tokens`."""

    def __init__(self, house: House) -> None:
        self.tokens = Tokens()
        self.epoch = 0.0
        self._house = house

    def add_to(self, app: web.Application) -> None:
        """Let an application issue tokens."""
        app.router.add_post(_AUTHORIZE, self._authorize)
        app.router.add_post(_REFRESH, self._refresh)

    def admits(self, request: web.Request) -> bool:
        """Whether a request may go on to its route."""
        return (
            request.path in {_AUTHORIZE, _REFRESH}
            or _has_certificate(request)
            or self._knows_basic(request)
            or self._knows_token(request)
        )

    def date(self) -> str:
        """Return what a header says of the time, which goes with the loop's clock."""
        return formatdate(self.epoch + _now(), usegmt=True)

    def refusal(self) -> web.Response:
        return web.Response(status=401, headers=_REALM if self._house.basic else None)

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = await _body_of(request)
        if "Authorization" in request.headers:
            known = self._knows_basic(request)
        else:
            pair = (asked.get("username"), asked.get("password"))
            known = _has_certificate(request) or pair == (
                self._house.username,
                self._house.password,
            )
        return self._issue(asked) if known else self.refusal()

    async def _refresh(self, request: web.Request) -> web.Response:
        asked = await _body_of(request)
        return self._issue(asked) if self._knows_token(request) else self.refusal()

    def _issue(self, asked: Mapping[str, object]) -> web.Response:
        ttl = asked.get("ttl", self._house.token_ttl)
        if "ttl" in asked and not (type(ttl) is int and 1 <= ttl <= _LONGEST):
            return _bad_request("invalid_ttl", f"ttl is an integer, 1 to {_LONGEST}")
        assert isinstance(ttl, int | float)
        token = self.tokens.issue(ttl=ttl, now=_now(), epoch=self.epoch)
        return web.json_response({"access_token": token})

    def _knows_token(self, request: web.Request) -> bool:
        return self.tokens.accept(request.headers.get("Authorization", ""), now=_now())

    def _knows_basic(self, request: web.Request) -> bool:
        pair = f"{self._house.username}:{self._house.password}".encode()
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        right = hmac.compare_digest(given, b"Basic " + base64.b64encode(pair))
        return right and self._house.basic


def _has_certificate(request: web.Request) -> bool:
    """Whether the client has shown a certificate; the handshake fails if it is not of our CA."""
    return bool(request.get_extra_info("peercert"))


async def _body_of(request: web.Request) -> dict[str, object]:
    """Return the JSON object that was sent, or an empty one if nothing was; else answer 400."""
    try:
        body: object = json.loads(await request.read() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text=_error("invalid_request", "the body is no JSON object"))
    return cast("dict[str, object]", body)


def _bad_request(code: str, description: str) -> web.Response:
    return web.json_response(text=_error(code, description), status=400)


def _error(code: str, description: str) -> str:
    return json.dumps({"error_code": code, "description": description})


def _now() -> float:
    return asyncio.get_running_loop().time()


class Tokens:
    """The tokens that were issued. `now` is the loop's time, `epoch` its beginning in Unix time."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}

    def issue(self, *, ttl: float, now: float, epoch: float) -> str:
        """Return a new token that is good for `ttl` seconds."""
        issued = int(epoch + now)
        payload = {"iat": issued, "exp": int(issued + ttl), "jti": secrets.token_hex(8)}
        token = f"{_part(_HEADER)}.{_part(payload)}.{TOKEN_MARK}{secrets.token_hex(16)}"
        self._ends[token] = now + ttl
        return token

    def accept(self, header: str, *, now: float) -> bool:
        """Whether an Authorization header shows a token that is good."""
        scheme, _, token = header.partition(" ")
        return scheme in _SCHEMES and now < self._ends.get(token, now)

    def revoke(self) -> None:
        self._ends.clear()


def _part(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
