"""Redaction: secrets in bodies, and texts of the cluster without such secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from redis_enterprise_actions._client.wire.reasons import SECRET_KEYS
from redis_enterprise_actions._model.secret import Secret


if TYPE_CHECKING:
    from collections.abc import Iterable


_V = TypeVar("_V")

_MIN_REDACTED: Final = 8  # characters; a shorter text may be in a body by chance
_URL_PASSWORD: Final = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")  # sftp://user:password@host
_MIN_SECRET_LENGTH: Final = 4  # characters; shorter texts occur in ordinary words


def as_secret(value: str | _V) -> Secret | _V:
    """Return a text as a secret, and None or a function unchanged."""
    return value if value is None or callable(value) else Secret(cast("str", value))


def credentials_of(header: Secret) -> bytes:
    """Return the credentials of a header, which a body must not show, or `b""` if they are short.

    A server may send them back.
    """
    credentials = header.reveal().partition(" ")[2].encode()
    return credentials if len(credentials) >= _MIN_REDACTED else b""


def without_secrets(secrets: Iterable[Secret], text: str | None) -> str | None:
    """Return a text of the cluster without the secrets that were in the body of a call.

    The text may quote JSON, in which a secret is escaped.
    """
    for secret in secrets:
        escaped = msgspec.json.encode(secret.reveal()).decode()[1:-1]
        text = text and text.replace(escaped, "***").replace(secret.reveal(), "***")
    return text


def secrets_in(json: object) -> tuple[Secret, ...]:
    """Return the secrets in the body of a call, the longest first, as one may be part of another.

    They are the texts and numbers under keys such as "password" or "license", and passwords in
    URLs.
    """
    found: list[Secret] = []
    left: list[tuple[object, bool]] = [(json, False)]
    while left:  # no recursion: a body may be nested deeper than Python's stack
        value, is_secret = left.pop()
        if is_secret and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str):
            texts = [value] if is_secret else _URL_PASSWORD.findall(value)
            found += [Secret(text) for text in texts if len(text) >= _MIN_SECRET_LENGTH]
        elif isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value).items()
            left += [(each, is_secret or bool(SECRET_KEYS.search(str(key)))) for key, each in items]
        elif isinstance(value, list | tuple):
            left += [(each, is_secret) for each in cast("list[object]", value)]
    return tuple(sorted(found, key=lambda secret: len(secret.reveal()), reverse=True))
