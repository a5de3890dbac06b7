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


_KIND_NAMES: Final = {
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

    def matches(self, action: Action) -> bool:
        """Whether an action is asked for."""
        return (
            (self.bdb is None or _works_on(action, "bdb", self.bdb))
            and (self.node is None or _works_on(action, "node", self.node))
            and (not self.statuses or bool(self.statuses & _status_words(action)))
            and (self.name is None or fnmatchcase(action.name.casefold(), self.name.casefold()))
        )

    def may_match(self, kind: Kind) -> bool:
        """Whether actions of a kind can be asked for: those of nodes work on no database."""
        if self.bdb is not None:
            return kind not in {Kind.NODE_ACTION, Kind.CLUSTER_ACTION, Kind.CRDB_TASK}
        return self.node is None or kind not in {Kind.CLUSTER_ACTION, Kind.CRDB_TASK}


def selection_from(args: argparse.Namespace) -> Selection:
    """Return the selection that the filters of a command line make."""
    return Selection(bdb=args.bdb, node=args.node, statuses=args.status, name=args.name)


def select(actions: Iterable[Action], selection: Selection) -> list[Action]:
    """Return the actions that are asked for, newest first."""
    return newest_first(filter(selection.matches, actions))


def newest_first(actions: Iterable[Action]) -> list[Action]:
    """Return actions, newest first.

    Not all tell when they began. Of the others, what goes on is new, and what has ended is as old
    as its last heartbeat, or older than anything.
    """
    return sorted(actions, key=_sort_time, reverse=True)


def _sort_time(action: Action) -> float:
    began = action.creation_time or (action.heartbeat if action.phase.terminal else None)
    if began is not None:
        return began.timestamp()
    return -math.inf if action.phase.terminal else math.inf


def _works_on(action: Action, what: str, uid: int) -> bool:
    if what == "node" and action.node_uid == str(uid):
        return True
    return action.object_type == what and action.object_uid == str(uid)


def _status_words(action: Action) -> frozenset[str]:
    return frozenset({action.phase.value, action.status.strip().casefold()})


class ActionQuery:
    """Asks for the lists of all kinds of which something can be selected."""

    def __init__(self, client: ActionsClient, selection: Selection) -> None:
        lists: dict[Kind, Callable[[], Awaitable[list[Action]]]] = {
            Kind.TASK: lambda: client.list_actions(bdb_uid=selection.bdb),
            Kind.NODE_ACTION: lambda: client.nodes.actions(selection.node),
            Kind.CLUSTER_ACTION: client.cluster.actions,
            Kind.CRDB_TASK: client.crdbs.tasks,
        }
        self._lists = {kind: ask for kind, ask in lists.items() if selection.may_match(kind)}
        self._last_answers: dict[Kind, list[Action]] = {}  # when it was last answered for
        self._errors: dict[Kind, RequestError] = {}

    @property
    def unavailable(self) -> list[str]:
        """The kinds of which the last look has nothing new, in words, and why."""
        return [
            f"{_KIND_NAMES[kind]} are not listed: {error.detail}"
            for kind, error in self._errors.items()
        ]

    async def fetch(self) -> list[Action]:
        """Return all that the lists hold of which something can be selected, each work once.

        A kind that is refused to us (403), or not known there, is left out from then on, unless
        there is no other. Of one that alone is answered for with 500 or gibberish, what was last
        known is returned. Raises `RequestError`.
        """
        for kind, ask in self._lists.items():
            if kind in self._errors and not self._errors[kind].transient:
                continue
            try:
                self._last_answers[kind] = await ask()
            except RequestError as error:
                others = self._lists.keys() - self._errors.keys() - {kind}
                if not others or not _can_leave_out(kind, error):
                    raise
                self._errors[kind] = error
            else:
                self._errors.pop(kind, None)
        return _without_duplicates(
            [action for listed in self._last_answers.values() for action in listed]
        )


def _can_leave_out(kind: Kind, error: RequestError) -> bool:
    """Whether an error is about one list, and one that can be done without."""
    if isinstance(error, RequestRejected):
        return error.status == 403 or (error.status != 401 and kind is not Kind.TASK)
    broken = isinstance(error, ClusterUnreachable) and error.status == 500
    return kind is not Kind.TASK and (broken or isinstance(error, UnreadableReply))


def _without_duplicates(actions: list[Action]) -> list[Action]:
    """Return each piece of work once: the list of actions may have those of nodes, too.

    Its entries are kept, as they say more. A node's need not tell which run it is of.
    """
    entries = [action for action in actions if action.kind not in _NODE_KINDS]
    uids = {action.uid for action in entries}
    runs = {_run_key(action) for action in entries}
    return entries + [
        action
        for action in actions
        if action.kind in _NODE_KINDS
        and not (_run_key(action) in runs if action.task_id is None else action.task_id in uids)
    ]


def _run_key(action: Action) -> tuple[str, str | None, bool]:
    return action.name, action.node_uid, action.phase.terminal


_NODE_KINDS: Final = frozenset({Kind.NODE_ACTION, Kind.CLUSTER_ACTION})
