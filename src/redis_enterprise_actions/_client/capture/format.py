"""Format of a capture: the exchanges as they are recorded, and as the file has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from redis_enterprise_actions._client.wire.error_body import retry_after

from .json_text import JsonReplacer
from .pseudonyms import Pseudonyms, quoted


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Failure = Literal[
    "refused", "reset", "timeout", "truncated", "too large", "tls", "other", "cancelled"
]
Auth = Literal["none", "basic", "token", "certificate"]
_Seconds = Annotated[float, Meta(ge=0, le=1e9)]

_BEGIN_INDENT: Final = "      "  # of the fields of an exchange
_DEPTH: Final = 3  # steps of indentation of the fields of an exchange
_MARK: Final = "\ufeff"  # byte order mark
_CONTENT_TYPES: Final = frozenset({
    "application/json", "application/problem+json", "application/octet-stream",
    "text/html", "text/plain", "text/xml", "application/xml",
})  # fmt: skip
_CONTENT_TYPE: Final = re.compile(
    r"\s*([\w.+/-]+)\s*(?:;\s*charset=\"?(utf-8)\"?\s*)?.*", re.IGNORECASE | re.DOTALL
)
_SCHEMES: Final = {each.casefold(): each for each in ("Basic", "Bearer", "Digest", "JWT")}


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and the answer to it or the reason why there is none.

    `at` is the time when the request was sent, in seconds since the capture began, and `took` the
    seconds until the answer was read, or the failure. `node` is the place in `nodes`, from 1 on.
    `path` is quoted, and has the query. `auth` is the kind of credentials. `sent` is the body of
    the request, or `sent_text` if that is not JSON. An answer has a `status` and `headers`, and
    `json`, or `text` for a body that is not strict JSON, or neither for an empty body. Otherwise
    `failure` says why there is none:

    - refused: there was no connection
    - reset: the connection was lost before the answer
    - timeout: there was no answer in time
    - truncated: the connection was lost within the body
    - too large: the body is larger than the client reads
    - tls: the node or its certificate was not accepted, or did not accept the client's
    - cancelled: the client stopped waiting
    - other: anything else, such as an answer that is not HTTP
    """

    at: _Seconds
    took: _Seconds
    node: Annotated[int, Meta(ge=1)]
    method: Annotated[str, Meta(pattern="^[A-Z]{1,20}$")]
    path: Annotated[str, Meta(pattern="^/[!-~]*$")]
    auth: Auth
    sent: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    sent_text: str | msgspec.UnsetType = msgspec.UNSET
    status: Annotated[int, Meta(ge=200, le=999)] | msgspec.UnsetType = msgspec.UNSET
    headers: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    json: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    text: str | msgspec.UnsetType = msgspec.UNSET
    failure: Failure | msgspec.UnsetType = msgspec.UNSET


class CaptureFile(msgspec.Struct, frozen=True, kw_only=True):
    """A capture: what a client asked a cluster, and what it answered, with values replaced.

    `v` is the version of the format, and `made_with` that of the package. `unknown` has the words
    that passed although the client does not know them, by field, and `unknown_fields` the names of
    fields that it does not know. `nodes` are the pseudonyms of the client's URLs, and of those that
    redirects led to. The exchanges are in the order in which they ended.
    """

    v: Literal[1]
    made_with: str
    unknown: dict[str, list[str]]
    unknown_fields: list[str]
    nodes: Annotated[list[str], Meta(min_length=1, max_length=100)]
    exchanges: list[Exchange]


class Seen(NamedTuple):
    """Exchange as the client saw it, with secrets. It must never be shown.

    `sent` is the body as text, or as bytes if it is not JSON.
    """

    at: float
    took: float
    node: str
    method: str
    path: str
    query: str
    auth: Auth
    sent: str | bytes | None
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    failure: Failure | None

    @property
    def size(self) -> int:
        """Bytes of the bodies."""
        return len(self.body) + len(self.sent or b"")

    def __repr__(self) -> str:
        return f"<exchange with {self.size} bytes>"


class Writer:
    """Replacement of the values of exchanges, and their text in the file."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self._names = Pseudonyms()
        self._json = JsonReplacer(self._names)
        for node in nodes:
            self._names.node(node)

    def exchange(self, seen: Seen) -> Iterator[str]:
        """Yield the text of an exchange in parts."""
        names = self._names
        fields: dict[str, str | list[str]] = {
            "at": f"{seen.at:.3f}",
            "took": f"{seen.took:.3f}",
            "node": str(names.node(seen.node)),
            "method": quoted(seen.method),
            "path": quoted(names.path(seen.path) + names.query(seen.query)),
            "auth": quoted(seen.auth),
        }
        if seen.sent is not None:
            fields |= self._body(seen.sent, "sent", "sent_text")
        if seen.failure is not None:
            fields["failure"] = quoted(seen.failure)
        else:
            headers = ", ".join(
                f"{quoted(name)}: {quoted(value)}" for name, value in self._headers(seen.headers)
            )
            fields |= {"status": str(seen.status), "headers": f"{{{headers}}}"}
            if seen.body:
                fields |= self._body(seen.body, "json", "text")
        separator = "    {\n"
        for name, value in fields.items():
            yield f"{separator}{_BEGIN_INDENT}{quoted(name)}: "
            yield from [value] if isinstance(value, str) else value
            separator = ",\n"
        yield "\n    }"

    def stop(self) -> None:
        """Let an exchange that another thread is writing end soon, with a wrong text."""
        self._json.is_stopped = True

    def head(self, version: str) -> str:
        """Return the text before the exchanges."""
        unknown = {name: sorted(words) for name, words in sorted(self._names.unknown.items())}
        fields = {
            "v": 1,
            "made_with": f"redis-enterprise-actions {version}",
            "unknown": unknown,
            "unknown_fields": sorted(self._names.unknown_fields),
            "nodes": list(self._names.nodes),
        }
        text = msgspec.json.format(msgspec.json.encode(fields), indent=2).decode()
        return text.removesuffix("\n}") + ',\n  "exchanges": ['

    def _body(
        self, body: str | bytes, json_field: str, text_field: str
    ) -> dict[str, str | list[str]]:
        """Return the field of a body: JSON in parts, or text."""
        text, is_strict = _decoded(body)
        content = text.lstrip(_MARK)
        mark = text[: len(text) - len(content)]
        found = self._json.replace(content, _DEPTH, is_strict=is_strict and not mark)
        if found is None:
            return {text_field: quoted(self._names.body(text))}
        if found.is_strict:
            return {json_field: found.parts}
        return {text_field: quoted(mark + found.text)}

    def _headers(self, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the headers that a capture keeps."""
        found: list[tuple[str, str]] = []
        if "Content-Type" in headers:
            found.append(("Content-Type", _content_type(headers["Content-Type"])))
        date = self._names.http_date(headers.get("Date", ""))
        if date is not None:
            found.append(("Date", date))
        seconds = retry_after(headers)
        if seconds is not None:
            found.append(("Retry-After", f"{seconds:.0f}"))
        if "Location" in headers:
            found.append(("Location", self._names.location(headers["Location"])))
        if "WWW-Authenticate" in headers:
            scheme = headers["WWW-Authenticate"].strip().partition(" ")[0].casefold()
            found.append(("WWW-Authenticate", _SCHEMES.get(scheme, "Basic")))
        return found


def _decoded(body: str | bytes) -> tuple[str, bool]:
    """Return a body as text, and whether it is valid UTF-8."""
    if isinstance(body, str):
        return body, True
    try:
        return body.decode(), True
    except UnicodeDecodeError:
        return body.decode("utf-8", "replace"), False


def _content_type(header: str) -> str:
    """Return the type of a body, if it is one of those that are well-known."""
    match = _CONTENT_TYPE.fullmatch(header)
    if match is None or match[1].casefold() not in _CONTENT_TYPES:
        return "application/octet-stream"
    return match[1].casefold() + ("; charset=utf-8" if match[2] else "")
