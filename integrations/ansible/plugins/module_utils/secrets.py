"""Secrets in the bodies of calls, which Ansible hides in all output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, unquote_plus


# Fields such as `authentication_redis_pass`, `password`, `secret_access_key` and `private_key`
_SECRET_FIELD = re.compile(
    r"pass(?!ive)|secret|token|private|(?:^|_)key(?:_|$)|authorization", re.IGNORECASE
)
_USER_IN_URL = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
_PARAMETER = re.compile(r"[?&;]([^=&;#]+)=([^&;#]*)")
_OPEN_HEADERS = frozenset(
    {"x-task-id", "x-result-ttl", "cluster-state-id", "content-type", "accept"}
)


def secrets_in(value: object, *, is_secret: bool = False) -> Iterator[str]:
    """Yield the texts under fields whose name is that of a secret, and the secrets in URLs."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            secret = _SECRET_FIELD.search(str(name)) is not None
            yield from secrets_in(each, is_secret=is_secret or secret)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from secrets_in(each, is_secret=is_secret)
    elif isinstance(value, str):
        if is_secret and value.strip():
            yield value
        yield from _secrets_in_url(value)
    elif is_secret and isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def _secrets_in_url(text: str) -> Iterator[str]:
    """Yield the password of a URL, and the secrets in its query, as they are and decoded."""
    for password in _USER_IN_URL.findall(text):
        yield from (password, unquote(password))
    for name, value in _PARAMETER.findall(text):
        if value and _SECRET_FIELD.search(unquote_plus(name)):
            yield from (value, unquote(value), unquote_plus(value))


def secrets_in_headers(headers: Mapping[str, object]) -> Iterator[str]:
    """Yield the values of all headers but those that are known to hold no secret."""
    for name, value in headers.items():
        text = str(value).strip()
        if text and name.strip().casefold() not in _OPEN_HEADERS:
            yield text
            scheme, _, credentials = text.partition(" ")
            if credentials and scheme:
                yield credentials.strip()


def without_secrets(value: object) -> object:
    """Return a value without the texts that `secrets_in` yields for it."""
    if isinstance(value, Mapping):
        return {
            name: None if _SECRET_FIELD.search(str(name)) else without_secrets(each)
            for name, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_secrets(each) for each in value]
    if isinstance(value, str):
        for secret in sorted(set(secrets_in(value)), key=len, reverse=True):
            value = value.replace(secret, "")
    return value


def without_secret_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without the values that are secrets."""
    return {
        name: value if name.strip().casefold() in _OPEN_HEADERS else ""
        for name, value in headers.items()
    }
