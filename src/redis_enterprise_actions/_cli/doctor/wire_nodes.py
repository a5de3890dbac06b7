"""What the cluster says about its nodes: their software, the primary, and bootstrap.

Vendor pages: requests/nodes, requests/nodes/status, requests/bootstrap.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from redis_enterprise_actions._client.wire.lenient_json import Name, decode, name, struct
from redis_enterprise_actions._model.action import one_line


_LONGEST = 60  # characters of a version, or a name


class WireNode(msgspec.Struct):
    """A node, in the list and in its status: the primary's role there is "master"."""

    uid: Name = None
    software_version: str | None = None
    hostname: str | None = None
    role: str | None = None


class WireState(msgspec.Struct):
    """The status of a node's bootstrap."""

    state: str = "unknown"


class WireBootstrap(msgspec.Struct):
    """The answer of GET /v1/bootstrap."""

    bootstrap_status: WireState | None = None


class Primary(NamedTuple):
    """The primary node: its uid, and its host's name, which may be missing."""

    uid: str
    hostname: str | None


def lists_nodes(body: bytes) -> bool:
    """Return True if a body is the list of a cluster's nodes, which has one with a uid at least."""
    try:
        nodes = [_node(raw) for raw in decode(body, list[msgspec.Raw])]
    except ValueError:
        return False
    return any(node is not None and (name(node.uid) or "").isdecimal() for node in nodes)


def bootstrap_state(body: bytes) -> str | None:
    """Return the state of a node's bootstrap, or None for what is no answer about it."""
    try:
        status = struct(body, WireBootstrap).bootstrap_status
    except ValueError:
        return None
    return None if status is None else _short(status.state)


def versions(body: bytes) -> list[str]:
    """Return the versions that nodes run, each once; raises ValueError for what is no list."""
    nodes = [_node(raw) for raw in decode(body, list[msgspec.Raw])]
    found = (node.software_version for node in nodes if node is not None)
    return sorted({_short(version) for version in found if version})


def primary(body: bytes) -> Primary | None:
    """Return the primary node, if one is said to be it; raises ValueError for what is no object."""
    for uid, raw in decode(body, dict[str, msgspec.Raw]).items():
        node = _node(raw)
        if node is not None and node.role == "master":
            host = name(node.hostname)
            return Primary(_short(uid), None if host is None else _short(host))
    return None


def _node(raw: msgspec.Raw) -> WireNode | None:
    try:
        return struct(raw, WireNode)
    except ValueError:
        return None


def _short(text: str) -> str:
    return one_line(text)[:_LONGEST]
