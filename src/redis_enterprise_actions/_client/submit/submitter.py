"""Submitter of requests that start work, with safe retries.

A request is sent again if no node can have executed it (the cluster answered 429, or no node was
reached), or if the cluster answered 409 (busy). After a 503 the submitter looks twice for work that
has begun; without any, it sends the request again if that does no harm (`CallRule.repeatable`). If
the answer is lost, the submitter looks for the work: by the id that the request gave to it, or by a
change of its state.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, TypeVarTuple

import msgspec

from redis_enterprise_actions._client.http.messages import Request
from redis_enterprise_actions._client.pacing.retry import RetryState, retry_for
from redis_enterprise_actions._client.sources import bootstrap_runs
from redis_enterprise_actions._client.sources.node_actions import action_path
from redis_enterprise_actions._client.sources.node_runs import (
    UNKNOWN_STATUS,
    RunIdentity,
    identify_next_run,
    parse_run,
    with_lost_call,
)
from redis_enterprise_actions._client.sources.paths import quoted_uid
from redis_enterprise_actions._client.sources.transfer_runs import was_busy_before
from redis_enterprise_actions._client.wire.lenient_json import decode
from redis_enterprise_actions._client.wire.reasons import read_reason
from redis_enterprise_actions._model.errors import (
    AnswerLost,
    ClusterUnreachable,
    RequestError,
    RequestRejected,
)
from redis_enterprise_actions._model.reference import TRANSFERS, Reference, ReferenceKind
from redis_enterprise_actions._model.secret import Secret

from .calls import Follow, command_that_finds_out, find_rule
from .database_looks import DatabaseLook, begun_work, with_lost_change, with_state
from .handle import Handle, embedded_error, read_handle
from .request import SubmitRequest


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.sources.registry import StatusSources
    from redis_enterprise_actions._client.wire.databases import WireDatabase

    from .calls import CallRule

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")
_CANCEL_RETRY: Final = 10.0  # seconds for which a cancel that no node has received is sent again
_SEARCH_POLLS: Final = 5  # requests for the state of lost work
_SEARCH_PAUSE: Final = 1.0  # seconds between two of them
_SEARCH_RETRY: Final = 30.0  # seconds for which each of them is retried
_LOOK_PAUSE: Final = 3.0  # seconds at least between the two looks after a 503
_BUSY: Final = 409
_NOT_READY: Final = (406, "invalid_version")  # of a new cluster, for some seconds (7.4.6)
_NOT_FOUND: Final = 404
_NOT_TAKEN: Final = 429
_UNAVAILABLE: Final = 503  # some part of the cluster may be working on the request
_RECOVERABLE: Final = frozenset({
    *(Follow.NODE_ACTION, Follow.TRANSFER, Follow.CRDB_TASK, Follow.BOOTSTRAP),
})  # fmt: skip
# Calls that show in the state of their object whether they have begun anything.
_OBSERVABLE: Final = _RECOVERABLE | {Follow.CHANGED, Follow.DATABASE, Follow.DELETED}
_NODE_KINDS: Final = frozenset({ReferenceKind.NODE, ReferenceKind.CLUSTER})


class _OutageBudget:
    """Time in which the cluster has to accept a call: `seconds` from now on."""

    def __init__(self, seconds: float, transport: Transport) -> None:
        self._transport = transport
        self._clock = asyncio.get_running_loop().time
        self._ends = self._clock() + seconds
        self._type = type(seconds)

    @property
    def left(self) -> float:
        """Seconds that are left, 0 or more; `DefaultSeconds` if the whole time is a default."""
        return self._type(max(0.0, self._ends - self._clock()))

    def retry(
        self, call: Callable[[*_Args], Awaitable[_T]], *args: *_Args
    ) -> Coroutine[object, object, _T]:
        """Await `call(...)`, and repeat it after a transient error, for the seconds left."""
        return retry_for(self.left, call, *args, cluster=self._transport)


class _Before(NamedTuple):
    """State before a call: the reference of its work, and the database that the call changes.

    `database` is None if there is none. `is_known` is False if the client could not read it.
    `read_at` is when the state of a transfer was read.
    """

    ref: Reference | None
    database: WireDatabase | None = None
    is_known: bool = True
    read_at: float = math.inf


class Submitter:
    """Submitter of requests that start or cancel work on one cluster.

    `request_timeout` is the client's limit of one request, in seconds.
    """

    def __init__(
        self, transport: Transport, sources: StatusSources, *, request_timeout: float
    ) -> None:
        self.transport = transport
        self.sources = sources
        self.request_timeout = request_timeout

    async def start(
        self, request: SubmitRequest, *, busy_timeout: float, outage_timeout: float
    ) -> Handle:
        """Send a request, and return the handle of the work that it started.

        Raises `RequestError`: `AnswerLost` if the cluster may have started work that was not found.
        """
        clock = asyncio.get_running_loop().time
        busy_until, budget = clock() + busy_timeout, _OutageBudget(outage_timeout, self.transport)
        before = await self._state_before(request, budget)
        retry_state = RetryState(clock())
        tries = 0
        while True:
            try:
                sent_at, reply = await budget.retry(self._send_once, request)
            except _OutcomeUnknown as unknown:
                tries += 1
                lost = _answer_lost(unknown.error, request, before.ref, tries)
                if lost.status != _UNAVAILABLE:
                    return Handle(await self._find_lost_work(request, before.ref, lost))
                pause = retry_state.pause_after(unknown.error, clock())
                if unknown.error.retry_after is None:
                    pause = min(pause, budget.left)
                ref = await self._look_twice(request, before, lost, pause, budget)
                if ref is not None:
                    return Handle(ref)
            except RequestRejected as rejected:
                now = clock()
                if not _is_busy(rejected, request) or now >= busy_until:
                    raise
                await asyncio.sleep(min(retry_state.pause_after(rejected, now), busy_until - now))
                # The work that made the cluster busy may have ended, and left a result.
                budget = _OutageBudget(outage_timeout, self.transport)
                before = await self._state_before(request, budget)
            else:
                ref = before.ref
                if ref is not None and ref.kind in TRANSFERS:
                    ref = self.sources.databases.with_later_call(ref, sent_at - before.read_at)
                return await self._read_answer(request, ref, reply, budget)

    async def cancel(self, ref: Reference, *, force: bool) -> None:
        """Cancel a CRDB task, or an action of a node or the cluster. Raises `RequestError`."""
        run: str | None = None
        if ref.kind is ReferenceKind.CRDB:
            path = f"/v1/crdb_tasks/{quoted_uid(ref.uid)}/actions/cancel"
            call = Request("POST", path, "?force=true" if force else "", body=Secret("{}"))
        else:
            call = Request("DELETE", action_path(ref), permission=f"cancel_{ref.kind}_action")
            # The DELETE of an action that has ended would remove its result.
            found = await retry_for(_CANCEL_RETRY, self.sources.fetch_certain, ref)
            if (found is None and ref.run) or (found is not None and found.phase.terminal):
                hint = "This run has ended, or a later one has begun"
                raise RequestRejected(call.method, call.path, status=_NOT_FOUND, hint=hint)
            run = None if found is None else found.task_id
        request = SubmitRequest(call, find_rule(call.method, call.path)[0], ref)
        try:
            await retry_for(_CANCEL_RETRY, self._send_once, request)
        except _OutcomeUnknown as unknown:
            raise _answer_lost(unknown.error, request, ref) from unknown.error.__cause__
        if ref.kind is not ReferenceKind.CRDB:
            self.sources.node_actions.record_cancel(ref, run)

    # --- state before the request ---------------------------------------------------------------

    async def _state_before(self, request: SubmitRequest, budget: _OutageBudget) -> _Before:
        """Return the reference of the work, with the state that tells it from older work.

        If the user may not read the state, the reference has none: the request may be allowed.
        """
        ref = request.ref
        if ref is not None and ref.kind is ReferenceKind.CRDB:
            is_old = request.names_task and await self._has_ended(ref, budget)
            return _Before(None if is_old else ref)  # an ended task tells nothing of this call
        if ref is None or request.dry_run:
            return _Before(ref)
        try:
            return await self._read_state(request, ref, budget)
        except RequestRejected:
            if ref.kind in _NODE_KINDS:
                run = str(RunIdentity(UNKNOWN_STATUS, "", ""))
                ref = msgspec.structs.replace(ref, run=run)
            elif ref.kind is ReferenceKind.BOOTSTRAP:
                ref = bootstrap_runs.with_state(ref, None)
            return _Before(ref, is_known=ref.kind is not ReferenceKind.BDB)

    async def _read_state(
        self, request: SubmitRequest, ref: Reference, budget: _OutageBudget
    ) -> _Before:
        databases = self.sources.databases
        if ref.kind is ReferenceKind.BDB:
            database = await budget.retry(databases.find, ref.numeric_uid)
            return _Before(with_state(ref, database), database)
        if ref.kind in TRANSFERS:
            ref = await budget.retry(databases.with_baseline, ref)
            ref = await self._reset_transfer(ref, budget)
            return _Before(ref, read_at=asyncio.get_running_loop().time())
        if ref.kind is ReferenceKind.BOOTSTRAP:
            before = await budget.retry(self.sources.bootstraps.look, ref)
            return _Before(bootstrap_runs.with_state(ref, before))
        found = await budget.retry(self.sources.fetch_certain, ref)
        cancels = request.follow is Follow.NODE_ACTION_CANCEL
        if cancels and found is not None and not found.phase.terminal:
            return _Before(msgspec.structs.replace(ref, run=found.task_id or ""))
        return _Before(msgspec.structs.replace(ref, run=str(identify_next_run(found))))

    async def _has_ended(self, task: Reference, budget: _OutageBudget) -> bool:
        """Return True if there is a task with the id that the call is to have, and it has ended."""
        try:
            found = await budget.retry(self.sources.fetch_certain, task)
        except RequestRejected:  # the request may be allowed all the same
            return False
        return found is not None and found.phase.terminal

    async def _reset_transfer(self, ref: Reference, budget: _OutageBudget) -> Reference:
        """Clear the result of the last transfer, so that it is not taken for the next one's.

        The cluster accepts a reset before it takes effect, so the status is read again: a result
        that is still there is noted as an old one.
        """
        if not ref.run.startswith(("succeeded", "failed")):
            return ref
        path = f"/v1/bdbs/{ref.numeric_uid}/actions/{ref.kind}_reset_status"
        call = Request("PUT", path, body=Secret("{}"))
        try:
            reply = await budget.retry(self.transport.send, call)
        except RequestRejected:
            return ref
        if reply.status == _NOT_FOUND:
            return ref
        return await budget.retry(self.sources.databases.with_baseline, ref)

    # --- the request ----------------------------------------------------------------------------

    async def _send_once(self, request: SubmitRequest) -> tuple[float, Reply]:
        """Send the request; return when it was sent, and the reply.

        Raises `_OutcomeUnknown` if the cluster may have executed it.
        """
        sent_at = asyncio.get_running_loop().time()
        try:
            reply = await self._exchange(request)
        except RequestError as error:
            status = error.status if isinstance(error, ClusterUnreachable) else None
            harmless = status == _NOT_TAKEN or (status == _UNAVAILABLE and request.starts_nothing)
            if error.transient and error.sent and not harmless:
                raise _OutcomeUnknown(error) from None
            raise
        if reply.status == _NOT_FOUND:
            raise _rejected(request, reply.status, *read_reason(reply.body))
        return sent_at, reply

    def _exchange(self, request: SubmitRequest) -> Coroutine[object, object, Reply]:
        """Send a request to any node, or one about a bootstrap to its node, once."""
        if request.is_for_installed_node:
            return self.sources.bootstraps.post(request.ref, request.call)
        return self.transport.send(request.call)

    async def _find_lost_work(
        self, request: SubmitRequest, before: Reference | None, error: AnswerLost
    ) -> Reference:
        """Return the work that a request without an answer has started. Raises `error`."""
        if before is not None and before.kind in TRANSFERS:
            self.sources.databases.record_call(before)
        if before is None or request.follow not in _RECOVERABLE or was_busy_before(before):
            raise error
        for poll in range(_SEARCH_POLLS):
            if poll:
                await asyncio.sleep(_SEARCH_PAUSE)
            try:
                found = await retry_for(_SEARCH_RETRY, self._find_run, before)
            except RequestError:
                raise error from error.__cause__
            if found is not None:
                return found
        raise error

    async def _look_twice(
        self,
        request: SubmitRequest,
        before: _Before,
        error: AnswerLost,
        pause: float,
        budget: _OutageBudget,
    ) -> Reference | None:
        """Return the work that a request has begun although it was answered with 503.

        The second look comes `pause` after the first one, and at least 3 s after it. Return None if
        neither shows any, and the request may be sent again; otherwise raises `error`.
        """
        ref = before.ref
        if ref is not None and ref.kind in TRANSFERS:
            self.sources.databases.record_call(ref)
        observable = request.follow in _OBSERVABLE and before.is_known and not was_busy_before(ref)
        if ref is None or not observable:
            raise error
        pause, twice = max(pause, _LOOK_PAUSE), False
        try:
            found, first = await budget.retry(self._look, request.rule, ref, before, None)
            twice = found is None and pause <= budget.left
            if twice:
                await asyncio.sleep(pause)
                found, _ = await budget.retry(self._look, request.rule, ref, before, first)
        except RequestError:
            raise error from error.__cause__
        if found is None and not (twice and request.rule.repeatable):
            raise error
        return found

    async def _look(
        self, rule: CallRule, ref: Reference, before: _Before, first: DatabaseLook | None
    ) -> tuple[Reference | None, DatabaseLook | None]:
        """Return the work that has begun since `before`, and the look at its database.

        `first` is the look before this one.
        """
        if ref.kind is not ReferenceKind.BDB:
            return await self._find_run(ref), None
        database = await self.sources.databases.find(ref.numeric_uid)
        actions = database and await self.sources.actions.list_actions(ref.numeric_uid)
        look = DatabaseLook(database, actions or ())
        return begun_work(rule, ref, before.database, first, look), look

    async def _find_run(self, before: Reference) -> Reference | None:
        """Return the run of an action, a task or a transfer that has begun since `before`."""
        found = await self.sources.fetch_certain(before)
        if found is None or before.kind not in _NODE_KINDS:
            return None if found is None else before
        run = parse_run(before)._replace(task_id=found.task_id or "")
        return msgspec.structs.replace(before, run=str(run))

    # --- the answer -----------------------------------------------------------------------------

    async def _read_answer(
        self, request: SubmitRequest, before: Reference | None, reply: Reply, budget: _OutageBudget
    ) -> Handle:
        """Return the handle of the work. Raises `RequestRejected` and `AnswerLost`."""
        answer: object = None
        try:
            if reply.body.strip():
                answer = decode(reply.body, object)
        except ValueError:
            before = _without_answer(request, before)
        problem = embedded_error(answer)
        if problem is not None:
            raise _rejected(request, reply.status, *problem)
        if before is not None and before.kind in TRANSFERS:
            databases = self.sources.databases
            if was_busy_before(before):  # that run has ended, as the cluster accepted the request
                with contextlib.suppress(RequestError):
                    before = await budget.retry(databases.with_baseline, before)
            if not before.run:  # the user may not read the state: only the time tells runs apart
                before = databases.with_call_time(before, reply)
            databases.record_call(before)
        if request.follow is Follow.NODE_ACTION and before is not None:
            self.sources.node_actions.forget_cancel(before)
        elif request.follow is Follow.NODE_ACTION_CANCEL and before is not None:
            self.sources.node_actions.record_cancel(before, parse_run(before).task_id or None)
        return read_handle(request.follow, before, reply.status, answer, dry_run=request.dry_run)


class _OutcomeUnknown(Exception):
    """Signal that the cluster may have executed a request, so that it must not be retried."""

    def __init__(self, error: RequestError) -> None:
        super().__init__()
        self.error = error


def _is_busy(rejected: RequestRejected, request: SubmitRequest) -> bool:
    """Return True if the cluster may accept the same request later."""
    if rejected.status == _BUSY:
        return True
    is_creation = request.follow is Follow.CREATED
    return is_creation and (rejected.status, rejected.error_code) == _NOT_READY


def _without_answer(request: SubmitRequest, before: Reference | None) -> Reference:
    """Return the work of a request whose answer cannot be decoded, which may not have begun.

    Raises `AnswerLost` if nothing but the answer tells whether it has begun.
    """
    if before is None or request.follow not in _RECOVERABLE:
        method, path = request.call.method, request.call.path
        reason = "the answer cannot be decoded"
        unreadable = ClusterUnreachable(method, path, reason=reason)
        raise _answer_lost(unreadable, request, before) from None
    if request.follow is Follow.BOOTSTRAP:
        return bootstrap_runs.with_lost_call(before)
    return with_lost_call(before) if request.follow is Follow.NODE_ACTION else before


def _answer_lost(
    error: RequestError, request: SubmitRequest, before: Reference | None, tries: int = 1
) -> AnswerLost:
    """Return the error for a request that the cluster may have executed."""
    ref = None if request.starts_nothing else before
    if ref is not None and ref.kind is ReferenceKind.BDB:
        ref = with_lost_change(ref)
    elif ref is not None and request.follow is Follow.NODE_ACTION:
        ref = with_lost_call(ref)
    elif ref is not None and request.follow is Follow.BOOTSTRAP:
        ref = bootstrap_runs.with_lost_call(ref)
    known = error if isinstance(error, ClusterUnreachable) else None
    answer_lost = AnswerLost(
        error.method,
        error.path,
        reason=known.reason if known else error.detail,
        attempts=tries,
        nodes=error.nodes,
        status=known.status if known else None,
        error_code=known.error_code if known else None,
        ref=None if ref is None else str(ref),
        command=command_that_finds_out(request.follow, ref),
    )
    answer_lost.__cause__ = error.__cause__
    return answer_lost


def _rejected(
    request: SubmitRequest, status: int, code: str | None, description: str | None
) -> RequestRejected:
    """Return the error for a refusal in the body of an answer, without the request's secrets."""
    return RequestRejected(
        request.call.method,
        request.call.path,
        status=status,
        error_code=request.redacted(code),
        description=request.redacted(description),
    )
