"""JSON bodies that tell whether a database serves requests, and whether its sources are in sync.

Vendor pages: requests/bdbs/availability, objects/bdb, objects/bdb/replica_sources, objects/shard.
A source's `uri` may hold a password, so no finding names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._model.action import DATABASE_PHASES, Phase, phase_of
from redis_enterprise_actions._model.text import one_line, shortened

from .databases import WireDatabase, is_busy
from .error_body import error_code_of, unreadable_reply
from .lenient_json import TextOrInt, as_text, decode, decode_or_default, decode_struct
from .replies import entries_of


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_UNREADABLE: Final = "unreadable"
# objects/bdb/status: a database that has no endpoint yet, or none that works
_NOT_SERVING: Final = frozenset({"pending", "creation-failed", "recovery"})
_AVAILABLE: Final = 200
_FIRST_FAILURE: Final = 300  # of the HTTP statuses
_MAX_WORD: Final = 60  # characters of a word of the cluster
# objects/bdb, "replica_sync": the values with which no source is read
_NOT_SYNCING: Final = frozenset({"disabled", "paused", "stopped"})


class _Endpoint(msgspec.Struct):
    """An entry of a database's `endpoints`."""

    port: TextOrInt = None


class _Shard(msgspec.Struct):
    """An entry of GET /v1/bdbs/{uid}/shards."""

    uid: TextOrInt = None
    status: str = ""
    detailed_status: str = ""


class _Source(msgspec.Struct):
    """An entry of a database's `replica_sources`."""

    uid: TextOrInt = None
    status: str = ""


def availability_findings(status: int, body: bytes, path: str) -> list[str]:
    """Return what an answer of a check of availability says against a database.

    A success is a 200 without a body. Raises `UnreadableReply` for any other, as another server's.
    """
    if status >= _FIRST_FAILURE:
        return [_word(error_code_of(body) or f"status {status}")]
    if status != _AVAILABLE or body.strip():
        raise unreadable_reply(path, f"a {status} that is not the answer of a check", body)
    return []


def status_findings(wire: WireDatabase) -> list[str]:
    """Return what the status of a database says against its availability.

    A database that is being changed may well be available.
    """
    word = _word(wire.status)
    return [f"its status is {word}"] if word.casefold() in _NOT_SERVING else []


def object_findings(wire: WireDatabase, endpoints: msgspec.Raw, shards: bytes) -> list[str]:
    """Return what a database and its shards say against it, where the release has no check.

    Raises `ValueError` if the list of shards cannot be read.
    """
    findings: list[str] = []
    if phase_of(wire.status, DATABASE_PHASES) is not Phase.COMPLETED:
        findings.append(f"its status is {_word(wire.status)}")
    elif is_busy(wire):
        findings.append("it is busy")
    if not any(_has_port(raw) for raw in _entries(endpoints)):
        findings.append("it has no endpoint")
    raws = entries_of(shards, "shards")
    if not raws:
        findings.append("it has no shards")
    return [*findings, *_shard_findings(raws)]


def sync_findings(wire: WireDatabase) -> list[str] | None:
    """Return which Replica Of sources are not in sync; None if the database has no sources."""
    sources = _entries(wire.replica_sources)
    if not sources:
        return None
    findings: list[str] = []
    word = (wire.replica_sync or "").strip().casefold()
    if word in _NOT_SYNCING:
        findings.append(f"Replica Of is {word}")
    for place, raw in enumerate(sources, 1):
        try:
            source = decode_struct(raw, _Source)
        except ValueError:
            source = _Source(status=_UNREADABLE)
        if source.status.strip().casefold() != "in-sync":
            name = as_text(source.uid) or str(place)
            findings.append(f"source {_word(name)} is {_word(source.status) or 'without a status'}")
    return findings


def _shard_findings(raws: Sequence[msgspec.Raw]) -> Iterator[str]:
    for raw in raws:
        try:
            shard = decode_struct(raw, _Shard)
        except ValueError:
            shard = _Shard(status=_UNREADABLE)
        status, detail = (_word(word).casefold() for word in (shard.status, shard.detailed_status))
        if status != "active" or detail != "ok":
            words = [word for word in (status, detail) if word] or ["without a status"]
            yield f"shard {_word(as_text(shard.uid) or '?')} is {', '.join(words)}"


def _has_port(raw: msgspec.Raw) -> bool:
    return bool(as_text(decode_or_default(raw, _Endpoint).port))


def _entries(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the entries of an array; of anything else but nothing, one that is unreadable."""
    text = bytes(raw).strip()
    if not text or text == b"null":
        return []
    try:
        return decode(raw, list[msgspec.Raw])
    except ValueError:
        return [msgspec.Raw(b"null")]


def _word(text: str) -> str:
    return shortened(one_line(text).strip(), _MAX_WORD)
