"""Error bodies and HTTP statuses of the API, and the exceptions that they become."""

from __future__ import annotations

import email.utils
import html
import re
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._model.errors import (
    AuthenticationError,
    ClusterUnreachable,
    RequestError,
    RequestRejected,
    UnreadableReply,
)
from redis_enterprise_actions._model.text import one_line, shortened

from .lenient_json import decode
from .reasons import read_reason, without_secret_fields


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAX_EXCERPT: Final = 200  # characters of a body that an error quotes
_MAX_SEARCHED: Final = 2**16  # bytes of a body
FOREIGN_404: Final = "a 404 that is not the REST API's"
USE_API: Final = "Use the URL of the REST API itself (port 9443), not that of a proxy or the UI"
USE_HTTPS: Final = "Begin the URL with https://"
_PLAIN_TO_TLS: Final = b"plain HTTP request was sent to HTTPS port"  # as nginx says it
_HOST: Final = re.compile(r"(https?)://(?:[^/?#]*@)?([^/?#@]+)", re.IGNORECASE)


def error_code_of(body: bytes) -> str | None:
    """Return the `error_code` of an error body, or None where it has none."""
    return read_reason(body)[0]


class _ApiError(msgspec.Struct):
    """Fields that distinguish an error body of the API from a proxy's."""

    error_code: object = None
    title: object = None
    status: object = None


def is_api_error(body: bytes) -> bool:
    """Return True if an error body comes from the API, not from a proxy.

    The API's have a textual `error_code`, or, as problem+json, `title` and `status`.
    """
    wire = _api_error(body)
    is_problem = isinstance(wire.title, str) and isinstance(wire.status, int | str)
    return is_problem or has_error_code(body)


def has_error_code(body: bytes) -> bool:
    """Return True if an error body has an `error_code` that is text."""
    code = _api_error(body).error_code
    return isinstance(code, str) and bool(code.strip())


def _api_error(body: bytes) -> _ApiError:
    try:
        return decode(body, _ApiError)
    except ValueError:
        return _ApiError()


def unreadable_reply(
    path: str, problem: object, body: bytes, *, method: str = "GET"
) -> UnreadableReply:
    """Return the error for an unusable answer. Its `excerpt` is the beginning of the body.

    A web page is the answer of another server, as from the port of the UI.
    """
    advice = USE_API if body.lstrip().startswith(b"<") else None
    return UnreadableReply(
        method, path, problem=str(problem), excerpt=_excerpt(body), advice=advice
    )


def foreign_404(
    path: str, body: bytes = b"", *, method: str = "GET", status: int = 404
) -> UnreadableReply:
    """Return the error for a 404 or 405 that is not the API's, with the beginning of `body`.

    The API has not executed the request.
    """
    problem = FOREIGN_404.replace("404", str(status))
    return UnreadableReply(
        method, path, problem=problem, excerpt=_excerpt(body), sent=False, advice=USE_API
    )


def error_for(
    method: str,
    path: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    permission: str | None,
    check: str = "Check the credentials",
    hint: str | None = None,
    quoted: bool = True,
    redact: Callable[[str | None], str | None] | None = None,
) -> RequestError | None:
    """Return the error for an HTTP status, or None for 2xx and for 404.

    The meaning of a 404 depends on the route, so the caller decides about it. The message of a 403
    names `permission`, which the vendor's page for the route requires, and that of a 401 ends in
    `check`; `hint` takes the place of such advice. Without `quoted`, the error has the body's
    `error_code` only. `redact` takes secrets out of the cluster's words.
    """
    if 200 <= status < 300 or status == 404:
        return None
    code, description = read_reason(body)
    if not quoted:
        description = None
    if redact is not None:
        code, description = redact(code), redact(description)
    if is_retryable(status):
        return ClusterUnreachable(
            method,
            path,
            reason=": ".join(filter(None, (f"it answered {status}", code, description))),
            status=status,
            error_code=code,
            retry_after=retry_after(headers),
        )
    kind = AuthenticationError if status in {401, 403} else RequestRejected
    advice = USE_HTTPS if status == 400 and _PLAIN_TO_TLS in body[:_MAX_SEARCHED] else None
    return kind(
        method,
        path,
        status=status,
        error_code=code,
        description=description,
        hint=hint or advice or _hint(status, headers, permission, check),
        retry_after=retry_after(headers),
        advice=advice,
    )


def is_retryable(status: int) -> bool:
    """Return True if the client may repeat a request that was answered with this status."""
    return status in {408, 429} or (status >= 500 and status not in {501, 505})


def _excerpt(body: bytes) -> str:
    text = html.unescape(body[: 4 * _MAX_EXCERPT].decode("utf-8-sig", "replace"))
    return one_line(without_secret_fields(text)).strip()[:_MAX_EXCERPT]


def _hint(
    status: int, headers: Mapping[str, str], permission: str | None, check: str
) -> str | None:
    if status == 401:
        return check
    if status == 403 and permission is not None:
        return f"The user's role needs the permission {permission}"
    if status not in {301, 302, 303, 307, 308}:
        return None
    target = _HOST.match(headers.get("Location", ""))
    place = "another place"
    if target:
        place = shortened(one_line(f"{target[1]}://{target[2]}"))
    if status not in {307, 308}:
        return f"It redirects to {place}: use the URL of the REST API itself (port 9443)"
    return (
        f"It redirects to {place}, and credentials go to the configured nodes only: if that is one "
        "of the cluster's, add its URL (REDIS_ENTERPRISE_URL) or its host to trusted_hosts= "
        "(REDIS_ENTERPRISE_TRUSTED_HOSTS), or turn on the cluster setting handle_redirects"
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return Retry-After in seconds; a date counts from the `Date` of the same answer."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        until = email.utils.parsedate_to_datetime(value)
        now = email.utils.parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (OverflowError, TypeError, ValueError):
        return None
