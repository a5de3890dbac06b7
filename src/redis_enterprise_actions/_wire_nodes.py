"""What the cluster says about its nodes: which software they run, and which one is the primary.

Vendor pages: requests/nodes, requests/nodes/status.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ._action import one_line
from ._lenient import Name, decode, name, struct


_LONGEST = 60  # characters of a version, or a name


class WireNode(msgspec.Struct):
    """A node, in the list and in its status: the primary's role there is "master"."""

    uid: Name = None
    software_version: str | None = None
    hostname: str | None = None
    role: str | None = None


class Primary(NamedTuple):
    """The primary node: its uid, and its host's name, which may be missing."""

    uid: str
    hostname: str | None


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
