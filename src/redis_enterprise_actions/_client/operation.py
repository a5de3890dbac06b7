"""What a call has started: one thing to await, watch, write down and cancel, whatever it is."""

from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypedDict

from redis_enterprise_actions._client.pacing.durations import seconds
from redis_enterprise_actions._client.polling.wait_state import Limits, WaitState
from redis_enterprise_actions._client.polling.watch import watch
from redis_enterprise_actions._model.action import Action, Evidence, Kind, Phase
from redis_enterprise_actions._model.errors import CancelNotSupported, NothingToFollow, UsageError
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import Recorder, immediate_record, with_record
from redis_enterprise_actions._model.reference import TRANSFERS, ReferenceKind


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
    from datetime import timedelta
    from typing import Unpack

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.polling.poller import Poller
    from redis_enterprise_actions._client.submit.submitter import Submitter
    from redis_enterprise_actions._model.record import FinishedAction, Observer
    from redis_enterprise_actions._model.reference import Reference


_CANCELLABLE: Final = frozenset({ReferenceKind.NODE, ReferenceKind.CLUSTER, ReferenceKind.CRDB})
_TRANSFER_GRACE: Final = 60.0  # seconds for which an export may be about to begin
_DURATIONS: Final = ("timeout", "stall_timeout", "outage_timeout", "not_found_grace")


class Operation:
    """Long-running work on the cluster, as `ActionsClient.submit` or a reference names it.

    `ref` names it in one line of text, which `ActionsClient.operation` and the command line take:
    it may be stored, and outlives the process. It is None where there is nothing to follow. Then
    either the operation is complete, as the API documents for its call, and `done` is true; or
    nothing tells its end, and a wait raises `NothingToFollow`.
    `answer` is what the cluster answered to the call, decoded; a database has secrets in it.

    `await operation` waits with the default settings and returns the `FinishedAction`; `wait` takes
    the settings; `async for action in operation` yields each change, and failures like any other
    end.
    """

    __slots__ = ("_answered", "_desk", "_problem", "_ref", "answer")

    def __init__(
        self,
        desk: Desk,
        ref: Reference | None,
        *,
        call: str = "",
        answer: object = None,
        problem: str | None = None,
    ) -> None:
        self._desk = desk
        self._ref = ref
        self._answered = _answered(call, done=problem is None)
        self._problem = problem
        self.answer = answer

    @property
    def ref(self) -> str | None:
        """Its reference, such as `action:UID` or `node:1/maintenance_on@TASK_ID`."""
        return None if self._ref is None else str(self._ref)

    @property
    def done(self) -> bool:
        """True if it was over with the answer to its call."""
        return self._ref is None and self._problem is None

    @property
    def problem(self) -> str | None:
        """Why nothing tells its end, so that a wait raises `NothingToFollow`; otherwise None."""
        return self._problem

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.ref or self._answered}>"

    def __await__(self) -> Generator[object, None, FinishedAction]:
        return self.wait().__await__()

    def __aiter__(self) -> AsyncIterator[Action]:
        return self.watch()

    async def wait(self, **options: Unpack[WaitOptions]) -> FinishedAction:
        """Wait until it has completed, and return it as it is then.

        Takes and raises what `ActionsClient.wait_for_action` does, and `NothingToFollow`.
        """
        if self._ref is not None:
            return await self._desk.wait(self._ref, **options)
        checked(options)
        over = self._finished(options)
        await _tell(options.get("on_progress"), self._answered)
        return over

    def watch(self, **options: Unpack[WaitOptions]) -> AsyncGenerator[Action, None]:
        """Iterate over its life: the first answer, each change, the end last, however it ends.

        Raises `NothingToFollow` where nothing tells its end.
        """
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
        if self._ref is None or self._ref.kind not in _CANCELLABLE:
            raise CancelNotSupported(self.ref or self._answered.title)
        if force and self._ref.kind is not ReferenceKind.CRDB:
            raise UsageError("force= is for tasks of Active-Active databases")
        await self._desk.cancel(self._ref, force=force)

    async def _watch_done(self, options: WaitOptions) -> AsyncGenerator[Action, None]:
        over = self._finished(options)
        await _tell(options.get("on_progress"), self._answered)
        yield over

    def _finished(self, options: WaitOptions) -> FinishedAction:
        """Return what stands for a call that is over, with a record that says so.

        Raises `NothingToFollow` where that is not known.
        """
        action, began, error = self._answered, datetime.now(UTC), self._not_followed()
        outcome = Outcome.COMPLETED if error is None else error.outcome
        record = immediate_record(action, began, outcome, None if error is None else str(error))
        recorder = options.get("recorder")
        if recorder is not None:
            recorder.add(lambda: record)
        if error is None:
            return with_record(action, record)
        error.record = record
        raise error

    def _not_followed(self) -> NothingToFollow | None:
        if self._problem is None:
            return None
        name = self._answered.name
        return NothingToFollow(name, action=None, elapsed=0.0, polls=0, reason=self._problem)


async def _tell(on_progress: Callable[[Action], object] | None, action: Action) -> None:
    told = None if on_progress is None else on_progress(action)
    if inspect.isawaitable(told):
        await told


def _answered(call: str, *, done: bool) -> Action:
    """Return what stands for a call that left nothing to follow."""
    phase = Phase.COMPLETED if done else Phase.UNKNOWN
    return Action(
        uid="",
        name=call,
        kind=Kind.CALL,
        status="completed" if done else "answered",
        phase=phase,
        evidence=Evidence.CALL,
    )


class WaitOptions(TypedDict, total=False):
    """What a wait takes; see `ActionsClient.wait_for_action`."""

    timeout: float | timedelta | None
    poll: WaitBaseT | None
    on_progress: Callable[[Action], object] | None
    stall_timeout: float | timedelta | None
    outage_timeout: float | timedelta | None
    not_found_grace: float | timedelta
    recorder: Recorder | None


class Desk:
    """Follows what references name, for one client."""

    def __init__(self, poller: Poller, submitter: Submitter) -> None:
        self._poller = poller
        self._submitter = submitter
        self.observers: list[Observer] = []

    def watch(self, ref: Reference, **options: Unpack[WaitOptions]) -> AsyncGenerator[Action, None]:
        """Iterate over its life: the first answer, each change, the end last."""
        return self._watch(_wait(ref, options), options)

    async def wait(self, ref: Reference, **options: Unpack[WaitOptions]) -> FinishedAction:
        """Wait until it has completed, and return it as it is then."""
        wait = _wait(ref, options)
        async for _ in self._watch(wait, options, every=False):
            pass
        return wait.result(asyncio.get_running_loop().time())

    async def cancel(self, ref: Reference, *, force: bool) -> None:
        """Ask the cluster to cancel it."""
        await self._submitter.cancel(ref, force=force)

    def _watch(
        self, wait: WaitState, options: WaitOptions, *, every: bool = True
    ) -> AsyncGenerator[Action, None]:
        return watch(
            self._poller,
            wait,
            on_progress=options.get("on_progress"),
            recorder=options.get("recorder"),
            observers=self.observers,
            following=self._submitter.sources.retain_cancellation,
            every_update=every,
        )


def checked(options: WaitOptions) -> dict[str, float]:
    """Check what a wait is given; return its durations, in seconds."""
    unknown = options.keys() - WaitOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"a wait takes no {min(unknown)}=")
    poll, on_progress, recorder = map(options.get, ("poll", "on_progress", "recorder"))
    if poll is not None and (not callable(poll) or isinstance(poll, type)):
        raise UsageError(f"poll={poll!r} is not a tenacity wait strategy")
    if on_progress is not None and not callable(on_progress):
        raise UsageError(f"on_progress={on_progress!r} cannot be called")
    if recorder is not None and not isinstance(recorder, Recorder):
        raise UsageError(f"recorder={recorder!r} is not a Recorder")
    return {name: seconds(options.get(name), name) for name in _DURATIONS if name in options}


def _wait(ref: Reference, options: WaitOptions) -> WaitState:
    """Check the options; return a wait that begins now."""
    limits = checked(options)
    if ref.kind in TRANSFERS:
        limits.setdefault("not_found_grace", _TRANSFER_GRACE)
    now = asyncio.get_running_loop().time()
    return WaitState(
        ref,
        limits=Limits(**limits),
        poll=options.get("poll"),
        now=now,
        wall=datetime.now(UTC),
    )
