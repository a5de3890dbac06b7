"""Handles that the tests read from answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._client.submit.calls import Follow, find_rule
from redis_enterprise_actions._client.submit.handle import Handle, read_handle
from redis_enterprise_actions._model.reference import AFTER, GONE, Reference, ReferenceKind


if TYPE_CHECKING:
    from redis_enterprise_actions._client.submit.calls import CallRule

NODE: Final = "/v1/nodes/2/actions"
BDB: Final = "/v1/bdbs/7"


def rule_of(method: str, path: str) -> CallRule:
    """Return the rule of a call."""
    return find_rule(method, path)[0]


def handle_of(
    method: str, path: str, answer: object, status: int = 200, *, dry_run: bool = False
) -> Handle:
    """Return the handle of a call before which nothing was under way."""
    rule, ref = find_rule(method, path)
    runs = {
        ReferenceKind.BDB: f"{GONE},{AFTER}" if ref is not None and ref.is_deletion else AFTER,
        **dict.fromkeys((ReferenceKind.EXPORT, ReferenceKind.IMPORT), "idle,,1"),
        **dict.fromkeys((ReferenceKind.NODE, ReferenceKind.CLUSTER), AFTER),
    }
    before = None if ref is None else Reference(ref.kind, ref.uid, runs.get(ref.kind, ""))
    if rule.follow is Follow.CRDB_TASK and not path.endswith("purge"):
        before = Reference(ReferenceKind.CRDB, "sent")
    return read_handle(rule.follow, before, status, answer, dry_run=dry_run)


def summary(handle: Handle) -> str:
    """Return the reference of a handle; "done" or "no" if there is none."""
    if handle.ref is not None:
        return str(handle.ref)
    return "done" if handle.problem is None else "no"
