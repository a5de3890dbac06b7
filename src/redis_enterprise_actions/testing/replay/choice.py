"""Choice of the recorded exchange that answers a request, and of the times when nodes are down."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .capture_file import RecordedExchange

_EARLY: Final = 1.0  # seconds by which an answer may be given before its time
_LATE: Final = 1.0  # seconds after which an answer is superseded by the next one
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Calls that change nothing, and are repeated whenever a client needs a token.
_LOGINS: Final = ("/v1/users/authorize", "/v1/users/refresh_jwt")


class RequestKey(NamedTuple):
    """The parts of a request that an exchange has to equal; the order of the query is none."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]

    @property
    def is_call(self) -> bool:
        """True if the request may change something."""
        return self.method not in _READS and self.path not in _LOGINS


def request_key(method: str, path: str) -> RequestKey:
    """Return the key of a request, whose path is quoted, with its query."""
    path, _, query = path.partition("?")
    return RequestKey(
        method, unquote(path), tuple(sorted(parse_qsl(query, keep_blank_values=True)))
    )


@dataclass(slots=True)
class _Track:
    """Exchanges of one node for the same request."""

    left: list[RecordedExchange] = field(default_factory=list["RecordedExchange"])
    given: list[RecordedExchange] = field(default_factory=list["RecordedExchange"])

    @property
    def has_ordinary(self) -> bool:
        return any(each.is_ordinary for each in (*self.left, *self.given))

    def read(self, at: float, skipped: list[RecordedExchange]) -> RecordedExchange:
        """Return the answer to a request that only reads, at a time of the capture."""
        left = self.left
        while len(left) > 1 and _is_superseded(left[0], left[1], at):
            skipped.append(left.pop(0))
        if not left:
            return self._repeated()
        is_due = left[0].at <= at + _EARLY
        if is_due or not (self.given and self.given[-1].is_answer):
            return self._give(0)
        return self.given[-1]

    def call(self, at: float, body: bytes, skipped: list[RecordedExchange]) -> RecordedExchange:
        """Return the answer to a request that may change something.

        It is the next one, whenever it was recorded: a caller decides when it calls. One with the
        same body comes first; but as a capture has pseudonyms, a body need not be the same.
        """
        if not self.left:
            return self._repeated()
        same = [each for each in self.left if _has_body(each, body)] or list(self.left)
        while len(same) > 1 and _is_refusal(same[0]) and same[1].at <= at - _LATE:
            skipped.append(same[0])
            self.left.remove(same.pop(0))
        return self._give(self.left.index(same[0]))

    def _give(self, index: int) -> RecordedExchange:
        exchange = self.left.pop(index)
        self.given.append(exchange)
        return exchange

    def _repeated(self) -> RecordedExchange:
        """Return the last answer; after a failure, the last ordinary one, if there is one."""
        last = self.given[-1]
        if last.is_ordinary:
            return last
        ordinary = (each for each in reversed(self.given) if each.is_ordinary)
        return next(ordinary, last)


def _is_superseded(first: RecordedExchange, second: RecordedExchange, at: float) -> bool:
    """Return True if the second of two exchanges is the one to play.

    A request that was cancelled need not have arrived, so that the nearer one is played.
    """
    if first.failure == "cancelled" and abs(second.at - at) < abs(first.at - at):
        return True
    return second.at <= at - _LATE


def _is_refusal(exchange: RecordedExchange) -> bool:
    """Return True if the cluster has certainly not executed a call."""
    return exchange.is_answer and (exchange.status or 0) >= 300


def _has_body(exchange: RecordedExchange, body: bytes) -> bool:
    """Return True if a call was recorded with this body."""
    if isinstance(exchange.sent_text, str):
        return exchange.sent_text.encode("utf-8", "replace") == body
    sent = bytes(exchange.sent) if isinstance(exchange.sent, msgspec.Raw) else b""
    if not (sent and body):
        return sent == body
    try:
        return msgspec.json.decode(sent) == msgspec.json.decode(body)  # type: ignore[no-any-return]
    except (ValueError, RecursionError):
        return False


class Recording:
    """The exchanges of a capture, and which of them were given as answers.

    A request that the capture has for other nodes only is answered as one of those has answered,
    as another client may ask another node.
    """

    def __init__(self, exchanges: Iterable[RecordedExchange]) -> None:
        self._tracks: dict[RequestKey, dict[int, _Track]] = defaultdict(dict)
        for exchange in exchanges:
            if not exchange.is_unconnected:
                nodes = self._tracks[request_key(exchange.method, exchange.path)]
                nodes.setdefault(exchange.node, _Track()).left.append(exchange)
        self._skipped: list[RecordedExchange] = []

    def answer(
        self, key: RequestKey, node: int, at: float, body: bytes = b""
    ) -> RecordedExchange | None:
        """Return the exchange that answers a request, or None if there is none.

        `at` is the time of the capture.
        """
        nodes = self._tracks.get(key)
        if nodes is None:
            return None
        track = nodes.get(node)
        if track is None:
            track = next((each for each in nodes.values() if each.has_ordinary), None)
        if track is None:
            track = next(iter(nodes.values()))
        if key.is_call:
            return track.call(at, body, self._skipped)
        return track.read(at, self._skipped)

    @property
    def unplayed(self) -> list[RecordedExchange]:
        """Exchanges that were not given as an answer, in their order."""
        tracks = [track for nodes in self._tracks.values() for track in nodes.values()]
        left = [*self._skipped, *(each for track in tracks for each in track.left)]
        return sorted(left, key=lambda each: each.at)


class Switch(NamedTuple):
    """Moment at which a node begins to refuse connections, or to accept them again."""

    at: float
    node: int
    is_up: bool


def switches(exchanges: Sequence[RecordedExchange]) -> list[Switch]:
    """Return when nodes were down, in the order of time.

    A node changes halfway between the last request that shows the one and the first that shows the
    other. The first switch of a node that was down from the beginning is at minus infinity.
    """
    found: list[Switch] = []
    for node in {each.node for each in exchanges}:
        asked = [each for each in exchanges if each.node == node]
        if asked[0].is_unconnected:
            found.append(Switch(-float("inf"), node, is_up=False))
        found += [
            Switch((before.at + after.at) / 2, node, is_up=before.is_unconnected)
            for before, after in pairwise(asked)
            if before.is_unconnected != after.is_unconnected
        ]
    return sorted(found)
