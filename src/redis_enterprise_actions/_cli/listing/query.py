"""Which of the cluster's actions are asked for, and in which order they are shown.

Pure: functions from actions to actions.
"""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from redis_enterprise_actions._model.action import Kind


if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from redis_enterprise_actions._model.action import Action


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; what is None, or empty, leaves nothing out.

    `bdb` and `node` are uids, `statuses` are phases or the cluster's own words, in any case, and
    `name` is a pattern as shells have it, for the action's name, in any case.
    """

    bdb: int | None = None
    node: int | None = None
    statuses: frozenset[str] = frozenset()
    name: str | None = None

    def has(self, action: Action) -> bool:
        """Whether an action is asked for."""
        return (
            (self.bdb is None or _is_on(action, "bdb", self.bdb))
            and (self.node is None or _is_on(action, "node", self.node))
            and (not self.statuses or bool(self.statuses & _words(action)))
            and (self.name is None or fnmatchcase(action.name.casefold(), self.name.casefold()))
        )

    def may_have(self, kind: Kind) -> bool:
        """Whether actions of a kind can be asked for: those of nodes work on no database."""
        if self.bdb is not None:
            return kind not in {Kind.NODE_ACTION, Kind.CLUSTER_ACTION, Kind.CRDB_TASK}
        return self.node is None or kind not in {Kind.CLUSTER_ACTION, Kind.CRDB_TASK}


def selection_of(args: argparse.Namespace) -> Selection:
    """Return the selection that the filters of a command line make."""
    return Selection(bdb=args.bdb, node=args.node, statuses=args.status, name=args.name)


def selected(actions: Iterable[Action], selection: Selection) -> list[Action]:
    """Return the actions that are asked for, newest first."""
    return by_age(filter(selection.has, actions))


def by_age(actions: Iterable[Action]) -> list[Action]:
    """Return actions, newest first.

    Not all tell when they began. Of the others, what goes on is new, and what has ended is as old
    as its last heartbeat, or older than anything.
    """
    return sorted(actions, key=_began, reverse=True)


def _began(action: Action) -> float:
    began = action.creation_time or (action.heartbeat if action.phase.terminal else None)
    if began is not None:
        return began.timestamp()
    return -math.inf if action.phase.terminal else math.inf


def _is_on(action: Action, what: str, uid: int) -> bool:
    if what == "node" and action.node_uid == str(uid):
        return True
    return action.object_type == what and action.object_uid == str(uid)


def _words(action: Action) -> frozenset[str]:
    return frozenset({action.phase.value, action.status.strip().casefold()})
