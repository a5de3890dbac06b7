"""What a call has started: one thing to await, watch, write down and cancel, whatever it is."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ._action import Action, Evidence, Kind, Phase
from ._desk import checked
from ._errors import CancelNotSupported, UsageError
from ._record import at_once, finished
from ._reference import Track


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
    from typing import Unpack

    from ._desk import Desk, WaitOptions
    from ._record import FinishedAction
    from ._reference import Reference

_CANCELLABLE: Final = frozenset({Track.NODE, Track.CLUSTER, Track.CRDB})


class Operation:
    """Long-running work on the cluster, as `ActionsClient.submit` or a reference names it.

    `ref` names it in one line of text, which `ActionsClient.operation` and the command line take:
    it may be stored, and outlives the process. It is None where the call started nothing that
    lasts, as there was nothing to do: then the operation is complete, and `done` is true.
    `answer` is what the cluster answered to the call, decoded; a database has secrets in it.

    `await operation` waits with the default settings and returns the `FinishedAction`; `wait` takes
    the settings; `async for action in operation` yields each change, and failures like any other
    end.
    """

    __slots__ = ("_desk", "_done", "_ref", "answer")

    def __init__(
        self, desk: Desk, ref: Reference | None, *, call: str = "", answer: object = None
    ) -> None:
        self._desk = desk
        self._ref = ref
        self._done = _over(call)
        self.answer = answer

    @property
    def ref(self) -> str | None:
        """Its reference, such as `action:UID` or `node:1/maintenance_on@TASK_ID`."""
        return None if self._ref is None else str(self._ref)

    @property
    def done(self) -> bool:
        """Whether it was over with the answer to its call."""
        return self._ref is None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.ref or self._done}>"

    def __await__(self) -> Generator[object, None, FinishedAction]:
        return self.wait().__await__()

    def __aiter__(self) -> AsyncIterator[Action]:
        return self.watch()

    async def wait(self, **options: Unpack[WaitOptions]) -> FinishedAction:
        """Wait until it has completed, and return it as it is then.

        Takes and raises what `ActionsClient.wait_for_action` does.
        """
        if self._ref is not None:
            return await self._desk.wait(self._ref, **options)
        checked(options)
        over = self._finished(options)
        await _tell(options.get("on_progress"), self._done)
        return over

    def watch(self, **options: Unpack[WaitOptions]) -> AsyncGenerator[Action, None]:
        """Iterate over its life: the first answer, each change, the end last, however it ends."""
        if self._ref is not None:
            return self._desk.watch(self._ref, **options)
        checked(options)
        return self._watch_done(options)

    async def cancel(self, *, force: bool = False) -> None:
        """Ask the cluster to cancel it, and return once that is under way; a wait tells the end.

        `force` cancels a change of an Active-Active database that is being committed, which can
        damage the metadata of its clusters; nothing else takes it.

        Raises `CancelNotSupported` for what the API has no cancel for: all but actions of nodes and
        of the cluster, and tasks of Active-Active databases. Raises `RequestRejected` where the
        cluster refuses: 404, it has ended; 406, it is being committed; 409, it has failed. The
        result of an action that has ended stays, as is looked at first.

        Source: DELETE /v1/nodes/{uid}/actions/{action}, DELETE /v1/cluster/actions/{action}, POST
        /v1/crdb_tasks/{id}/actions/cancel. The first two need the permissions
        `cancel_node_action` and `cancel_cluster_action`, and those to see what is cancelled.
        """
        if self._ref is None or self._ref.track not in _CANCELLABLE:
            raise CancelNotSupported(self.ref or self._done.title)
        if force and self._ref.track is not Track.CRDB:
            raise UsageError("force= is for tasks of Active-Active databases")
        await self._desk.cancel(self._ref, force=force)

    async def _watch_done(self, options: WaitOptions) -> AsyncGenerator[Action, None]:
        over = self._finished(options)
        await _tell(options.get("on_progress"), self._done)
        yield over

    def _finished(self, options: WaitOptions) -> FinishedAction:
        """Return what stands for a call that started nothing, with a record that says so."""
        record = at_once(self._done, datetime.now(UTC))
        recorder = options.get("recorder")
        if recorder is not None:
            recorder.follow(lambda: record)
        return finished(self._done, record)


async def _tell(on_progress: Callable[[Action], object] | None, action: Action) -> None:
    told = None if on_progress is None else on_progress(action)
    if inspect.isawaitable(told):
        await told


def _over(call: str) -> Action:
    """Return what stands for a call that started nothing."""
    return Action(
        uid="",
        name=call,
        kind=Kind.CALL,
        status="completed",
        phase=Phase.COMPLETED,
        evidence=Evidence.CALL,
    )
