"""Operation: long-running work that a call has started, or that a reference names."""

from __future__ import annotations

import asyncio
import math
from contextlib import ExitStack, aclosing, nullcontext
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar, cast

from redis_enterprise_actions._client.asynchronous import AsyncItems, NoFor
from redis_enterprise_actions._client.goals import check_goal
from redis_enterprise_actions._client.pacing.durations import (
    CALL_TIMEOUT,
    DEFAULT_OUTAGE_TIMEOUT,
    NOT_FOUND_GRACE,
    TRANSFER_GRACE,
    DefaultSeconds,
    seconds,
)
from redis_enterprise_actions._client.pacing.retry import retry_for
from redis_enterprise_actions._client.polling.limits import Limits
from redis_enterprise_actions._client.polling.wait_state import WaitState
from redis_enterprise_actions._client.polling.waiters import QUICK, Waiter
from redis_enterprise_actions._client.polling.watch import call_back, observed, watch
from redis_enterprise_actions._client.sources.paths import checked_uid
from redis_enterprise_actions._client.submit.request import build_request, request_limit
from redis_enterprise_actions._client.submit.subjects import (
    NOTHING,
    fetch_subject,
    subject_of_call,
    subject_of_work,
)
from redis_enterprise_actions._client.wire.databases import present_state
from redis_enterprise_actions._model.action import (
    Action,
    AmbiguousAnswer,
    Evidence,
    Kind,
    Phase,
)
from redis_enterprise_actions._model.database_names import NamedReference, name_in, uid_of
from redis_enterprise_actions._model.errors import (
    ActionNotFound,
    CancelNotSupported,
    NothingToFollow,
    RequestError,
    RequestRejected,
    UnreadableReply,
    UsageError,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions._model.outcome import Outcome
from redis_enterprise_actions._model.record import Recorder, immediate_record, with_record
from redis_enterprise_actions._model.reference import TRANSFERS, ReferenceKind
from redis_enterprise_actions._model.text import one_line
from redis_enterprise_actions._model.unawaited import refuse_unawaited


if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Generator,
        Mapping,
        Sequence,
    )
    from typing import Literal, TypeAlias, TypeVarTuple

    from tenacity.wait import WaitBaseT
    from typing_extensions import TypeVar as DefaultTypeVar

    from redis_enterprise_actions._client.goals import Until
    from redis_enterprise_actions._client.http.messages import Upload
    from redis_enterprise_actions._client.pacing.durations import Duration
    from redis_enterprise_actions._client.polling.limits import Goal
    from redis_enterprise_actions._client.polling.poller import Poller
    from redis_enterprise_actions._client.sources.registry import StatusSources
    from redis_enterprise_actions._client.submit.subjects import Subject
    from redis_enterprise_actions._client.submit.submitter import Submitter
    from redis_enterprise_actions._model.objects import OperationResult
    from redis_enterprise_actions._model.record import FinishedAction, Observer
    from redis_enterprise_actions._model.reference import Reference

    Untracked: TypeAlias = Literal["refused", "completed"]
    _Args = TypeVarTuple("_Args")
    _R_co = DefaultTypeVar("_R_co", covariant=True, default=OperationResult)
else:
    _R_co = TypeVar("_R_co", covariant=True)

_T = TypeVar("_T")
_R = TypeVar("_R")

_UNTRACKED: Final = ("refused", "completed")
_CANCELLABLE: Final = frozenset({ReferenceKind.NODE, ReferenceKind.CLUSTER, ReferenceKind.CRDB})


class _Start(NamedTuple):
    """Beginning of a wait, on the loop's clock and on that of the wall."""

    time: float
    wall: datetime

    @classmethod
    def now(cls) -> _Start:
        return cls(asyncio.get_running_loop().time(), datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class ClientParts:
    """Parts of one client that its operations and resources share."""

    poller: Poller
    submitter: Submitter
    sources: StatusSources
    observers: list[Observer] = field(default_factory=list["Observer"])

    def operation(self, ref: Reference | NamedReference) -> Operation[OperationResult]:
        """Return the work that a reference names. Nothing is sent."""
        return Operation(self, ref)

    async def database_uid(self, uid: int | str) -> int:
        """Return the uid of a database that is given by its uid, or as `name:NAME`.

        Raises `UsageError`: `DatabaseNotFound` if no database has the name; and `RequestError`.
        """
        name = name_in(uid)
        return checked_uid(cast("int", uid)) if name is None else await self.uid_of(name)

    async def uid_of(self, name: str) -> int:
        """Return the uid of the database with a name; raise what `database_uid` raises."""
        return uid_of(name, await self.look(self.sources.objects.database_names))

    def look(
        self, call: Callable[[*_Args], Awaitable[_T]], *args: *_Args
    ) -> Coroutine[object, object, _T]:
        """Await `call(...)`, which only reads, and repeat it for a while after transient errors."""
        return retry_for(CALL_TIMEOUT, call, *args)

    async def start(
        self,
        method: str,
        path: str,
        json: object,
        *,
        makes: type[_R] | None = None,
        params: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
        busy_timeout: Duration | None,
        outage_timeout: Duration | None,
        request_timeout: Duration | None,
        untracked: Untracked,
        node: str | None = None,
        upload: Upload | None = None,
    ) -> Operation[_R]:
        """Send a call that starts work; see `ActionsClient.submit`.

        `makes` is the type of the operation's result, where the call has only one; `node` the host
        of the node that a bootstrap is for, and `upload` a body that is no JSON.
        """
        busy = seconds(busy_timeout, "busy_timeout")
        outage = seconds(outage_timeout, "outage_timeout")
        limit = request_limit(request_timeout)
        if untracked not in _UNTRACKED:
            raise UsageError(f"untracked={untracked!r} is none of {', '.join(_UNTRACKED)}")
        request = build_request(
            method,
            path,
            json,
            params,
            headers,
            request_timeout=limit,
            client_timeout=self.submitter.request_timeout,
            node=self.sources.bootstraps.reference(node),
            upload=upload,
        )
        started = await self.submitter.start(request, busy_timeout=busy, outage_timeout=outage)
        accepted = untracked == "completed" and not started.still_running
        subject = subject_of_call(request.call.method, path, json, started.answer)
        return Operation(
            self,
            started.ref,
            call=f"{request.call.method} {request.call.path}",
            answer=started.answer,
            problem=None if accepted else started.problem,
            subject=NOTHING if request.dry_run else subject,
            makes=makes,
        )


class Operation(NoFor, Generic[_R_co]):
    """Long-running work on the cluster, as `ActionsClient.submit` or a reference names it.

    `ref` names the work in one line of text, which `ActionsClient.operation` and the command line
    take: it may be stored, and outlives the process. It is None where there is nothing to follow.
    Then either the work is complete, as the API documents for its call, and `done` is true; or
    nothing tells its end, and a wait raises `NothingToFollow`.
    `answer` is the decoded answer of the cluster to the call; that of a database has secrets in it.

    `await operation` waits with the default settings and returns the `FinishedAction`; `wait` takes
    the settings; `async for action in operation` yields each change, and failures like any other
    end. `await operation.result()` returns the `Database`, `Node` or `Crdb` that the work has made
    or changed.
    """

    __slots__ = (
        *("_call", "_ended", "_makes", "_named", "_parts", "_problem", "_ref", "_subject", "_wait"),
        "answer",
    )

    def __init__(
        self,
        parts: ClientParts,
        ref: Reference | NamedReference | None,
        *,
        call: str = "",
        answer: object = None,
        problem: str | None = None,
        subject: Subject | None = None,
        makes: type[object] | None = None,
    ) -> None:
        self._parts = parts
        self._named = ref if isinstance(ref, NamedReference) else None  # until its uid is known
        self._ref = None if isinstance(ref, NamedReference) else ref
        self._ended = ref is None and problem is None
        self._subject = subject
        self._makes = makes
        self._wait: WaitState | None = None  # the latest wait
        self._call = call
        self._problem = problem
        self.answer = answer

    @property
    def _answered(self) -> Action:
        """The call that left nothing to follow."""
        return Action(
            uid="",
            name=self._call,
            kind=Kind.CALL,
            status="answered" if self._problem else "completed",
            phase=Phase.UNKNOWN if self._problem else Phase.COMPLETED,
            evidence=Evidence.CALL,
        )

    @property
    def ref(self) -> str | None:
        """The reference of the work, such as `action:UID` or `node:1/maintenance_on@TASK_ID`.

        A database that was given by its name has its uid there once the client has asked for it.
        """
        ref = self._ref or self._named
        return None if ref is None else str(ref)

    @property
    def done(self) -> bool:
        """True once the end of the work was seen: in the answer to its call, or by this object."""
        return self._ended or (self._wait is not None and self._wait.has_work_ended)

    @property
    def problem(self) -> str | None:
        """Reason for which a wait raises `NothingToFollow`, or None."""
        return self._problem

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {one_line(self.ref or str(self._answered))}>"

    def __await__(self) -> Generator[object, None, FinishedAction]:
        return self.wait().__await__()

    def __aiter__(self) -> AsyncIterator[Action]:
        return self.watch()

    async def get(self) -> Action:
        """Look once: return the work as it is now.

        An idle database is the `Action` of one that is `active`. If a call was to change it, one
        look does not tell whether it has: the phase is `UNKNOWN` then.

        Raises `ActionNotFound` if the cluster does not know the work, `RequestError`, and
        `NothingToFollow` where nothing tells its end.
        """
        clock, start, polls = asyncio.get_running_loop().time, _Start.now(), 0
        ref = await self._resolve(start)
        if ref is None:
            if self._problem is not None:
                raise self._nothing_to_follow(self._problem)
            return self._answered

        def fetch() -> Awaitable[Action | AmbiguousAnswer | None]:
            nonlocal polls
            polls += 1
            return self._parts.sources.fetch(ref)

        found = await retry_for(CALL_TIMEOUT, fetch)
        if isinstance(found, Action):
            self._ended = self._ended or found.phase.terminal
            return found
        action = None if found is None else present_state(found, ref)
        if action is None:
            raise ActionNotFound(
                ref.name, ref=self.ref, action=None, elapsed=clock() - start.time, polls=polls
            )
        return action

    async def wait(
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
        if not_found_grace is None:
            not_found_grace = self._default_grace
        limits = limits_of(timeout, stall_timeout, outage_timeout, not_found_grace, hold)
        check_arguments(poll, on_progress, recorder)
        named = self._named
        ref_of_goal = named.with_uid(0) if named else self._ref
        goal = check_goal(until, limits.hold, ref_of_goal, self._subject)
        ref, start = self._ref, _Start.now()
        if ref is None:
            ref = await self._resolve(start, limits.timeout)
        if ref is None:
            return await self._answered_end(on_progress, recorder, goal)
        state = self._begin(ref, limits, poll, goal, start)
        return await end_of(state, self._parts, on_progress, recorder)

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
    ) -> AsyncGenerator[Action, None]:
        """Iterate over the life of the work: the first answer, each change, and any end.

        Takes the arguments of `wait`, and raises what it raises, but yields an action that failed,
        was cancelled or was aborted like any other. Raises `NothingToFollow` where nothing tells
        the end. The clock starts here, not at the first step of the iteration.
        """
        if not_found_grace is None:
            not_found_grace = self._default_grace
        limits = limits_of(timeout, stall_timeout, outage_timeout, not_found_grace, hold)
        check_arguments(poll, on_progress, recorder)
        named = self._named
        ref_of_goal = named.with_uid(0) if named else self._ref
        goal = check_goal(until, limits.hold, ref_of_goal, self._subject)
        if self._ref is not None:
            state = self._begin(self._ref, limits, poll, goal, _Start.now())
            return AsyncItems(self._updates(state, on_progress, recorder))
        if named is not None:
            start = _Start.now()
            begin_wait = partial(self._begin, limits=limits, poll=poll, goal=goal, start=start)
            updates = self._named_updates(begin_wait, start, limits.timeout, on_progress, recorder)
            return AsyncItems(updates)
        return AsyncItems(self._answered_updates(on_progress, recorder, goal))

    async def result(self, *, timeout: Duration | None = None) -> _R_co:
        """Return what the work has made or changed, as it is once the work has completed.

        That is a `Database`, a `Node` or a `Crdb`; or None where nothing is left, as after a
        deletion, or where nothing tells what the work was done to. Waits with the default settings
        and `timeout`, unless this object has seen the end, and then asks the cluster for the
        object.

        Raises what `wait` raises; `RequestError` if the object cannot be read: `RequestRejected`
        (404) where the call was for one object, and it is gone; and `UsageError` for a dry run of
        such a call.
        """
        ended = self._wait
        if ended is None or not ended.has_work_ended:
            action: Action = await self.wait(timeout=timeout)
        else:
            action = ended.work or ended.close(asyncio.get_running_loop().time())
        subject = self._subject or subject_of_work(self._ref, action) or NOTHING
        found = None
        try:
            found = await self._parts.look(fetch_subject, self._parts.sources.objects, subject)
        except RequestRejected as error:
            if error.status != 404 or self._makes is not None:
                raise
        if self._makes is not None and not isinstance(found, self._makes):
            raise self._without_result(self._makes)
        return cast("_R_co", found)

    async def cancel(self, *, force: bool = False) -> None:
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
        if self._ref is None or self._ref.condition or self._ref.kind not in _CANCELLABLE:
            raise CancelNotSupported(self.ref or self._answered.title)
        if force and self._ref.kind is not ReferenceKind.CRDB:
            raise UsageError("force= is for tasks of Active-Active databases")
        await self._parts.submitter.cancel(self._ref, force=force)

    @property
    def _default_grace(self) -> float:
        ref = self._ref or self._named
        return TRANSFER_GRACE if ref is not None and ref.kind in TRANSFERS else NOT_FOUND_GRACE

    async def _resolve(self, start: _Start, timeout: float = math.inf) -> Reference | None:
        """Return the reference, with the uid of a database that was given by its name.

        The list of databases may be as late after `timeout` as the last poll of a wait. Raises
        `WaitTimeout`, `RequestError` and `UsageError`.
        """
        named = self._named
        if self._ref is not None or named is None:
            return self._ref
        limit = None if timeout == math.inf else start.time + timeout + QUICK
        try:
            async with asyncio.timeout_at(limit):
                uid = await self._parts.uid_of(named.name)
        except TimeoutError:
            text, elapsed = str(named), asyncio.get_running_loop().time() - start.time
            raise WaitTimeout(
                text, ref=text, action=None, elapsed=elapsed, polls=0, timeout=timeout
            ) from None
        self._ref = named.with_uid(uid)
        return self._ref

    def _begin(
        self,
        ref: Reference,
        limits: Limits,
        poll: WaitBaseT | None,
        goal: Goal | None,
        start: _Start,
    ) -> WaitState:
        self._ended = self.done  # as an earlier wait saw
        if ref.kind is ReferenceKind.BOOTSTRAP:  # the node may still be being installed
            limits = replace(limits, ends_early=False)
        self._wait = state = begin(ref, limits, poll, goal, start)
        return state

    async def _named_updates(
        self,
        begin_wait: Callable[[Reference], WaitState],
        start: _Start,
        timeout: float,
        on_progress: Callable[[Action], object] | None,
        recorder: Recorder | None,
    ) -> AsyncGenerator[Action, None]:
        state = begin_wait(cast("Reference", await self._resolve(start, timeout)))
        async with aclosing(self._updates(state, on_progress, recorder)) as updates:
            async for action in updates:
                yield action

    async def _updates(
        self,
        state: WaitState,
        on_progress: Callable[[Action], object] | None,
        recorder: Recorder | None,
    ) -> AsyncGenerator[Action, None]:
        updates = watch(self._parts.poller, state, on_progress=on_progress)
        with _observed(state, self._parts, recorder) or nullcontext():
            async with aclosing(updates):
                async for action in updates:
                    yield action

    async def _answered_updates(
        self,
        on_progress: Callable[[Action], object] | None,
        recorder: Recorder | None,
        goal: Goal | None,
    ) -> AsyncGenerator[Action, None]:
        yield await self._answered_end(on_progress, recorder, goal)

    async def _answered_end(
        self,
        on_progress: Callable[[Action], object] | None,
        recorder: Recorder | None,
        goal: Goal | None,
    ) -> FinishedAction:
        """Return the end of a call that left nothing to follow, with a record that says so."""
        if self._problem is None and goal is not None and goal.next_reference is not None:
            raise UsageError(f"until={goal.name!r} needs work to follow, and the call left none")
        error = None if self._problem is None else self._nothing_to_follow(self._problem)
        outcome = Outcome.COMPLETED if error is None else error.outcome
        message = None if error is None else str(error)
        record = immediate_record(self._answered, datetime.now(UTC), outcome, message)
        if recorder is not None:
            recorder.add(lambda: record)
        if error is not None:
            error.record = record
            raise error
        if on_progress is not None:
            await call_back(on_progress, self._answered)
        return with_record(self._answered, record)

    def _without_result(self, makes: type[object]) -> UsageError | UnreadableReply:
        """Return the error for a call of which nothing tells what it has made."""
        if self._subject == NOTHING:
            return UsageError(f"{self._call} was a dry run, which has no result")
        method, _, path = self._call.partition(" ")
        kind = makes.__name__
        return UnreadableReply(method, path, problem=f"nothing names the {kind} that it made")

    def _nothing_to_follow(self, problem: str) -> NothingToFollow:
        name = self._answered.name
        return NothingToFollow(name, action=None, elapsed=0.0, polls=0, reason=problem)


def operation_on(operation: Operation[_R], parts: ClientParts) -> Operation[_R]:
    """Return an operation as one of another client of the same cluster."""
    moved = copy(operation)
    moved._parts = parts  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - of this module
    return moved


def begin(
    ref: Reference,
    limits: Limits,
    poll: WaitBaseT | None,
    goal: Goal | None = None,
    start: _Start | None = None,
) -> WaitState:
    """Return the state of a wait that begins now, or has begun at `start`."""
    now, wall = start or _Start.now()
    return WaitState(ref, limits=limits, poll=poll, now=now, wall=wall, goal=goal)


async def end_of(
    state: WaitState,
    parts: ClientParts,
    on_progress: Callable[[Action], object] | None,
    recorder: Recorder | None,
) -> FinishedAction:
    """Wait until the work has completed, and return it. Raise the error of any other end."""
    observation = _observed(state, parts, recorder)
    try:
        clock = asyncio.get_running_loop().time
        if on_progress is None and state.early_end is None:
            has_next = True
            while has_next:
                waiter = Waiter(state, every_update=False)
                try:
                    parts.poller.add(waiter)
                    await waiter.future
                finally:
                    parts.poller.remove(waiter)
                    await parts.poller.drain()
                has_next = state.begin_next(clock())
        else:
            async for _ in watch(parts.poller, state, on_progress=on_progress, every_update=False):
                pass
        return state.close(clock())
    finally:
        if observation is not None:
            observation.close()


def _observed(state: WaitState, parts: ClientParts, recorder: Recorder | None) -> ExitStack | None:
    """Let others take part in a wait: a recorder, observers, and what a cancel noted."""
    is_cancellable = state.ref.kind in _CANCELLABLE
    if recorder is None and not parts.observers and not is_cancellable:
        return None
    observation = ExitStack()
    observation.enter_context(parts.sources.retain_cancel(state.ref))
    observation.enter_context(observed(state, recorder, parts.observers))
    return observation


def check_arguments(poll: object, on_progress: object, recorder: object) -> None:
    """Raise `UsageError` for an argument of a wait that cannot work."""
    refuse_unawaited(poll, recorder)
    if poll is not None and (not callable(poll) or isinstance(poll, type)):
        raise UsageError(f"poll={poll!r} is not a tenacity wait strategy")
    if on_progress is not None and not callable(on_progress):
        refuse_unawaited(on_progress, argument="on_progress")
        raise UsageError(f"on_progress={on_progress!r} cannot be called")
    if recorder is not None and not isinstance(recorder, Recorder):
        raise UsageError(f"recorder={recorder!r} is not a Recorder")


def limits_of(*limits: Duration | None) -> Limits:
    """Return the limits of a wait; most waits share theirs. Raises `UsageError`."""
    try:
        return _shared_limits(*limits)
    except TypeError:  # not hashable, so not a duration
        return _shared_limits.__wrapped__(*limits)


@lru_cache(1024, typed=True)  # `typed` tells the default of a limit from the same number
def _shared_limits(
    timeout: Duration | None,
    stall_timeout: Duration | None,
    outage_timeout: Duration | None,
    not_found_grace: Duration | None,
    hold: Duration = 0.0,
) -> Limits:
    hold_seconds = seconds(hold, "hold")
    if hold_seconds == math.inf:
        raise UsageError(f"hold={hold!r} is not a time for which a condition can stay true")
    return Limits(
        hold=hold_seconds,
        timeout=seconds(timeout, "timeout"),
        stall_timeout=seconds(stall_timeout, "stall_timeout"),
        outage_timeout=seconds(outage_timeout, "outage_timeout"),
        ends_early=isinstance(outage_timeout, DefaultSeconds),
        not_found_grace=seconds(not_found_grace, "not_found_grace"),
    )


async def wait_for_all(
    operations: Sequence[Operation],
    wait: Callable[[Operation], Coroutine[object, object, FinishedAction]],
    *,
    settle: bool,
) -> list[FinishedAction | WaitError | RequestError]:
    """Wait for several operations at once; return the results in their order; leave no task.

    Raise the first failure, unless `settle`: then errors of waits stand among the results. A wait
    that was cancelled by its own callback counts as failed, too.
    """
    follow = partial(_settled, wait) if settle else wait
    tasks: dict[Operation, asyncio.Task[FinishedAction | WaitError | RequestError]] = {
        each: asyncio.create_task(follow(each), name=one_line(f"wait for {each.ref}"))
        for each in dict.fromkeys(operations)
    }

    def stop(ended: asyncio.Task[FinishedAction | WaitError | RequestError]) -> None:
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
        return [tasks[each].result() for each in operations]
    finally:
        cancel_all()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _settled(
    wait: Callable[[Operation], Coroutine[object, object, FinishedAction]], operation: Operation
) -> FinishedAction | WaitError | RequestError:
    try:
        return await wait(operation)
    except (WaitError, RequestError) as error:
        return error
