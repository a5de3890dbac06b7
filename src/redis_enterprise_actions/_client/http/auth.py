"""Authentication: the header `Authorization`, and the tokens that it may need.

Passwords and tokens are kept as `Secret`, so that nothing that is printed shows them.

Vendor pages (redis.io/docs, operate/rs/references/rest-api): requests/users/authorize,
requests/users/refresh_jwt, objects/jwt_authorize.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import logging
import math
import re
from copy import copy
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

import msgspec

from redis_enterprise_actions._client.wire.lenient_json import decode_struct
from redis_enterprise_actions._model.errors import (
    RedisActionsError,
    RequestError,
    RequestRejected,
    UnreadableReply,
    UsageError,
)
from redis_enterprise_actions._model.secret import Secret
from redis_enterprise_actions._model.text import duration_text


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

_AUTHORIZE: Final = "/v1/users/authorize"
_REFRESH: Final = "/v1/users/refresh_jwt"
_TTL: Final = 300.0  # seconds that a token lives unless it says otherwise (objects/jwt_authorize)
_REFRESH_AT: Final = 0.6  # fraction of a token's life, after which it is refreshed
_EXPIRES_AT: Final = 0.9  # fraction of a token's life, after which it is not used any more
_WANTS_BODY: Final = frozenset({400, 401, 406})  # statuses of clusters that want a body
_CHECK_USER: Final = "Check the user name and the password"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # it cannot be sent as UTF-8
_TOKEN: Final = re.compile(r"(?:[!-~]+ )?[!-~]+")  # a token, or a scheme and a token (RFC 9110)


# Sends a POST to a path, with the header `Authorization` and a JSON body; returns the reply's body.
Post: TypeAlias = "Callable[[str, Secret | None, Secret], Awaitable[Secret]]"
TokenSource: TypeAlias = "Callable[[], Awaitable[str] | str]"
"""A function, or a coroutine function, that returns a token."""


class Authenticator(Protocol):
    """Way to authenticate. `hint` says what to check if the cluster refuses it."""

    hint: str
    has_credentials: bool  # False for a client certificate, or nothing
    static_header: Secret | None  # the header, if it is always the same

    async def authorization(self, post: Post, /) -> Secret | None:
        """Return the header `Authorization`, or None for no header."""

    async def reauthorize(self, refused: Secret | None, post: Post, /) -> Secret | None:
        """Return another header than the one that was refused, or None if there is no other."""
        ...


class StaticAuth:
    """Authentication by a header that stays the same (Basic, or a token), or by none."""

    def __init__(self, header: Secret | None, hint: str) -> None:
        self.hint = hint
        self.has_credentials = header is not None
        self.static_header = header

    async def authorization(self, _: Post) -> Secret | None:
        return self.static_header

    async def reauthorize(self, _: Secret | None, __: Post) -> Secret | None:
        return None


class _Token(NamedTuple):
    header: Secret
    refresh_at: float
    expires_at: float


class TokenAuth:
    """Authentication by tokens, each of which is used for most of its life."""

    def __init__(self, provider: TokenProvider, hint: str) -> None:
        self.hint = hint
        self.has_credentials = True
        self.static_header: Secret | None = None
        self._provider = provider
        self._token: _Token | None = None
        self._lock = asyncio.Lock()
        self._failed_at = -math.inf
        self._last_error: Exception | None = None

    async def authorization(self, post: Post) -> Secret | None:
        called_at = _now()
        async with self._lock:
            token, now = self._token, _now()
            if token is None or now >= token.expires_at:
                token = await self._fetch(None, post, called_at)
            elif now >= token.refresh_at:
                token = await self._refresh(token, post, called_at)
            return token.header

    async def reauthorize(self, refused: Secret | None, post: Post) -> Secret | None:
        called_at = _now()
        async with self._lock:
            token = self._token
            if token is None or token.header == refused:
                token = await self._fetch(None, post, called_at)
            return None if token.header == refused else token.header

    async def _refresh(self, token: _Token, post: Post, called_at: float) -> _Token:
        """Return a new token or, after a transient failure, the present one, still valid."""
        try:
            return await self._fetch(token.header, post, called_at)
        except (RequestError, OSError) as error:
            if isinstance(error, RequestError) and not error.transient:
                raise
            _log.debug("the token could not be refreshed yet: %s", str(error))
            now, pause = _now(), getattr(error, "retry_after", None) or 0.0
        retry_at = max((now + token.expires_at) / 2, now + pause)
        self._token = token._replace(refresh_at=retry_at)
        return token

    async def _fetch(self, last: Secret | None, post: Post, called_at: float) -> _Token:
        """Return a new token. Raises the error of another call that failed since `called_at`."""
        if self._last_error is not None and self._failed_at > called_at:
            raise _copied(self._last_error)
        now = _now()
        try:
            header, lifetime = await self._provider.fetch(last, post)
        except Exception as error:
            self._failed_at, self._last_error = _now(), _copied(error)
            raise
        token = _Token(header, now + _REFRESH_AT * lifetime, now + _EXPIRES_AT * lifetime)
        if self._token is not None and header == self._token.header:  # it expires as before
            expires_at = self._token.expires_at
            token = _Token(header, max(now, (now + expires_at) / 2), expires_at)
        self._token, self._last_error = token, None
        return token


def _copied(error: Exception) -> Exception:
    """Return a copy of an error, as each caller needs its own traceback and attributes."""
    return copy(error) if isinstance(error, RedisActionsError) else error


def _now() -> float:
    return asyncio.get_running_loop().time()


class TokenProvider(Protocol):
    """Origin of tokens."""

    async def fetch(self, last: Secret | None, post: Post, /) -> tuple[Secret, float]:
        """Return a new header and its life in seconds.

        `last` is the header of the last token, as long as that is valid.
        """
        ...


class ClusterTokens:
    """Tokens that the cluster grants for a user's name and password."""

    def __init__(self, username: str, password: Secret, header: Secret) -> None:
        body = Secret(json.dumps({"username": username, "password": password.reveal()}))
        # The page of the call (header) and that of its object (body) differ; the one that the
        # cluster accepted comes first.
        self._login_requests = [(header, Secret("{}")), (None, body)]

    async def fetch(self, last: Secret | None, post: Post) -> tuple[Secret, float]:
        if last is not None:
            try:
                return _parse_grant(await post(_REFRESH, last, Secret("{}")), _REFRESH)
            except RequestRejected as error:
                _log.debug("the token is not refreshed, but a new one fetched: %s", str(error))
        return _parse_grant(await self._log_in(post), _AUTHORIZE)

    async def _log_in(self, post: Post) -> Secret:
        """Send the password in a header or, if the cluster refuses that, in the body."""
        try:
            return await post(_AUTHORIZE, *self._login_requests[0])
        except RequestRejected as error:
            if error.status not in _WANTS_BODY or error.error_code == "password_expired":
                raise
            first_error = error
        try:
            grant = await post(_AUTHORIZE, *self._login_requests[1])
        except RequestRejected as error:
            raise error if error.status == 401 else first_error from None
        self._login_requests.reverse()
        return grant


class TokenReply(msgspec.Struct):
    """Answer to both calls (objects/jwt_authorize)."""

    access_token: str


class TokenClaims(msgspec.Struct):
    """Times of a token's issue and end (RFC 7519)."""

    iat: float
    exp: float


class CallableTokens:
    """Tokens that the caller's function returns, within `timeout` seconds."""

    def __init__(self, call: TokenSource, timeout: float) -> None:
        self._call = call
        self._timeout = timeout

    async def fetch(self, _: Secret | None, __: Post) -> tuple[Secret, float]:
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                result = self._call()
                token = Secret(await result if inspect.isawaitable(result) else result)
        except (StopIteration, StopAsyncIteration) as error:  # they would end iterators of ours
            problem = f"token= raised {type(error).__name__} instead of a token"
            raise UsageError(problem) from error
        except TimeoutError as error:
            if limit.expired():
                raise TimeoutError(f"it took more than {duration_text(self._timeout)}") from error
            raise
        if not _is_token(token):
            raise UsageError("what token= returned is not a token")
        return _token_header(token), _token_lifetime(token) or math.inf


def basic_header(username: str, password: Secret) -> Secret:
    """Return the header of HTTP Basic authentication (RFC 7617)."""
    if not _is_encodable(username):
        raise UsageError("username= is not a text")
    if not _is_encodable(password.reveal()):
        raise UsageError("password= is not a text")
    if ":" in username:
        raise UsageError("username= must not contain a colon (RFC 7617)")
    pair = f"{username}:{password.reveal()}"
    return Secret("Basic " + base64.b64encode(pair.encode()).decode("ascii"))


def authenticator_for(
    username: str | None,
    password: Secret | None,
    token: Secret | TokenSource | None,
    *,
    auth: str,
    timeout: float,
) -> Authenticator:
    """Return the way to authenticate for the arguments of a client. Raises `UsageError`."""
    if auth not in {"basic", "jwt"}:
        raise UsageError(f'auth={auth!r:.100} is neither "basic" nor "jwt"')
    if token is not None:
        if username is not None or password is not None or auth == "jwt":
            raise UsageError("token= cannot be combined with username=, password= or auth=")
        if not isinstance(token, Secret):
            return TokenAuth(CallableTokens(token, timeout), "Check what token= returns")
        if not _is_token(token):
            raise UsageError("token= is neither a token nor a function that returns one")
        return StaticAuth(_token_header(token), "Check the token: it may have expired")
    if username is None and password is None:
        if auth == "jwt":
            raise UsageError('auth="jwt" needs username= and password=')
        return StaticAuth(None, "Pass username= and password=, or token=, or client_cert=")
    if username is None or password is None:
        raise UsageError("username= and password= go together")
    header = basic_header(username, password)
    if auth == "jwt":
        return TokenAuth(ClusterTokens(username, password, header), _CHECK_USER)
    return StaticAuth(header, _CHECK_USER)


def _parse_grant(body: Secret, path: str) -> tuple[Secret, float]:
    """Return the header and the life of the token in a reply, which errors do not quote."""
    try:
        token = Secret(decode_struct(body.reveal().encode(), TokenReply).access_token)
    except ValueError:
        token = Secret("")
    if not _is_token(token):
        raise UnreadableReply("POST", path, problem="there is no access_token in it")
    return _token_header(token), _token_lifetime(token) or _TTL


def _token_header(token: Secret) -> Secret:
    """Return the header of a token, whose scheme is JWT unless it has its own."""
    return token if " " in token.reveal() else Secret(f"JWT {token.reveal()}")


def _token_lifetime(token: Secret) -> float | None:
    """Return the seconds from a token's issue to its end, or None if it does not tell them."""
    try:
        _, claims, _ = token.reveal().rpartition(" ")[2].split(".")
        times = decode_struct(
            base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), TokenClaims
        )
    except ValueError:  # a binascii.Error is one
        return None
    lifetime = times.exp - times.iat
    return lifetime if 0 < lifetime < math.inf else None


def _is_token(token: Secret) -> bool:
    return isinstance(token.reveal(), str) and _TOKEN.fullmatch(token.reveal()) is not None


def _is_encodable(text: str) -> bool:
    return isinstance(text, str) and not _SURROGATE.search(text)
