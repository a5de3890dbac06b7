"""JSON bodies that `doctor` reads: nodes, their status, and the state of a bootstrap."""

from __future__ import annotations

from typing import Final

import msgspec

from redis_enterprise_actions._client.wire.lenient_json import (
    TextOrInt,
    as_text,
    decode,
    decode_struct,
)
from redis_enterprise_actions._model.text import one_line


_MAX_LENGTH: Final = 60  # characters of a version or a name


class WireNode(msgspec.Struct):
    """Node, in the list or in the status of nodes, where the role of the primary is `master`."""

    uid: TextOrInt = None
    software_version: str | None = None
    hostname: str | None = None
    role: str | None = None


class WireState(msgspec.Struct):
    """Status of a node's bootstrap."""

    state: str = "unknown"


class WireBootstrap(msgspec.Struct):
    """Answer to GET /v1/bootstrap."""

    bootstrap_status: WireState | None = None


def lists_nodes(body: bytes) -> bool:
    """Return True if a body is a list of nodes, of which at least one has a uid."""
    return any((as_text(node.uid) or "").isdecimal() for node in _read_nodes(body))


def software_versions(body: bytes) -> list[str]:
    """Return the distinct versions in a list of nodes; none for any other body."""
    versions = (node.software_version for node in _read_nodes(body))
    return sorted({_shorten(version) for version in versions if version})


def primary_node(body: bytes) -> str | None:
    """Return the primary in the status of the nodes as `node 2 (its host)`, or None."""
    try:
        entries = decode(body, dict[str, msgspec.Raw])
    except ValueError:
        return None
    for uid, raw in entries.items():
        node = _read_node(raw)
        if node is not None and node.role == "master":
            host = _shorten(node.hostname or "")
            return f"node {_shorten(uid)}" + (f" ({host})" if host else "")
    return None


def bootstrap_state(body: bytes) -> str | None:
    """Return the state of a node's bootstrap, or None for any other body."""
    try:
        status = decode_struct(body, WireBootstrap).bootstrap_status
    except ValueError:
        return None
    return None if status is None else _shorten(status.state)


def _read_nodes(body: bytes) -> list[WireNode]:
    try:
        entries = decode(body, list[msgspec.Raw])
    except ValueError:
        return []
    return [node for node in map(_read_node, entries) if node is not None]


def _read_node(raw: msgspec.Raw) -> WireNode | None:
    try:
        return decode_struct(raw, WireNode)
    except ValueError:
        return None


def _shorten(text: str) -> str:
    return one_line(text)[:_MAX_LENGTH]
