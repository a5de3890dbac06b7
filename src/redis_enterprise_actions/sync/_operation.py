"""Synchronous `Operation`. `python -m tests.sync_classes` writes this module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from redis_enterprise_actions._client.pacing.durations import DEFAULT_OUTAGE_TIMEOUT

from ._misuse import NoAsyncFor


if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tenacity.wait import WaitBaseT
    from typing_extensions import TypeVar as DefaultTypeVar

    from redis_enterprise_actions import Action, Duration, FinishedAction, OperationResult, Recorder
    from redis_enterprise_actions._client.goals import Until

    from ._link import Work

    _R_co = DefaultTypeVar("_R_co", covariant=True, default=OperationResult)
else:
    _R_co = TypeVar("_R_co", covariant=True)


class Operation(NoAsyncFor, Generic[_R_co]):
    """Long-running work on the cluster, as `ActionsClient.submit` or a reference names it.

    `ref` names the work in one line of text, which `ActionsClient.operation` and the command line
    take: it may be stored, and outlives the process. It is None where there is nothing to follow.
    Then either the work is complete, as the API documents for its call, and `done` is true; or
    nothing tells its end, and a wait raises `NothingToFollow`.
    `answer` is the decoded answer of the cluster to the call; that of a database has secrets in it.

    `wait` waits and returns the `FinishedAction`; `for action in operation` yields each change, and
    failures like any other end. `operation.result()` returns the `Database`, `Node` or `Crdb` that
    the work has made or changed.
    """

    __slots__ = ("_work",)

    def __init__(self, work: Work[_R_co]) -> None:
        self._work = work

    @property
    def answer(self) -> object:
        """The decoded answer of the cluster to the call that started the work."""
        return self._work.operation.answer

    @property
    def ref(self) -> str | None:
        """The reference of the work, such as `action:UID` or `node:1/maintenance_on@TASK_ID`.

        A database that was given by its name has its uid there once the client has asked for it.
        """
        return self._work.operation.ref

    @property
    def done(self) -> bool:
        """True once the end of the work was seen: in the answer to its call, or by this object."""
        return self._work.operation.done

    @property
    def problem(self) -> str | None:
        """Reason for which a wait raises `NothingToFollow`, or None."""
        return self._work.operation.problem

    def __repr__(self) -> str:
        return repr(self._work.operation)

    def __iter__(self) -> Iterator[Action]:
        return self.watch()

    def get(self) -> Action:
        """Look once: return the work as it is now.

        An idle database is the `Action` of one that is `active`. If a call was to change it, one
        look does not tell whether it has: the phase is `UNKNOWN` then.

        Raises `ActionNotFound` if the cluster does not know the work, `RequestError`, and
        `NothingToFollow` where nothing tells its end.
        """
        return self._work.call(lambda operation, _: operation.get())

    def wait(
        self,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration | None = None,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> FinishedAction:
        """Wait until the work has completed, and return it as it is then.

        Takes and raises what `ActionsClient.wait_for_action` does, and `NothingToFollow`. The
        default of `not_found_grace` is 10 s, and 60 s for an export, an import or a backup.

        With `until="available"` (a database), `"in-sync"` (a database with Replica Of sources),
        `"replicating"` (an Active-Active database), `"quiet"` or `"healthy"` (the cluster), the
        wait goes on after the work has completed, until that is true as well; an error about it
        has the reference of the condition as its `ref`. A condition has to stay true for `hold`.
        """
        return self._work.call(
            lambda operation, caller: operation.wait(
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                not_found_grace=not_found_grace,
                hold=hold,
                until=caller.until(until),
                recorder=recorder,
            )
        )

    def watch(
        self,
        *,
        timeout: Duration | None = None,
        poll: WaitBaseT | None = None,
        on_progress: Callable[[Action], object] | None = None,
        stall_timeout: Duration | None = None,
        outage_timeout: Duration | None = DEFAULT_OUTAGE_TIMEOUT,
        not_found_grace: Duration | None = None,
        hold: Duration = 0.0,
        until: Until | None = None,
        recorder: Recorder | None = None,
    ) -> Generator[Action, None, None]:
        """Iterate over the life of the work: the first answer, each change, and any end.

        Takes the arguments of `wait`, and raises what it raises, but yields an action that failed,
        was cancelled or was aborted like any other. Raises `NothingToFollow` where nothing tells
        the end. The clock starts here, not at the first step of the iteration.
        """
        return self._work.iterate(
            lambda operation, caller: operation.watch(
                timeout=timeout,
                poll=poll,
                on_progress=caller.callback(on_progress, "on_progress"),
                stall_timeout=stall_timeout,
                outage_timeout=outage_timeout,
                not_found_grace=not_found_grace,
                hold=hold,
                until=caller.until(until),
                recorder=recorder,
            )
        )

    def result(self, *, timeout: Duration | None = None) -> _R_co:
        """Return what the work has made or changed, as it is once the work has completed.

        That is a `Database`, a `Node` or a `Crdb`; or None where nothing is left, as after a
        deletion, or where nothing tells what the work was done to. Waits with the default settings
        and `timeout`, unless this object has seen the end, and then asks the cluster for the
        object.

        Raises what `wait` raises; `RequestError` if the object cannot be read: `RequestRejected`
        (404) where the call was for one object, and it is gone; and `UsageError` for a dry run of
        such a call.
        """
        return self._work.call(lambda operation, _: operation.result(timeout=timeout))

    def cancel(self, *, force: bool = False) -> None:
        """Ask the cluster for a cancel; return once the cluster accepts it. A wait shows the end.

        `force` is for tasks of Active-Active databases only: it cancels even a change that is being
        committed, which can damage the metadata of the clusters.

        Raises `CancelNotSupported` for work that the API has no cancel for: all but actions of
        nodes and of the cluster, and tasks of Active-Active databases. Raises `RequestRejected`
        where the cluster refuses: 404, the work has ended; 406, it is being committed; 409, it has
        failed. The client looks first, as a cancel would remove the result of an ended action.

        Source: DELETE /v1/nodes/{uid}/actions/{action}, DELETE /v1/cluster/actions/{action}, POST
        /v1/crdb_tasks/{id}/actions/cancel. The first two need the permissions
        `cancel_node_action` and `cancel_cluster_action`, and those to see what is cancelled.
        """
        self._work.call(lambda operation, _: operation.cancel(force=force))
