"""Reader of capture files: requests to a cluster and its answers, as `client.capture` writes them.

The format has a version, `v`. Within a version fields and words may be added, so that
unknown ones are ignored; nothing else may change.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from redis_enterprise_actions.testing.settings import MAX_NODES


VERSION: Final = 1
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_WHERE: Final = " - at `"  # of msgspec's messages, before the field
# Any other header would be one of the connection, which this server makes itself.
PLAYED_HEADERS: Final = frozenset({
    *("content-type", "date", "location", "retry-after", "www-authenticate"),
})  # fmt: skip
_HEADER_VALUE: Final = re.compile(r"[\t -~]*")

_FAILURES: Final = frozenset({
    *("refused", "reset", "timeout", "truncated", "too large", "tls", "other", "cancelled"),
})  # fmt: skip
_Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1e9)]


class CaptureError(ValueError):
    """A capture file that cannot be read, or is none.

    `path` is that of the file, and `field` the field at fault, such as `$.exchanges[3].status`; it
    is empty if the file as a whole is.
    """

    def __init__(self, path: str, field: str, problem: str) -> None:
        place = f"{path}: {field}" if field else path
        super().__init__(f"{place}: {problem}")
        self.path = path
        self.field = field
        self._problem = problem

    def __reduce__(self) -> tuple[type[CaptureError], tuple[str, str, str]]:
        return type(self), (self.path, self.field, self._problem)


class RecordedExchange(Struct, frozen=True, kw_only=True):
    """A request of a capture, with its answer or its failure.

    - `at`: seconds since the capture began when the request was sent.
    - `took`: seconds until the answer, or the failure.
    - `node`: number of the node that was asked, from 1.
    - `method`, `path`: the request; `path` has the query.
    - `auth`: "none", "basic", "token" or "certificate".
    - `status`: that of the answer, or None without an answer.
    - `failure`: None with an answer; otherwise "refused" (there was no connection), "reset" (it was
      lost before the answer), "timeout", "truncated" (it was lost within the body), "too large",
      "tls", "other", or "cancelled" (the client stopped waiting).

    Within a version, words may be added: an unknown `failure` is "other", and `auth` is not used.
    """

    at: _Seconds
    took: _Seconds
    node: Annotated[int, Meta(ge=1)]
    method: Annotated[str, Meta(pattern=r"^[A-Z]{1,20}\Z")]
    path: Annotated[str, Meta(pattern=r"^/[!-~]*\Z")]
    auth: str
    status: Annotated[int, Meta(ge=200, le=999)] | None = None
    failure: str | None = None
    headers: dict[str, str] = {}
    sent: Raw | UnsetType = UNSET
    sent_text: str | UnsetType = UNSET
    json: Raw | UnsetType = UNSET
    text: str | UnsetType = UNSET

    @property
    def is_answer(self) -> bool:
        """True if the cluster gave an answer."""
        return self.failure is None

    @property
    def is_ordinary(self) -> bool:
        """True for an answer of success, or one that says that there is no such object."""
        return self.is_answer and (self.status == 404 or (self.status or 0) < 300)

    @property
    def is_unconnected(self) -> bool:
        """True if the request never reached the cluster."""
        return self.failure in {"refused", "tls"}


class Capture(Struct, frozen=True, kw_only=True):
    """Content of a capture file.

    `nodes` has the pseudonyms of the nodes' URLs, `exchanges` the requests in the order in which
    they were sent, and `unknown` the words that the client did not know, by the name of their
    field. `made_with` names the program that made the file, and its version.
    """

    v: int
    nodes: Annotated[list[str], Meta(min_length=1, max_length=MAX_NODES)]
    exchanges: list[RecordedExchange]
    made_with: str = ""
    unknown: dict[str, list[str]] = {}

    @property
    def seconds(self) -> float:
        """Time from the first request to the end of the last one."""
        if not self.exchanges:
            return 0.0
        return max(each.at + each.took for each in self.exchanges) - self.exchanges[0].at


class _Versioned(Struct):
    v: int


def read_capture(path: str | Path) -> Capture:
    """Return the content of a capture file. Raises `CaptureError`, and no other error."""
    name = str(path)
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CaptureError(name, "", f"it cannot be read: {reason}") from error
    try:
        data.decode()
        data = data.removeprefix(_BYTE_ORDER_MARK)
        version = msgspec.json.decode(data, type=_Versioned).v
        capture = msgspec.json.decode(data, type=Capture) if version == VERSION else None
    except msgspec.ValidationError as error:
        problem, _, field = str(error).partition(_WHERE)
        raise CaptureError(name, field.rstrip("`") or "$", problem) from None
    except UnicodeDecodeError as error:
        raise CaptureError(name, "", f"it is not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise CaptureError(name, "", "it is nested too deeply") from None
    except ValueError as error:
        raise CaptureError(name, "", f"it is not JSON: {error}") from None
    if capture is None:
        problem = f"version {version} is not one that this package reads, which is {VERSION}"
        if version > VERSION:
            problem = f"version {version} is newer than this package, which reads {VERSION}"
        raise CaptureError(name, "$.v", problem)
    for field, problem in _faults(capture):
        raise CaptureError(name, field, problem)
    exchanges = sorted(map(_in_known_words, capture.exchanges), key=lambda each: each.at)
    return msgspec.structs.replace(capture, exchanges=exchanges)


def _in_known_words(exchange: RecordedExchange) -> RecordedExchange:
    if exchange.failure is None or exchange.failure in _FAILURES:
        return exchange
    return msgspec.structs.replace(exchange, failure="other")


def _faults(capture: Capture) -> list[tuple[str, str]]:
    """Return the faults of a capture whose fields have the right types: fields, and problems."""
    found: list[tuple[str, str]] = []
    for number, url in enumerate(capture.nodes):
        if not _is_url(url):
            found.append((f"$.nodes[{number}]", f"{url!r:.100} is not the URL of a node"))
        elif url in capture.nodes[:number]:
            found.append((f"$.nodes[{number}]", f"{url} is there twice"))
    for number, exchange in enumerate(capture.exchanges):
        place = f"$.exchanges[{number}]"
        if exchange.node > len(capture.nodes):
            count = f"{exchange.node} is more than the number of nodes, {len(capture.nodes)}"
            found.append((f"{place}.node", count))
        found += [(f"{place}{field}", problem) for field, problem in _faults_of(exchange)]
    return found


def _faults_of(exchange: RecordedExchange) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if (exchange.status is None) == (exchange.failure is None):
        how = "neither" if exchange.status is None else "both"
        found.append((".status", f"an exchange has a status or a failure, and this has {how}"))
    for name, value in exchange.headers.items():
        if name.lower() in PLAYED_HEADERS and not _HEADER_VALUE.fullmatch(value):
            found.append((f".headers.{name}", "the value of a header is printable ASCII"))
    for name, other in (("json", "text"), ("sent", "sent_text")):
        if getattr(exchange, name) is not UNSET and getattr(exchange, other) is not UNSET:
            found.append((f".{name}", f"there is {other}, too"))
    has_body = exchange.json is not UNSET or exchange.text is not UNSET
    if exchange.failure is not None and has_body:
        found.append((".failure", "an exchange with a body has none"))
    return found


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    extra = parts.query or parts.fragment or "@" in parts.netloc or url.endswith("/")
    is_printable = re.fullmatch("[!-~]+", url) is not None
    return parts.scheme in {"http", "https"} and has_host and is_printable and not extra
