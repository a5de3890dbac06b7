"""Query of `list` and `watch`: the lists to fetch, the filters, and the order of actions."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._model.action import Kind
from redis_enterprise_actions._model.database_names import name_in, uid_of
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
    """Filters of actions. A filter that is None or empty matches every action.

    `bdb` and `node` are uids; `bdb` may be `name:NAME` until the cluster tells the uid. `statuses`
    are phases or statuses of the cluster, and `name` is a pattern as in shells. Case does not
    matter.
    """

    bdb: int | str | None = None
    node: int | None = None
    statuses: frozenset[str] = frozenset()
    name: str | None = None

    def matches(self, action: Action) -> bool:
        """Return True if an action matches all filters."""
        status = action.status.strip().casefold()
        return (
            (self.bdb is None or _works_on(action, "bdb", self.bdb))
            and (self.node is None or _works_on(action, "node", self.node))
            and (not self.statuses or bool(self.statuses & {action.phase.value, status}))
            and (self.name is None or fnmatchcase(action.name.casefold(), self.name.casefold()))
        )

    def may_match(self, kind: Kind) -> bool:
        """Return True if an action of this kind can match. Actions of nodes have no database."""
        if self.bdb is not None:
            return kind not in {Kind.NODE_ACTION, Kind.CLUSTER_ACTION, Kind.CRDB_TASK}
        return self.node is None or kind not in {Kind.CLUSTER_ACTION, Kind.CRDB_TASK}


def selection_from(args: argparse.Namespace) -> Selection:
    """Return the filters on the command line."""
    return Selection(bdb=args.bdb, node=args.node, statuses=args.status, name=args.name)


async def resolve_selection(client: ActionsClient, selection: Selection) -> Selection:
    """Return filters with the uid of the database in place of its name.

    Raises `UsageError`: `DatabaseNotFound` if no database has the name; and `RequestError`.
    """
    name = None if selection.bdb is None else name_in(selection.bdb)
    if name is None:
        return selection
    return msgspec.structs.replace(selection, bdb=uid_of(name, await client.databases.names()))


def select(actions: Iterable[Action], selection: Selection) -> list[Action]:
    """Return the matching actions, newest first."""
    return newest_first(filter(selection.matches, actions))


def newest_first(actions: Iterable[Action]) -> list[Action]:
    """Return actions in the order of their creation, newest first.

    Of actions without a creation time, running ones come first. Ended ones are sorted by their last
    heartbeat; without one, they come last.
    """

    def sort_time(action: Action) -> float:
        time = action.creation_time or (action.heartbeat if action.phase.terminal else None)
        if time is not None:
            return time.timestamp()
        return -math.inf if action.phase.terminal else math.inf

    return sorted(actions, key=sort_time, reverse=True)


def _works_on(action: Action, object_type: str, uid: int | str) -> bool:
    if object_type == "node" and action.node_uid == str(uid):
        return True
    return action.object_type == object_type and action.object_uid == str(uid)


class ActionQuery:
    """Requests for all lists that may hold a matching action.

    Without `allow_partial`, a part of the actions counts for nothing.
    """

    def __init__(
        self, client: ActionsClient, selection: Selection, *, allow_partial: bool = True
    ) -> None:
        lists: dict[Kind, Callable[[], Awaitable[list[Action]]]] = {
            Kind.TASK: lambda: client.list_actions(
                bdb_uid=selection.bdb, allow_partial=allow_partial
            ),
            Kind.NODE_ACTION: lambda: client.nodes.actions(selection.node),
            Kind.CLUSTER_ACTION: client.cluster.actions,
            Kind.CRDB_TASK: client.crdbs.tasks,
        }
        self._lists = {
            kind: fetch_list for kind, fetch_list in lists.items() if selection.may_match(kind)
        }
        self._last_answers: dict[Kind, list[Action]] = {}
        self._errors: dict[Kind, RequestError] = {}

    @property
    def errors(self) -> list[RequestError]:
        """Errors of the lists that the last `fetch` did not get."""
        return list(self._errors.values())

    @property
    def unavailable(self) -> list[str]:
        """Messages on the lists that the last `fetch` did not get."""
        return [
            f"{_KIND_NAMES[kind]} are not listed: {error.detail}"
            for kind, error in self._errors.items()
        ]

    async def fetch(self) -> list[Action]:
        """Return the entries of all lists, without duplicates. Raises `RequestError`.

        A list that is forbidden (403), or that the cluster does not have, is not requested again,
        unless there is no other list. If one list alone has the status 500 or is unreadable, its
        last answer is used.
        """
        for kind, fetch_list in self._lists.items():
            if kind in self._errors and not self._errors[kind].transient:
                continue
            try:
                self._last_answers[kind] = await fetch_list()
            except RequestError as error:
                others = self._lists.keys() - self._errors.keys() - {kind}
                if not others or not _can_leave_out(kind, error):
                    raise
                self._errors[kind] = error
            else:
                self._errors.pop(kind, None)
        actions = [action for listed in self._last_answers.values() for action in listed]
        return _without_duplicates(actions)


def _can_leave_out(kind: Kind, error: RequestError) -> bool:
    """Return True if an error concerns one list only, and `list` works without that list."""
    if isinstance(error, RequestRejected):
        return error.status == 403 or (error.status != 401 and kind is not Kind.TASK)
    broken = isinstance(error, ClusterUnreachable) and error.status == 500
    return kind is not Kind.TASK and (broken or isinstance(error, UnreadableReply))


def _without_duplicates(actions: list[Action]) -> list[Action]:
    """Return each run once: the list of actions may contain runs of nodes' actions, too.

    The entries of that list are kept, as they have more fields. An entry of a node's action may
    lack the `task_id`: such an entry is a duplicate if name, node and end are the same.
    """
    node_kinds = {Kind.NODE_ACTION, Kind.CLUSTER_ACTION}

    def run_of(action: Action) -> tuple[str, str | None, bool]:
        return action.name, action.node_uid, action.phase.terminal

    entries = [action for action in actions if action.kind not in node_kinds]
    uids = {action.uid for action in entries}
    runs = set(map(run_of, entries))
    return entries + [
        action
        for action in actions
        if action.kind in node_kinds
        and not (run_of(action) in runs if action.task_id is None else action.task_id in uids)
    ]
