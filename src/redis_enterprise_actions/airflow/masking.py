"""Secrets in the body of a call, and in the answer to it: found, masked, and left out.

Airflow masks the values of fields such as `password`. The API has other names for its secrets, and
a body may be text, which Airflow does not look into.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
from typing import TYPE_CHECKING, Final, cast

from airflow.sdk.log import mask_secret


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The last word of a field's name: `authentication_redis_pass`, `secret_access_key`,
# `access_key_id`, `credentials`, `refresh_token` ...
_SECRET_NAME: Final = re.compile(
    r"(?:authorization|credentials?|keys?|key_id|^license|pass(?:code|phrase|wd|words?)?"
    r"|password_hash|pwd|secrets?|tokens?)\d*$",
    re.IGNORECASE,
)
# Values that are no secrets, and words that would be hidden in every log
_ORDINARY: Final = frozenset({
    *("true", "false", "none", "null", "yes", "no", "on", "off", "default", "disabled", "enabled"),
})  # fmt: skip
_URL_PASSWORD: Final = re.compile(
    r"(://[^/\s:@\"]*:)([^\s\"'<>]+)(?=@)"
)  # sftp://user:password@host
# A name and its value in text that may be JSON, Python or YAML: in quotes of either kind, or bare
_TEXT_FIELD: Final = re.compile(
    r"""(["']?)(?P<name>[\w.-]+)\1\s*[:=]\s*"""
    r"""(?:"(?P<double>(?:[^"\\]|\\.)+)"|'(?P<single>(?:[^'\\]|\\.)+)'|(?P<bare>[^\s"',(){}\[\]][^\n,}\]]*))"""
)
_HIDDEN: Final = "***"


def mask(values: Iterable[object]) -> None:
    """Tell Airflow to hide the secrets in values in all logs and rendered fields."""
    for secret in dict.fromkeys(secret for value in values for secret in secrets_in(value)):
        mask_secret(secret)


def secrets_in(value: object) -> Iterator[str]:
    """Yield the secrets in decoded JSON, in text that may be JSON, and in URLs."""
    return (secret for secret in _found_in(value) if secret.casefold() not in _ORDINARY)


def _found_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from (found[2] for found in _URL_PASSWORD.finditer(value))
        yield from _found_in_text(value)
    elif isinstance(value, dict):
        for name, each in cast("dict[object, object]", value).items():
            yield from _texts_in(each) if _is_secret(name) else _found_in(each)
    elif isinstance(value, (list, tuple)):
        for each in cast("list[object]", value):
            yield from _found_in(each)


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


def _found_in_text(text: str) -> Iterator[str]:
    """Yield the secrets of text, decoded and as the text has them.

    Text with secrets that is neither JSON nor Python is a secret as a whole, too.
    """
    fields = [found for found in _TEXT_FIELD.finditer(text) if _is_secret(found["name"])]
    for field in fields:
        yield (field["double"] or field["single"] or field["bare"]).strip()
    if text.lstrip().startswith(("{", "[")):
        for decode in (json.loads, ast.literal_eval):
            with contextlib.suppress(
                ValueError, SyntaxError, TypeError, MemoryError, RecursionError
            ):
                yield from _found_in(decode(text))
                return
    if fields:
        yield text


def _texts_in(value: object) -> Iterator[str]:
    """Yield all texts and numbers in the value of a secret field, as text."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
        yield str(value)
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _texts_in(each)
    elif isinstance(value, (list, tuple)):
        for each in cast("list[object]", value):
            yield from _texts_in(each)
