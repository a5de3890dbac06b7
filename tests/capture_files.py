"""Capture files for tests, written by hand after the specification of the format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    from pathlib import Path

UID: Final = "00000001-0000-4000-8000-000000000000"
PATH: Final = f"/v1/actions/{UID}"
NODES: Final = ["https://node-1.example:10001", "https://node-2.example:10002"]


def exchange(at: float, status: int | None = 200, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an exchange: by default a GET of the action, answered at once by the first node."""
    answer = {} if status is None else {"status": status}
    return {
        "at": at,
        "took": 0.0,
        "node": 1,
        "method": "GET",
        "path": PATH,
        "auth": "basic",
        **answer,
        **fields,
    }


def action(status: str, progress: float | None = None) -> dict[str, Any]:
    """Return the fields of an answer about the action."""
    body = {"action_uid": UID, "name": "SMUpdateBDB", "status": status}
    if progress is not None:
        body["progress"] = progress  # type: ignore[assignment]
    return {"headers": {"Content-Type": "application/json"}, "json": body}


def capture(*exchanges: dict[str, Any], nodes: int = 1, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the content of a capture file."""
    return {
        "v": 1,
        "made_with": "redis-enterprise-actions 0.1.0",
        "unknown": {},
        "nodes": NODES[:nodes],
        "exchanges": list(exchanges),
        **fields,
    }


def write(folder: Path, content: object) -> Path:
    """Write a capture file, and return its path."""
    path = folder / "capture.json"
    path.write_text(json.dumps(content), "utf-8")
    return path
