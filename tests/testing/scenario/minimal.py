"""An entry of each list of a scenario, with what it needs and no more."""

from __future__ import annotations

from typing import Any, Final


MINIMAL: Final[dict[str, dict[str, Any]]] = {
    "databases": {},
    "crdbs": {},
    "bootstraps": {"node": 1},
    "plans": {"method": "POST", "path": "/v1/", "plan": {}},
    "faults": {"status": 503},
    "actions": {},
    "transfers": {"bdb_uid": 1, "transfer": "export"},
    "crdb_tasks": {},
    "node_actions": {"node_uid": 1, "action": "remove"},
    "cluster_actions": {"action": "change_master", "node_uid": 1},
    "restarts": {"node": 1},
    "chaos": {"seed": 1, "horizon": 60, "episodes": 3},
}


def as_field(name: str, entry: dict[str, Any]) -> object:
    """Return the value of a field of a scenario that has this entry."""
    return entry if name == "chaos" else [entry]


def place(name: str) -> str:
    """Return the path of that entry."""
    return "$.chaos" if name == "chaos" else f"$.{name}[0]"
