"""Who we are: what proves it to the cluster, and for how long it does.

Knows passwords and tokens, and keeps them out of everything that can be printed. Refuses to know
how a request is sent: it is given a coroutine function for those that obtain a token.

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
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias, TypeVar, cast

import msgspec

from redis_enterprise_actions._client.wire.lenient_json import decode_struct
from redis_enterprise_actions._model.errors import (
    RedisActionsError,
    RequestError,
    RequestRejected,
    UnreadableReply,
    UsageError,
)


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_V = TypeVar("_V")

_log = logging.getLogger(__name__)

_AUTHORIZE: Final = "/v1/users/authorize"
_REFRESH: Final = "/v1/users/refresh_jwt"
_TTL: Final = 300.0  # seconds that a token lives unless it says otherwise (objects/jwt_authorize)
_FRESH: Final = 0.6  # of its life, after which a token is refreshed
_USABLE: Final = 0.9  # of its life, after which it is not relied on any more
_OTHER_STYLE: Final = frozenset({400, 401, 406})  # what clusters that want a body may answer
_SHORTEST: Final = 8  # characters of a secret that is not likely to be anything else
_SURROGATE: Final = re.compile("[\ud800-\udfff]")  # what cannot be sent as UTF-8
_TOKEN: Final = re.compile(r"(?:[!-~]+ )?[!-~]+")  # a token, or a scheme and a token (RFC 9110)


class Secret:
    """A text that no `repr`, log or traceback shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"

    def reveal(self) -> str:
        """Return the text, which is to be kept in no variable."""
        return self._text


def as_secret(value: str | _V) -> Secret | _V:
    """Hide what may be secret; None, or a function, is what it is."""
    return value if value is None or callable(value) else Secret(cast("str", value))


# Sends a POST with a proof of who we are and a JSON body, and returns the answer's body.
Post: TypeAlias = "Callable[[str, Secret | None, Secret], Awaitable[Secret]]"
TokenSource: TypeAlias = "Callable[[], Awaitable[str] | str]"
"""A function, or a coroutine function, that returns a token."""


class Authenticator(Protocol):
    """A way to prove who we are."""

    hint: str  # what to check when the cluster does not believe it
    has_credentials: bool  # False for a client certificate, or nothing
    static_header: Secret | None  # the header, if it is always the same

    async def authorization(self, post: Post) -> Secret | None:
        """Return the value of the header `Authorization`; None is no header."""

    async def reauthorize(self, refused: Secret | None, post: Post) -> Secret | None:
        """Return another proof than the one that was refused, or None if there is no other."""

    def redact(self, body: bytes) -> bytes:
        """Return a body without our proof, should a server have sent it back."""
        ...


class StaticAuth:
    """A proof that stays the same: Basic credentials, a token, or none at all."""

    def __init__(self, proof: Secret | None, hint: str) -> None:
        self.hint = hint
        self.has_credentials = proof is not None
        self.static_header = proof

    async def authorization(self, post: Post) -> Secret | None:
        del post
        return self.static_header

    async def reauthorize(self, refused: Secret | None, post: Post) -> Secret | None:
        del refused, post
        return None

    def redact(self, body: bytes) -> bytes:
        return body if self.static_header is None else _redacted(self.static_header, body)


class _Token(NamedTuple):
    header: Secret
    refresh_at: float
    expires_at: float


class TokenAuth:
    """Tokens that come and go: each is used for most of its life, then there is another.

    `source` returns a new token; it is given the last one as long as that is valid.
    """

    def __init__(self, source: TokenProvider, hint: str) -> None:
        self.hint = hint
        self.has_credentials = True
        self.static_header: Secret | None = None
        self._source = source
        self._token: _Token | None = None
        self._lock = asyncio.Lock()
        self._failed_at = -math.inf
        self._last_error: Exception | None = None

    async def authorization(self, post: Post) -> Secret | None:
        arrived = _now()
        async with self._lock:
            token, now = self._token, _now()
            if token is None or now >= token.expires_at:
                token = await self._renew(None, post, arrived)
            elif now >= token.refresh_at:
                token = await self._refresh(token, post, arrived)
            return token.header

    async def reauthorize(self, refused: Secret | None, post: Post) -> Secret | None:
        arrived = _now()
        async with self._lock:
            token = self._token
            if token is None or token.header == refused:
                token = await self._renew(None, post, arrived)
            return None if token.header == refused else token.header

    def redact(self, body: bytes) -> bytes:
        return body if self._token is None else _redacted(self._token.header, body)

    async def _refresh(self, token: _Token, post: Post, arrived: float) -> _Token:
        """Return a new token or, where there is none to be had, the one that is still good."""
        try:
            return await self._renew(token.header, post, arrived)
        except (RequestError, OSError) as error:
            if isinstance(error, RequestError) and not error.transient:
                raise
            _log.debug("the token is used a little longer: %s", str(error))
            now, rest = _now(), getattr(error, "retry_after", None) or 0.0
        again = max((now + token.expires_at) / 2, now + rest)
        self._token = token._replace(refresh_at=again)
        return token

    async def _renew(self, last: Secret | None, post: Post, arrived: float) -> _Token:
        """Fetch a token, unless that has failed while we waited for our turn."""
        if self._last_error is not None and self._failed_at > arrived:
            raise _copied(self._last_error)
        now = _now()
        try:
            proof, life = await self._source.fetch(last, post)
        except Exception as error:
            self._failed_at, self._last_error = _now(), _copied(error)
            raise
        token = _Token(proof, now + _FRESH * life, now + _USABLE * life)
        if self._token is not None and proof == self._token.header:  # it has not grown younger
            usable_until = self._token.expires_at
            token = _Token(proof, max(now, (now + usable_until) / 2), usable_until)
        self._token, self._last_error = token, None
        return token


def _copied(error: Exception) -> Exception:
    """Return an error of ours for somebody else, with a traceback of its own."""
    return copy(error) if isinstance(error, RedisActionsError) else error


def _now() -> float:
    return asyncio.get_running_loop().time()


class TokenProvider(Protocol):
    async def fetch(self, last: Secret | None, post: Post) -> tuple[Secret, float]:
        """Return a new proof and the seconds for which it is good."""
        ...


class ClusterTokens:
    """Tokens that the cluster grants for a user's name and password."""

    def __init__(self, username: str, password: Secret, proof: Secret) -> None:
        body = Secret(json.dumps({"username": username, "password": password.reveal()}))
        # What the page of the call and that of its object say; the one that worked goes first.
        self._login_requests = [(proof, Secret("{}")), (None, body)]

    async def fetch(self, last: Secret | None, post: Post) -> tuple[Secret, float]:
        if last is not None:
            try:
                return _parse_grant(await post(_REFRESH, last, Secret("{}")), _REFRESH)
            except RequestRejected as error:
                _log.debug("the token is not refreshed but asked for anew: %s", str(error))
        return _parse_grant(await self._authorize(post), _AUTHORIZE)

    async def _authorize(self, post: Post) -> Secret:
        """Send the password in a header or, to clusters that refuse that, in the body."""
        try:
            return await post(_AUTHORIZE, *self._login_requests[0])
        except RequestRejected as error:
            if error.status not in _OTHER_STYLE or error.error_code == "password_expired":
                raise
            refused = error
        try:
            granted = await post(_AUTHORIZE, *self._login_requests[1])
        except RequestRejected as error:
            raise error if error.status == 401 else refused from None
        self._login_requests.reverse()
        return granted


class TokenReply(msgspec.Struct):
    """The answer to both calls (objects/jwt_authorize)."""

    access_token: str


class TokenClaims(msgspec.Struct):
    """What a token says about itself (RFC 7519): when it was issued and when it ends."""

    iat: float
    exp: float


class CallableTokens:
    """Tokens that a function of the user's returns, within `patience` seconds."""

    def __init__(self, call: TokenSource, timeout: float) -> None:
        self._call = call
        self._timeout = timeout

    async def fetch(self, last: Secret | None, post: Post) -> tuple[Secret, float]:
        del last, post
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                token = await self._told()
        except TimeoutError as error:
            if limit.expired():
                raise TimeoutError(f"it took more than {self._timeout:g} s") from error
            raise
        if not _is_token(token):
            raise UsageError("what token= returned is not a token")
        return _token_header(token), _token_lifetime(token) or math.inf

    async def _told(self) -> Secret:
        came = self._call()
        return Secret(await came if inspect.isawaitable(came) else came)


def basic_header(username: str, password: Secret) -> Secret:
    """Return the proof that HTTP Basic authentication wants (RFC 7617)."""
    if not _is_encodable(username):
        raise UsageError("username= is not a text")
    if not _is_encodable(password.reveal()):
        raise UsageError("password= is not a text")
    if ":" in username:
        raise UsageError("username= must not contain a colon (RFC 7617)")
    pair = Secret(f"{username}:{password.reveal()}")
    return Secret("Basic " + base64.b64encode(pair.reveal().encode()).decode("ascii"))


def authenticator_for(
    username: str | None,
    password: Secret | None,
    token: Secret | TokenSource | None,
    *,
    auth: str,
    timeout: float,
) -> Authenticator:
    """Return the way to prove who we are that the arguments of a client ask for."""
    if auth not in {"basic", "jwt"}:
        raise UsageError(f'auth={auth!r:.100} is neither "basic" nor "jwt"')
    if token is not None:
        if username is not None or password is not None or auth == "jwt":
            raise UsageError("token= goes without username=, password= and auth=")
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
        raise UsageError("a user name and a password go together")
    proof = basic_header(username, password)
    if auth == "jwt":
        return TokenAuth(ClusterTokens(username, password, proof), _CHECK)
    return StaticAuth(proof, _CHECK)


_CHECK: Final = "Check the user name and the password"


def _parse_grant(body: Secret, path: str) -> tuple[Secret, float]:
    """Read the token that the cluster grants; its answer is never quoted."""
    try:
        token = Secret(decode_struct(body.reveal().encode(), TokenReply).access_token)
    except ValueError:
        token = Secret("")
    if not _is_token(token):
        raise UnreadableReply("POST", path, problem="there is no access_token in it")
    return _token_header(token), _token_lifetime(token) or _TTL


def _token_header(token: Secret) -> Secret:
    """Return the header for a token; one that brings its scheme along keeps it."""
    return token if " " in token.reveal() else Secret(f"JWT {token.reveal()}")


def _token_lifetime(token: Secret) -> float | None:
    """Return the seconds from a token's issue to its end, if it tells them. No clock is asked."""
    try:
        _, claims, _ = token.reveal().rpartition(" ")[2].split(".")
        told = decode_struct(
            base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), TokenClaims
        )
    except ValueError:  # a binascii.Error is one
        return None
    life = told.exp - told.iat
    return life if 0 < life < math.inf else None


def _is_token(token: Secret) -> bool:
    return isinstance(token.reveal(), str) and _TOKEN.fullmatch(token.reveal()) is not None


def _is_encodable(text: str) -> bool:
    return isinstance(text, str) and not _SURROGATE.search(text)


def _redacted(proof: Secret, body: bytes) -> bytes:
    _, _, text = proof.reveal().partition(" ")
    return body if len(text) < _SHORTEST else body.replace(text.encode(), b"***")
