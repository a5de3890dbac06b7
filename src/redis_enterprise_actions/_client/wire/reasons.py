"""Reasons of failures: the cluster's words about an error, in whatever form they come.

Error bodies, failed actions and failed databases give them as text, as an object with any of
several fields, as a list of either, as plain text or as HTML. A form that the client does not know
is quoted as JSON. Secrets are left out, and long texts are cut off.
"""

from __future__ import annotations

import html
import re
from itertools import islice
from typing import TYPE_CHECKING, Final, cast

import msgspec

from redis_enterprise_actions._model.text import one_line, shortened

from .lenient_json import decode


if TYPE_CHECKING:
    from collections.abc import Container, Iterable

MAX_TEXT: Final = 2000  # characters of a code or a text
MAX_PAGE: Final = 400  # characters of the text of a page in HTML
_MAX_PARSED: Final = 2**16  # bytes of JSON or HTML; of more, the beginning is quoted as plain text
_MAX_VALUES: Final = 200  # values that one error may have; the others are left out
_MAX_DEPTH: Final = 32  # of objects and lists within each other
_MAX_NAME: Final = 60  # characters of the name of a field
_LEFT_OUT: Final = "…"
_HIDDEN: Final = "***"
# Fields with the text of an error, the most telling first. Real bodies have `description`, the
# documentation calls it `message`, problem+json (RFC 9457) has `detail`.
_TEXTS: Final = (
    *("description", "error_message", "message", "msg", "reason", "failure_reason", "detail"),
    *("status_description", "error", "errors", "error_details"),
)
_TITLE: Final = "title"  # of problem+json: the name of the status
_NOT_A_REASON: Final = frozenset({"error_code", "status", "type", "instance", _TITLE})
_MAX_PAGE_BYTES: Final = 2**20
# A page begins with a tag, or has one of the first three anywhere.
_PAGE: Final = re.compile(
    r"<(?:!doctype|html|body)\b"
    r"|\A\s*<(?:!--|\?xml|(?:a|b|br|center|div|font|h[1-6]|head|hr|i|img|li|link|meta|ol|p|pre|script"
    r"|span|strong|style|table|title|tr|ul)\b)",
    re.IGNORECASE,
)
_MARKUP: Final = re.compile(
    r"<!--.*?(?:-->|$)|<(style|script|template)\b.*?(?:</\1\s*>|$)|<[^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
# Names of fields whose values are secrets.
SECRET_KEYS: Final = re.compile(
    "authorization|credential|key(?:$|_id)|^license$|pass|private|pwd|secret|token", re.IGNORECASE
)
_URL_PASSWORD: Final = re.compile(r"(:\\*/\\*/[^/\s:@]*):[^\s\"'<>]+@")  # sftp://user:password@host
# Names and values in JSON, or in the `repr` of a dict, that a text quotes; quotes may be escaped.
_QUOTE: Final = re.compile(r"(\\*)[\"']")
_NAME_IN_TEXT: Final = re.compile(
    r"\\*[\"']([^\"'\\]{1,60})\\*[\"']\s*:\s*(?:[bu](?=[\"']))?(?=[\"'\\\[{\w.+-])"
)
_WORD: Final = re.compile(r"[\w.+-]*")
# Fields that name another field, whose value is in one of the same object.
_NAMES: Final = ("name", "field", "parameter", "attribute", "key", "loc")
_VALUES: Final = frozenset({"value", "input", "old_value", "new_value"})


def read_reason(body: bytes | msgspec.Raw) -> tuple[str | None, str | None]:
    """Return the code and the text of an error: JSON, HTML, plain text, or empty."""
    data = bytes(body)
    try:
        if len(data) <= _MAX_PARSED:
            code, text = reason_in(decode(data, object))
            if text != _LEFT_OUT:
                return code, text
    except ValueError:
        pass
    return None, _plain_text(data)


def reason_text(raw: msgspec.Raw) -> str | None:
    """Return the code and the text of an error as one text, or None."""
    if not raw:
        return None
    try:
        return _bounded(_without_secrets(decode(raw, str)))  # the usual case
    except ValueError:
        return joined(read_reason(raw), ": ")


def reason_in(value: object) -> tuple[str | None, str | None]:
    """Return the code and the text of an error, given as decoded JSON."""
    return _reason_of(_cleaned(value, [_MAX_VALUES]))


def whole_reason(fields: dict[str, object]) -> str | None:
    """Return the texts of an object, and all its other fields, as one text; None without any."""
    others = {name: each for name, each in fields.items() if name not in _TEXTS}
    return joined([joined(reason_in(part), ": ") for part in (fields, others) if part], "; ")


def unknown_reason(raw: bytes | msgspec.Raw, known: Container[str]) -> str | None:
    """Return the reason in the fields of an object that are not `known`, and are no uids.

    An `error_code` that is no code counts as not known.
    """
    try:
        fields = decode(raw, dict[str, msgspec.Raw])
    except ValueError:
        return reason_text(msgspec.Raw(raw))
    unknown = {
        name: read_json(value)
        for name, value in islice(fields.items(), _MAX_VALUES)
        if name not in known and not name.endswith(("_uid", "_uids"))
    }
    code = read_json(fields.get("error_code", msgspec.Raw()))
    if isinstance(code, dict | list):
        unknown["error_code"] = code
    return joined(reason_in(unknown), ": ")


def read_json(raw: msgspec.Raw) -> object:
    """Decode a part of a body; return None if it is missing, too long, or cannot be read."""
    try:
        return decode(raw, object) if 0 < len(bytes(raw)) <= _MAX_PARSED else None
    except ValueError:
        return None


def joined(texts: Iterable[str | None], separator: str) -> str | None:
    """Return the texts that there are as one, or None."""
    return _bounded(separator.join(dict.fromkeys(filter(None, texts))))


def _bounded(text: str) -> str | None:
    return shortened(text.strip(), MAX_TEXT) or None


def _cleaned(value: object, left: list[int], depth: int = 0) -> object:
    """Return a copy of decoded JSON without secrets, and without what is too deep or too much.

    `left` has the number of values that may still be copied.
    """
    left[0] -= 1
    if left[0] < 0 or depth > _MAX_DEPTH:
        return _LEFT_OUT
    if isinstance(value, str):
        return _without_secrets(value)
    if isinstance(value, list):
        entries = cast("list[object]", value)[: left[0] + 1]
        return [_cleaned(each, left, depth + 1) for each in entries]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, object]", value)
    is_named = any(SECRET_KEYS.search(str(fields.get(name, ""))[:MAX_TEXT]) for name in _NAMES)
    first = {name: fields[name] for name in ("error_code", *_TEXTS, _TITLE) if name in fields}
    return {
        shortened(name): _HIDDEN
        if each and (SECRET_KEYS.search(name) or (is_named and name in _VALUES))
        else _cleaned(each, left, depth + 1)
        for name, each in islice((first | fields).items(), left[0] + 1)
    }


def _reason_of(value: object) -> tuple[str | None, str | None]:
    if not isinstance(value, dict):
        return None, _text_of(value)
    fields = cast("dict[str, object]", value)
    code = fields.get("error_code")
    has_code = isinstance(code, str | int) and not isinstance(code, bool)
    code_text = _bounded(str(code)) if has_code else None
    names = _TEXTS if has_code else (*_TEXTS, "error_code")
    text = joined([_text_of(fields.get(name)) for name in names], "; ")
    if text is None:
        rest = {name: each for name, each in fields.items() if name not in _NOT_A_REASON and each}
        text = joined([_text_of(fields.get(_TITLE)), _quoted(rest)], "; ")
    if text is None and code_text is None:
        text = _quoted({name: each for name, each in fields.items() if each})
    return code_text, text


def _text_of(value: object) -> str | None:
    """Return the text of a field or an entry; None for one that says nothing."""
    if isinstance(value, str):
        return _bounded(value)
    if isinstance(value, dict):
        return joined(_reason_of(cast("object", value)), ": ")
    if isinstance(value, list):
        return joined(map(_text_of, cast("list[object]", value)), "; ")
    return None if not value or isinstance(value, bool) else str(value)


def _quoted(fields: dict[str, object]) -> str | None:
    return _bounded(msgspec.json.encode(fields).decode()) if fields else None


def _plain_text(body: bytes) -> str | None:
    """Return the text of a body that is not JSON; of a page in HTML, what a browser would show."""
    text = body[:_MAX_PAGE_BYTES].decode("utf-8-sig", "replace")
    if _PAGE.search(text[:_MAX_PARSED]):
        shown = " ".join(_MARKUP.sub(" ", text).split())
        text = html.unescape(shown[: 4 * MAX_PAGE])
        return shortened(one_line(without_secret_fields(text)), MAX_PAGE) or None
    return _bounded(one_line(_without_secrets(text)))


def _without_secrets(text: str) -> str:
    """Return the beginning of a text without the secrets in URLs, and in JSON that it quotes."""
    return without_secret_fields(text.strip()[: 2 * MAX_TEXT])


def without_secret_fields(text: str) -> str:
    """Return text without passwords in URLs, and without secrets in the JSON that it quotes.

    Behind a name that speaks of a secret, a value that is a list or an object hides all the rest.
    """
    text = _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", text)
    names = list(_NAME_IN_TEXT.finditer(text))
    is_named = any(
        name[1] in _NAMES and SECRET_KEYS.search(text[name.end() : name.end() + _MAX_NAME])
        for name in names
    )
    pieces, shown = list[str](), 0
    for name in names:
        is_secret = SECRET_KEYS.search(name[1]) or (is_named and name[1] in _VALUES)
        if name.start() >= shown and is_secret:
            pieces += [text[shown : name.end()], f'"{_HIDDEN}"']
            shown = _end_of(text, name.end())
    return "".join([*pieces, text[shown:]])


def _end_of(text: str, begin: int) -> int:
    """Return the end of the value that begins at a place of quoted JSON."""
    if text[begin] in "[{":
        return len(text)
    opening = _QUOTE.match(text, begin)
    if opening is None:
        word = _WORD.match(text, begin)
        return begin if word is None else word.end()
    depth, quote = len(opening[1]), opening[0][-1]
    for closing in _QUOTE.finditer(text, opening.end()):
        escapes = len(closing[1])
        # A quote within the value has more backslashes, or, where there is none, an odd number.
        if closing[0][-1] == quote and (escapes <= depth if depth else escapes % 2 == 0):
            return closing.end()
    return len(text)
