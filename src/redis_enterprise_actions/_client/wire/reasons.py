"""Reasons of failures: the cluster's words about an error, in whatever form they come.

Error bodies, failed actions and failed databases give them as text, as an object with any of
several fields, as a list of either, as plain text or as HTML. A form that the client does not know
is quoted as JSON.
"""

from __future__ import annotations

import html
import re
from typing import Final, cast

import msgspec

from redis_enterprise_actions._model.text import one_line

from .lenient_json import decode


MAX_TEXT: Final = 2000  # characters of a code or a text
MAX_PAGE: Final = 400  # characters of the text of a page in HTML
_MAX_PARSED: Final = 2**16  # bytes of a body
_MAX_DEPTH: Final = 8  # of objects and lists within each other; deeper ones are quoted as JSON
# Fields with the text of an error, the most telling first. Real bodies have `description`, the
# documentation calls it `message`, problem+json (RFC 9457) has `detail` and `title`.
_TEXTS: Final = (
    *("description", "error_message", "message", "msg", "detail", "status_description"),
    *("error", "errors", "error_details", "title"),
)
_NOT_A_REASON: Final = frozenset({"error_code", "status", "type", "instance"})
_PAGE: Final = re.compile(r"<(?:!doctype|html|head|body|title|h[1-6]|p|pre|div)\b", re.IGNORECASE)
_MARKUP: Final = re.compile(
    r"<!--.*?(?:-->|$)|<(style|script|template)\b.*?(?:</\1\s*>|$)|<[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
# Names of fields whose values are secrets.
SECRET_KEYS: Final = re.compile("pass|secret|token|credential|private|key(?:$|_id)", re.IGNORECASE)
_JSON_FIELD: Final = re.compile(r'("((?:[^"\\]|\\.)*)"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|$)')


def read_reason(body: bytes | msgspec.Raw) -> tuple[str | None, str | None]:
    """Return the code and the text of an error: JSON, HTML, plain text, or empty."""
    text = bytes(body)[:_MAX_PARSED]
    try:
        return reason_in(decode(text, object))
    except ValueError:
        return None, _plain_text(text)


def reason_text(raw: msgspec.Raw) -> str | None:
    """Return the code and the text of an error as one text, or None."""
    if not raw:
        return None
    try:
        return decode(raw, str).strip()[:MAX_TEXT] or None  # the usual case
    except ValueError:
        return ": ".join(filter(None, read_reason(raw)))[:MAX_TEXT] or None


def read_json(raw: msgspec.Raw) -> object:
    """Decode a part of a body; return None if it is missing or cannot be read."""
    try:
        return decode(raw, object) if raw else None
    except ValueError:
        return None


def reason_in(value: object, depth: int = 0) -> tuple[str | None, str | None]:
    """Return the code and the text of an error, given as decoded JSON."""
    if not isinstance(value, dict):
        return None, _text_of(value, depth)
    fields = cast("dict[str, object]", value)
    code = fields.get("error_code")
    code_text = str(code).strip() if isinstance(code, str | int) else ""
    texts = (_text_of(fields.get(name), depth + 1) for name in _TEXTS)
    text = next(filter(None, texts), None)
    if text is None:
        left = {name: each for name, each in fields.items() if name not in _NOT_A_REASON}
        text = _quoted(left) if any(left.values()) else None
    return code_text[:MAX_TEXT] or None, text


def _text_of(value: object, depth: int) -> str | None:
    """Return the text of a field or an entry; None for one that says nothing."""
    if isinstance(value, str):
        return value.strip()[:MAX_TEXT] or None
    if not value or isinstance(value, bool):
        return None
    if depth > _MAX_DEPTH or not isinstance(value, list | dict):
        return _quoted(value)
    if isinstance(value, dict):
        texts = reason_in(cast("object", value), depth)
        return ": ".join(filter(None, texts))[:MAX_TEXT] or None
    entries = (_text_of(each, depth + 1) for each in cast("list[object]", value))
    return "; ".join(filter(None, entries))[:MAX_TEXT] or None


def _quoted(value: object) -> str:
    """Return a value as JSON, without the values of fields that may hold secrets."""
    try:
        return without_secret_fields(msgspec.json.encode(value).decode())[:MAX_TEXT]
    except RecursionError:
        return "(JSON that is nested too deeply)"


def without_secret_fields(text: str) -> str:
    """Return JSON, or text that has JSON in it, without the texts in fields that hold secrets."""
    return _JSON_FIELD.sub(
        lambda found: f'{found[1]}"***"' if SECRET_KEYS.search(found[2]) else found[0], text
    )


def _plain_text(body: bytes) -> str | None:
    """Return the text of a body that is not JSON; of a page in HTML, what a browser would show."""
    text, limit = body.decode("utf-8-sig", "replace"), MAX_TEXT
    if _PAGE.search(text):
        text, limit = html.unescape(_MARKUP.sub(" ", text)), MAX_PAGE
    return one_line(without_secret_fields(text)).strip()[:limit] or None
