"""Secrets in the bodies of calls, which Ansible hides in all output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote


# Fields such as `authentication_redis_pass`, `password`, `secret_access_key` and `private_key`
_SECRET_FIELD = re.compile(
    r"pass(?!ive)|secret|token|private|(?:^|_)key(?:_|$)|authorization", re.IGNORECASE
)
_USER_IN_URL = re.compile(r"://[^/\s:@]*:([^/\s@]+)@")
_OPEN_HEADERS = frozenset(
    {"x-task-id", "x-result-ttl", "cluster-state-id", "content-type", "accept"}
)


def secrets_in(value: object, *, is_secret: bool = False) -> Iterator[str]:
    """Yield the texts under fields whose name is that of a secret, and passwords in URLs."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            secret = _SECRET_FIELD.search(str(name)) is not None
            yield from secrets_in(each, is_secret=secret)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from secrets_in(each, is_secret=is_secret)
    elif isinstance(value, str):
        if is_secret and value.strip():
            yield value
        for password in _USER_IN_URL.findall(value):
            yield password
            yield unquote(password)
    elif is_secret and isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


def secrets_in_headers(headers: Mapping[str, object]) -> Iterator[str]:
    """Yield the values of all headers but those that are known to hold no secret."""
    for name, value in headers.items():
        text = str(value).strip()
        if text and name.strip().casefold() not in _OPEN_HEADERS:
            yield text
            scheme, _, credentials = text.partition(" ")
            if credentials and scheme:
                yield credentials.strip()
