"""What can be waited for: every kind of long work, by whatever it goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeVar, overload

from redis_enterprise_actions._client.operation import Operation
from redis_enterprise_actions._client.sources.paths import checked_uid, quoted_uid
from redis_enterprise_actions._model.errors import RequestError, UsageError, WaitError
from redis_enterprise_actions._model.reference import (
    GONE,
    Reference,
    ReferenceKind,
    parse_reference,
)


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import timedelta
    from typing import Unpack

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.operation import Desk, WaitOptions
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import FinishedAction, Recorder

_T = TypeVar("_T")


class Waits:
    """The waits of a client. All of them share its requests, a list for each kind that has one."""

    _desk: Desk

    # --- actions --------------------------------------------------------------------------------

    def watch_action(
        self,
        uid: str,
        *,
        timeout: float | timedelta | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: float | timedelta | None = None,
        outage_timeout: float | timedelta | None = 300.0,
        not_found_grace: float | timedelta = 10.0,
        recorder: Recorder | None = None,
    ) -> AsyncIterator[Action]:
        """Iterate over an action's life: the first answer, each change, the end last.

        Takes the arguments of `wait_for_action` and raises what it raises, except that an
        action which failed, was cancelled or was aborted is yielded like any other. The end is a
        `FinishedAction`.
        """
        return self._desk.watch(
            _action(uid),
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    async def wait_for_action(
        self,
        uid: str,
        *,
        timeout: float | timedelta | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: float | timedelta | None = None,
        outage_timeout: float | timedelta | None = 300.0,
        not_found_grace: float | timedelta = 10.0,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until the action has completed, and return it, with the record of the wait.

        `uid` is an `action_uid` or a `task_id`. Durations are seconds or `timedelta`s, and None
        is endless:

        - `timeout` covers the whole wait. At the deadline the cluster is asked once more.
        - `stall_timeout`: how long nothing about the action may move.
        - `outage_timeout`: how long there may be no usable answer, from the first request that
          got none.
        - `not_found_grace`: how long it may not know the action yet, right after it began.

        `poll` is a tenacity wait strategy, by default `AimedWait()`. Several waits on one client
        share their requests, three a second at most. `on_progress` is called, and awaited if it
        returns an awaitable, with the first answer, each change and the end; what it raises
        ends the wait. `recorder` keeps the record of a wait that neither returns nor raises it,
        as it is under way or was cancelled.

        Raises `ActionFailed`, `ActionCancelled`, `ActionAborted`, `ActionNotFound`,
        `ActionVanished`, `ActionStalled` and `WaitTimeout`, all `WaitError`s; `RequestError` if
        the cluster cannot be asked; `UsageError` and `ClientClosed`. Cancelling the task that
        awaits this leaves the action on the cluster alone.
        """
        return await self._desk.wait(
            _action(uid),
            timeout=timeout,
            poll=poll,
            on_progress=on_progress,
            stall_timeout=stall_timeout,
            outage_timeout=outage_timeout,
            not_found_grace=not_found_grace,
            recorder=recorder,
        )

    @overload
    async def wait_for_actions(
        self,
        uids: Iterable[str],
        *,
        settle: Literal[False] = False,
        allow_empty: bool = False,
        **options: Unpack[WaitOptions],
    ) -> list[FinishedAction]: ...

    @overload
    async def wait_for_actions(
        self,
        uids: Iterable[str],
        *,
        settle: Literal[True],
        allow_empty: bool = False,
        **options: Unpack[WaitOptions],
    ) -> list[FinishedAction | WaitError | RequestError]: ...

    async def wait_for_actions(
        self,
        uids: Iterable[str],
        *,
        settle: bool = False,
        allow_empty: bool = False,
        **options: Unpack[WaitOptions],
    ) -> list[FinishedAction] | list[FinishedAction | WaitError | RequestError]:
        """Wait for several actions at once; return them in the order given.

        The first failure is raised and ends the other waits, not their work on the cluster. With
        `settle=True` each is followed to its end, and the list holds the `FinishedAction`, or
        the `WaitError` or `RequestError` that ended its wait. No uids at all raise `UsageError`,
        unless `allow_empty=True`.

        Takes the arguments of `wait_for_action`, which hold for each wait, and raises what it
        raises. `on_progress` serves all of them; each `Action` carries its `uid`.
        """
        if isinstance(uids, str) or not isinstance(uids, Iterable):
            raise UsageError(f"uids={uids!r} is not several; for one there is wait_for_action")
        wanted = [_action(uid) for uid in uids]
        _check_some(wanted, "uids", allow_empty=allow_empty)
        return await self._wait_for_all(wanted, settle=settle, **options)

    # --- everything else ------------------------------------------------------------------------

    def operation(self, ref: str) -> Operation:
        """Return what a reference names, to await, watch or cancel it. Nothing is sent.

        There are `action:UID` (or the uid alone), `node:UID/ACTION`, `cluster:ACTION`, `crdb:ID`,
        `export:BDB`, `import:BDB`, `backup:BDB`, `bdb:UID` and `bdb:UID@gone`. Those that `submit`
        gives out have more behind an `@`, which tells their run from others. Raises `UsageError`
        for anything else.
        """
        return Operation(self._desk, parse_reference(ref))

    @overload
    async def wait_for_operations(
        self,
        operations: Iterable[Operation | str],
        *,
        settle: Literal[False] = False,
        allow_empty: bool = False,
        **options: Unpack[WaitOptions],
    ) -> list[FinishedAction]: ...

    @overload
    async def wait_for_operations(
        self,
        operations: Iterable[Operation | str],
        *,
        settle: Literal[True],
        allow_empty: bool = False,
        **options: Unpack[WaitOptions],
    ) -> list[FinishedAction | WaitError | RequestError]: ...

    async def wait_for_operations(
        self,
        operations: Iterable[Operation | str],
        *,
        settle: bool = False,
        allow_empty: bool = False,
        **options: Unpack[WaitOptions],
    ) -> list[FinishedAction] | list[FinishedAction | WaitError | RequestError]:
        """Wait for several operations, or what references name; as `wait_for_actions` does."""
        if isinstance(operations, str) or not isinstance(operations, Iterable):
            raise UsageError(f"operations={operations!r} is not several")
        wanted = [
            each if isinstance(each, Operation) else parse_reference(each) for each in operations
        ]
        _check_some(wanted, "operations", allow_empty=allow_empty)
        return await self._wait_for_all(wanted, settle=settle, **options)

    async def wait_for_node_action(
        self,
        node_uid: int,
        action: str,
        *,
        task_id: str | None = None,
        **options: Unpack[WaitOptions],
    ) -> FinishedAction:
        """Wait until an action of a node, such as `maintenance_on` or `remove`, has completed.

        With `task_id`, as the call that started it answered, that run of it and no other is
        meant; without, whatever runs, or the result that the cluster remembers of the last run,
        which counts at once. A result that comes without a `task_id` although one is given may
        be that of an older run: it counts once it has stayed for `not_found_grace`, with the
        evidence `same-result`.

        Takes and raises what `wait_for_action` does. Another run that has taken the place of the
        one with that `task_id` counts as vanished; without one, runs cannot always be told apart.
        A removal has also completed when its node is gone, as the list of nodes, or a second
        look, confirms; one that had gone before the first look is not found.

        Source: GET /v1/nodes/{uid}/actions/{action}, /v1/nodes/actions. Needs the permissions
        `view_status_of_node_action` and `view_status_of_all_node_actions`.
        """
        ref = _run(f"node:{checked_uid(node_uid, 'node')}/{action}", task_id)
        return await self._desk.wait(ref, **options)

    async def wait_for_cluster_action(
        self, action: str, *, task_id: str | None = None, **options: Unpack[WaitOptions]
    ) -> FinishedAction:
        """Wait until an action of the cluster, such as `change_master`, has completed.

        Takes and raises what `wait_for_action` does; for `task_id` see `wait_for_node_action`.

        Source: GET /v1/cluster/actions/{action}, /v1/cluster/actions. Needs the permission
        `view_status_of_cluster_action`.
        """
        ref = _run(f"cluster:{action}", task_id)
        return await self._desk.wait(ref, **options)

    async def wait_for_crdb_task(
        self, task_id: str, **options: Unpack[WaitOptions]
    ) -> FinishedAction:
        """Wait until a task of an Active-Active database has finished.

        Its `state` is the step that each cluster is at, and `error` what each says of a failure.
        The cluster that was asked to do it is the one that knows it, and forgets the result after
        500 s, unless an `X-Result-TTL` said otherwise. That it has finished does not mean that
        every instance replicates: look at that, too.

        Takes and raises what `wait_for_action` does.

        Source: GET /v1/crdb_tasks/{id}, /v1/crdb_tasks. Needs the permissions `view_crdb_task` and
        `view_crdb_task_list`.
        """
        quoted_uid(task_id)
        return await self._desk.wait(Reference(ReferenceKind.CRDB, task_id), **options)

    async def wait_for_export(self, bdb_uid: int, **options: Unpack[WaitOptions]) -> FinishedAction:
        """Wait until the export of a database that runs, or is about to, has succeeded.

        The database remembers the result of the last one, and nothing tells whose a result is
        that is there at the first look. So a result counts once the status was seen empty or
        under way; until then it is waited for, and `ActionNotFound` is raised after
        `not_found_grace`, here 60 s. The operation that `submit` and `export_bdb` return knows how
        the database stood before the call, and counts what is new since.

        Takes and raises what `wait_for_action` does, otherwise. `ActionVanished` means that the
        status was reset while the export ran.

        Source: GET /v1/bdbs/{uid}, `export_status`. Needs the permission `view_bdb_info`, and
        `view_all_bdbs_info` to serve several waits by one list.
        """
        return await self._desk.wait(_database(ReferenceKind.EXPORT, bdb_uid), **options)

    async def wait_for_import(self, bdb_uid: int, **options: Unpack[WaitOptions]) -> FinishedAction:
        """Wait until the import into a database has succeeded; as `wait_for_export` does.

        Source: GET /v1/bdbs/{uid}, `import_status`.
        """
        return await self._desk.wait(_database(ReferenceKind.IMPORT, bdb_uid), **options)

    async def wait_for_backup(self, bdb_uid: int, **options: Unpack[WaitOptions]) -> FinishedAction:
        """Wait until the scheduled backup of a database has succeeded; as `wait_for_export` does.

        Source: GET /v1/bdbs/{uid}, `backup_status`.
        """
        return await self._desk.wait(_database(ReferenceKind.BACKUP, bdb_uid), **options)

    async def wait_for_bdb(
        self, bdb_uid: int, *, gone: bool = False, **options: Unpack[WaitOptions]
    ) -> FinishedAction:
        """Wait until nothing is done to a database any more: for those who lost the handle.

        It has settled when it is `active`, no action runs on it, and nothing is pending or active
        in its `background_op`; or, where it is deleted, when it is not there any more, as the list
        of databases, or a second look 5 s later, confirms. With `gone=True` nothing but that will
        do. A change may be about to begin: a database that is never seen busy has settled after
        `not_found_grace`, 10 s, with the evidence `quiet`.

        Takes and raises what `wait_for_action` does. `ActionFailed` means that it could not be
        created, or that what was done to it has failed since the first look.

        Source: GET /v1/bdbs/{uid}, /v1/bdbs. Needs the permission `view_bdb_info`, and
        `view_all_bdbs_info` to serve several waits by one list.
        """
        ref = _database(ReferenceKind.BDB, bdb_uid, run=GONE if gone else "")
        return await self._desk.wait(ref, **options)

    # --- several ---------------------------------------------------------------------------------

    async def _wait_for_all(
        self,
        wanted: Sequence[Reference | Operation],
        *,
        settle: bool,
        **options: Unpack[WaitOptions],
    ) -> list[FinishedAction] | list[FinishedAction | WaitError | RequestError]:
        follow = self._settled if settle else self._followed
        tasks = {
            each: asyncio.create_task(follow(each, **options), name=f"wait for {each}")
            for each in dict.fromkeys(wanted)
        }
        return await _first_failure_or_all(tasks, wanted)

    async def _followed(
        self, wanted: Reference | Operation, **options: Unpack[WaitOptions]
    ) -> FinishedAction:
        operation = wanted if isinstance(wanted, Operation) else Operation(self._desk, wanted)
        return await operation.wait(**options)

    async def _settled(
        self, wanted: Reference | Operation, **options: Unpack[WaitOptions]
    ) -> FinishedAction | WaitError | RequestError:
        try:
            return await self._followed(wanted, **options)
        except (WaitError, RequestError) as error:
            return error


def _action(uid: str) -> Reference:
    quoted_uid(uid)
    return Reference(ReferenceKind.ACTION, uid)


def _check_some(wanted: Sequence[object], name: str, *, allow_empty: bool) -> None:
    """Raise `UsageError` for an empty set, unless it is allowed."""
    if not wanted and not allow_empty:
        raise UsageError(f"{name} is empty: pass allow_empty=True if that is no mistake")


def _run(ref: str, task_id: str | None) -> Reference:
    return parse_reference(ref if task_id is None else f"{ref}@{task_id}")


def _database(track: ReferenceKind, bdb_uid: int, run: str = "") -> Reference:
    return Reference(track, str(checked_uid(bdb_uid)), run)


async def _first_failure_or_all(
    tasks: dict[Reference | Operation, asyncio.Task[_T]], wanted: Sequence[Reference | Operation]
) -> list[_T]:
    """Return the results in the order wanted, or raise what failed first; leave no task.

    A wait that was cancelled by nobody here, but by its own callback, has failed, too.
    """

    def stop(ended: asyncio.Task[_T]) -> None:
        if ended.cancelled():
            cancel_all()

    def cancel_all() -> None:
        for task in tasks.values():
            task.remove_done_callback(stop)
            task.cancel()

    for task in tasks.values():
        task.add_done_callback(stop)
    try:
        if tasks:
            await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks.values():
            if task.done():
                task.result()
        return [tasks[each].result() for each in wanted]
    finally:
        cancel_all()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
