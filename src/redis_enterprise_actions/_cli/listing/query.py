"""Which of the cluster's actions are asked for, and in which order they are shown.

Pure: functions from actions to actions.
"""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._model.action import Kind
from redis_enterprise_actions._model.errors import (
    ClusterUnreachable,
    RequestError,
    RequestRejected,
    UnreadableReply,
)


if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Iterable

    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.action import Action


_KINDS: Final = {
    Kind.TASK: "actions",
    Kind.NODE_ACTION: "actions of nodes",
    Kind.CLUSTER_ACTION: "actions of the cluster",
    Kind.CRDB_TASK: "tasks of Active-Active databases",
}


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


class Overview:
    """Asks for the lists of all kinds of which something can be selected."""

    def __init__(self, client: ActionsClient, selection: Selection) -> None:
        lists: dict[Kind, Callable[[], Awaitable[list[Action]]]] = {
            Kind.TASK: lambda: client.list_actions(bdb_uid=selection.bdb),
            Kind.NODE_ACTION: lambda: client.list_node_actions(node_uid=selection.node),
            Kind.CLUSTER_ACTION: client.list_cluster_actions,
            Kind.CRDB_TASK: client.list_crdb_tasks,
        }
        self._lists = {kind: ask for kind, ask in lists.items() if selection.may_have(kind)}
        self._listed: dict[Kind, list[Action]] = {}  # when it was last answered for
        self._missing: dict[Kind, RequestError] = {}

    @property
    def missing(self) -> list[str]:
        """The kinds of which the last look has nothing new, in words, and why."""
        return [
            f"{_KINDS[kind]} are not listed: {error.detail}"
            for kind, error in self._missing.items()
        ]

    async def look(self) -> list[Action]:
        """Return all that the lists hold of which something can be selected, each work once.

        A kind that is refused to us (403), or not known there, is left out from then on, unless
        there is no other. Of one that alone is answered for with 500 or gibberish, what was last
        known is returned. Raises `RequestError`.
        """
        for kind, ask in self._lists.items():
            if kind in self._missing and not self._missing[kind].transient:
                continue
            try:
                self._listed[kind] = await ask()
            except RequestError as error:
                others = self._lists.keys() - self._missing.keys() - {kind}
                if not others or not _dispensable(kind, error):
                    raise
                self._missing[kind] = error
            else:
                self._missing.pop(kind, None)
        return _once_each([action for listed in self._listed.values() for action in listed])


def _dispensable(kind: Kind, error: RequestError) -> bool:
    """Whether an error is about one list, and one that can be done without."""
    if isinstance(error, RequestRejected):
        return error.status == 403 or (error.status != 401 and kind is not Kind.TASK)
    broken = isinstance(error, ClusterUnreachable) and error.status == 500
    return kind is not Kind.TASK and (broken or isinstance(error, UnreadableReply))


def _once_each(actions: list[Action]) -> list[Action]:
    """Return each piece of work once: the list of actions may have those of nodes, too.

    Its entries are kept, as they say more. A node's need not tell which run it is of.
    """
    entries = [action for action in actions if action.kind not in _BY_NAME]
    uids = {action.uid for action in entries}
    runs = {_run(action) for action in entries}
    return entries + [
        action
        for action in actions
        if action.kind in _BY_NAME
        and not (_run(action) in runs if action.task_id is None else action.task_id in uids)
    ]


def _run(action: Action) -> tuple[str, str | None, bool]:
    return action.name, action.node_uid, action.phase.terminal


_BY_NAME: Final = frozenset({Kind.NODE_ACTION, Kind.CLUSTER_ACTION})
