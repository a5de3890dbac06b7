"""Authentication of requests, and the routes that issue tokens (JWT).

Vendor pages: requests/users/authorize, requests/users/refresh_jwt. The body of a 400 is a guess,
after that of other errors.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from .requests import error_response


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.identifiers import Identifiers
    from redis_enterprise_actions.testing.settings import ClusterSettings


_AUTHORIZE: Final = "/v1/users/authorize"
_REFRESH: Final = "/v1/users/refresh_jwt"
_REALM: Final = {"WWW-Authenticate": 'Basic realm="redis"'}
_MAX_TTL: Final = 86400  # seconds

# Every token's signature begins with this, so that a leak can be searched for.
TOKEN_MARK: Final = "fake-signature-"  # noqa: S105 - of a cluster that is not there
_SCHEMES: Final = frozenset({"JWT", "Bearer"})  # the vendor's pages have either
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


class Authentication:
    """Check of credentials, and the tokens that were issued."""

    def __init__(self, settings: ClusterSettings, clock: Clock, identifiers: Identifiers) -> None:
        self._settings = settings
        self._identifiers = identifiers
        self._clock = clock
        self._expiries: dict[str, float] = {}  # by token, in the time of the clock

    def add_to(self, app: web.Application) -> None:
        app.router.add_post(_AUTHORIZE, self._authorize)
        app.router.add_post(_REFRESH, self._refresh)

    def is_authorized(self, request: web.Request) -> bool:
        """Return True if a request may go on to its route."""
        return (
            request.path in {_AUTHORIZE, _REFRESH}
            or _has_certificate(request)
            or self._has_password(request)
            or self._has_token(request)
        )

    def has_credentials(self, request: web.Request) -> bool:
        """Return True if a request came with credentials, right or wrong, outside of its body."""
        return "Authorization" in request.headers or _has_certificate(request)

    def unauthorized(self) -> web.Response:
        return web.Response(status=401, headers=_REALM if self._settings.basic else None)

    def revoke_tokens(self) -> None:
        self._expiries.clear()

    async def _authorize(self, request: web.Request) -> web.Response:
        body = await _read_body(request)
        if "Authorization" in request.headers:
            authorized = self._has_password(request)
        else:
            sent = body.get("username"), body.get("password")
            expected = self._settings.username, self._settings.password
            authorized = _has_certificate(request) or sent == expected
        return self._issue_token(body) if authorized else self.unauthorized()

    async def _refresh(self, request: web.Request) -> web.Response:
        body = await _read_body(request)
        return self._issue_token(body) if self._has_token(request) else self.unauthorized()

    def _issue_token(self, body: Mapping[str, object]) -> web.Response:
        ttl = body.get("ttl", self._settings.token_ttl)
        if "ttl" in body and not (type(ttl) is int and 1 <= ttl <= _MAX_TTL):
            raise error_response(400, "invalid_ttl", f"ttl is an integer, 1 to {_MAX_TTL}")
        assert isinstance(ttl, int | float)
        issued = self._clock.unix_time(self._clock.now())
        payload = {"iat": issued, "exp": int(issued + ttl), "jti": self._identifiers.hex(16)}
        token = f"{_encode(_HEADER)}.{_encode(payload)}.{TOKEN_MARK}{self._identifiers.hex(32)}"
        self._expiries[token] = self._clock.now() + ttl
        return web.json_response({"access_token": token})

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        now = self._clock.now()
        return scheme in _SCHEMES and now < self._expiries.get(token, now)

    def _has_password(self, request: web.Request) -> bool:
        pair = f"{self._settings.username}:{self._settings.password}".encode()
        sent = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        equal = hmac.compare_digest(sent, b"Basic " + base64.b64encode(pair))
        return equal and self._settings.basic


def _has_certificate(request: web.Request) -> bool:
    """Return True if the client sent a certificate; a handshake with an unknown one has failed."""
    return bool(request.get_extra_info("peercert"))


async def _read_body(request: web.Request) -> dict[str, object]:
    """Return the JSON object of a body of any type, or an empty one; else answer 400."""
    try:
        body: object = json.loads(await request.read() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise error_response(400, "invalid_request", "the body is not a JSON object")
    return cast("dict[str, object]", body)


def _encode(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
