"""Secrets in the body of a call, and in the answer to it: found, masked, and left out.

Airflow masks the values of fields such as `password`. The API has other names for its secrets, and
a body may be text, which Airflow does not look into.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Final, cast

from airflow.sdk.log import mask_secret


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# `authentication_redis_pass`, `secret_access_key`, `access_key_id`, `credentials` ...
_SECRET_NAME: Final = re.compile(
    r"authorization|credential|key(?:$|_id)|^license$|pass|private|pwd|secret|token", re.IGNORECASE
)
_URL_PASSWORD: Final = re.compile(
    r"(://[^/\s:@\"]*:)([^\s\"'<>]+)(?=@)"
)  # sftp://user:password@host
_TEXT_FIELD: Final = re.compile(r'"([^"\\]+)"\s*:\s*"((?:[^"\\]|\\.)+)"')  # in text that is no JSON
_HIDDEN: Final = "***"


def mask(values: Iterable[object]) -> None:
    """Tell Airflow to hide the secrets in values in all logs and rendered fields."""
    for secret in dict.fromkeys(secret for value in values for secret in secrets_in(value)):
        mask_secret(secret)


def secrets_in(value: object) -> Iterator[str]:
    """Yield the secrets in decoded JSON, in text that may be JSON, and in URLs."""
    if isinstance(value, str):
        yield from (found[2] for found in _URL_PASSWORD.finditer(value))
        yield from _secrets_in_text(value)
    elif isinstance(value, dict):
        for name, each in cast("dict[object, object]", value).items():
            yield from _texts_in(each) if _is_secret(name) else secrets_in(each)
    elif isinstance(value, (list, tuple)):
        for each in cast("list[object]", value):
            yield from secrets_in(each)


def without_secrets(value: object) -> object:
    """Return a copy of decoded JSON without the values of secret fields and passwords in URLs."""
    if isinstance(value, str):
        return _URL_PASSWORD.sub(rf"\1{_HIDDEN}", value)
    if isinstance(value, list):
        return [without_secrets(each) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, object]", value)
    return {
        name: _HIDDEN if each and _is_secret(name) else without_secrets(each)
        for name, each in fields.items()
    }


def _is_secret(name: object) -> bool:
    return _SECRET_NAME.search(str(name)) is not None


def _secrets_in_text(text: str) -> Iterator[str]:
    """Yield the secrets of JSON, decoded and as the text has them."""
    for name, secret in _TEXT_FIELD.findall(text):
        if _is_secret(name):
            yield secret
    if text.lstrip().startswith(("{", "[")):
        with contextlib.suppress(ValueError):
            yield from secrets_in(json.loads(text))


def _texts_in(value: object) -> Iterator[str]:
    """Yield all texts in the value of a secret field."""
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _texts_in(each)
    elif isinstance(value, (list, tuple)):
        for each in cast("list[object]", value):
            yield from _texts_in(each)
