"""JSON bodies that `doctor` reads: the list of nodes, and the state of a bootstrap."""

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


_MAX_LENGTH: Final = 60  # characters of a version or a state


class WireNode(msgspec.Struct):
    """Node in the list of nodes."""

    uid: TextOrInt = None
    software_version: str | None = None


class WireState(msgspec.Struct):
    """Status of a node's bootstrap."""

    state: str = "unknown"


class WireBootstrap(msgspec.Struct):
    """Answer to GET /v1/bootstrap."""

    bootstrap_status: WireState | None = None


def read_nodes(body: bytes) -> list[WireNode]:
    """Return the nodes in a body; none if it is no list of nodes, of which one has a uid."""
    try:
        nodes = decode(body, list[WireNode])
    except ValueError:
        return []
    return nodes if any((as_text(node.uid) or "").isdecimal() for node in nodes) else []


def software_versions(nodes: list[WireNode]) -> list[str]:
    """Return the distinct versions of nodes."""
    return sorted({_shorten(node.software_version) for node in nodes if node.software_version})


def bootstrap_state(body: bytes) -> str | None:
    """Return the state of a node's bootstrap, or None for any other body."""
    try:
        status = decode_struct(body, WireBootstrap).bootstrap_status
    except ValueError:
        return None
    return None if status is None else _shorten(status.state)


def _shorten(text: str) -> str:
    return one_line(text)[:_MAX_LENGTH]
