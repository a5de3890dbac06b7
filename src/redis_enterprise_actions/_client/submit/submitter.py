"""Submitter of requests that start work, with safe retries.

A request is sent again only if no node can have executed it, if the cluster answered 409 (busy), or
if it answered 429 or 503 and shows no new work. If the answer is lost, the submitter looks for the
work: by the id that the request gave to it, or by a change of its state.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._client.http.redaction import Secret
from redis_enterprise_actions._client.http.transport import Request
from redis_enterprise_actions._client.pacing.retry import RetryState, retry_for
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
from redis_enterprise_actions._client.wire.error_body import parse_error_body
from redis_enterprise_actions._client.wire.lenient_json import decode
from redis_enterprise_actions._model.errors import (
    AnswerLost,
    ClusterUnreachable,
    RequestError,
    RequestRejected,
)
from redis_enterprise_actions._model.reference import TRANSFERS, Reference, ReferenceKind

from .calls import Follow
from .handle import Handle, embedded_error, read_handle
from .request import SubmitRequest


if TYPE_CHECKING:
    from redis_enterprise_actions._client.http.transport import Reply, Transport
    from redis_enterprise_actions._client.sources.registry import StatusSources

_CANCEL_RETRY: Final = 10.0  # seconds for which a cancel that no node has received is sent again
_SEARCH_POLLS: Final = 5  # requests for the state of lost work
_SEARCH_PAUSE: Final = 1.0  # seconds between two of them
_SEARCH_RETRY: Final = 30.0  # seconds for which each of them is retried
_REFUSED: Final = frozenset({429, 503})  # the cluster has stopped working on the request
_BUSY: Final = 409
_NOT_FOUND: Final = 404
_RECOVERABLE: Final = frozenset({Follow.NODE_ACTION, Follow.TRANSFER, Follow.CRDB_TASK})
_NODE_KINDS: Final = frozenset({ReferenceKind.NODE, ReferenceKind.CLUSTER})


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
        before = await self._state_before(request, outage_timeout)
        clock = asyncio.get_running_loop().time
        began = clock()
        retry_state = RetryState(began)
        tries = 0
        error: AnswerLost | RequestRejected
        cause: RequestError
        while True:
            try:
                reply = await retry_for(
                    outage_timeout, self._send_once, request, cluster=self.transport
                )
            except _OutcomeUnknown as unknown:
                tries += 1
                cause, deadline = unknown.error, began + outage_timeout
                error = _answer_lost(cause, request, before, tries)
                ref = await self._find_lost_work(request, before, error)
                if ref is not None:
                    return Handle(ref)
            except RequestRejected as rejected:
                if rejected.status != _BUSY:
                    raise
                error = cause = rejected
                deadline = began + busy_timeout
            else:
                return await self._read_answer(request, before, reply, outage_timeout)
            left = deadline - clock()
            if left <= 0:
                raise error
            await asyncio.sleep(min(retry_state.pause_after(cause, clock()), left))
            if isinstance(error, RequestRejected):
                # The work that made the cluster busy may have ended, and left a result.
                before = await self._state_before(request, outage_timeout)

    async def cancel(self, ref: Reference, *, force: bool) -> None:
        """Cancel a CRDB task, or an action of a node or the cluster. Raises `RequestError`."""
        run: str | None = None
        if ref.kind is ReferenceKind.CRDB:
            follow = Follow.CRDB_TASK_CANCEL
            path = f"/v1/crdb_tasks/{quoted_uid(ref.uid)}/actions/cancel"
            call = Request("POST", path, "?force=true" if force else "", body=Secret("{}"))
        else:
            follow = Follow.NODE_ACTION_CANCEL
            call = Request("DELETE", action_path(ref), permission=f"cancel_{ref.kind}_action")
            # The DELETE of an action that has ended would remove its result.
            found = await retry_for(_CANCEL_RETRY, self.sources.fetch_certain, ref)
            if (found is None and ref.run) or (found is not None and found.phase.terminal):
                hint = "This run has ended, or a later one has begun"
                raise RequestRejected(call.method, call.path, status=_NOT_FOUND, hint=hint)
            run = None if found is None else found.task_id
        request = SubmitRequest(call, follow, ref)
        try:
            await retry_for(_CANCEL_RETRY, self._send_once, request)
        except _OutcomeUnknown as unknown:
            raise _answer_lost(unknown.error, request, ref) from unknown.error.__cause__
        if ref.kind is not ReferenceKind.CRDB:
            self.sources.node_actions.record_cancel(ref, run)

    # --- state before the request ---------------------------------------------------------------

    async def _state_before(
        self, request: SubmitRequest, outage_timeout: float
    ) -> Reference | None:
        """Return the reference of the work, with the state that tells it from older work.

        If the user may not read the state, the reference has none: the request may be allowed.
        """
        ref = request.ref
        if ref is None or ref.kind is ReferenceKind.CRDB or request.dry_run:
            return ref
        if ref.kind not in _NODE_KINDS:
            try:
                ref = await retry_for(
                    outage_timeout,
                    self.sources.databases.with_baseline,
                    ref,
                    cluster=self.transport,
                )
                return await self._reset_transfer(ref, outage_timeout)
            except RequestRejected:
                return ref
        try:
            found = await retry_for(
                outage_timeout, self.sources.fetch_certain, ref, cluster=self.transport
            )
        except RequestRejected:
            return msgspec.structs.replace(ref, run=str(RunIdentity(UNKNOWN_STATUS, "", "")))
        cancels = request.follow is Follow.NODE_ACTION_CANCEL
        if cancels and found is not None and not found.phase.terminal:
            return msgspec.structs.replace(ref, run=found.task_id or "")
        return msgspec.structs.replace(ref, run=str(identify_next_run(found)))

    async def _reset_transfer(self, ref: Reference, outage_timeout: float) -> Reference:
        """Clear the result of the last transfer, so that it is not taken for the next one's.

        The cluster accepts a reset before it takes effect, so the status is read again: a result
        that is still there is noted as an old one.
        """
        if ref.kind not in TRANSFERS or not ref.run.startswith(("succeeded", "failed")):
            return ref
        path = f"/v1/bdbs/{ref.numeric_uid}/actions/{ref.kind}_reset_status"
        request = SubmitRequest(Request("PUT", path, body=Secret("{}")), Follow.DATABASE)
        try:
            reply = await retry_for(outage_timeout, self.transport.send, request.call)
        except RequestRejected:
            return ref
        if reply.status == _NOT_FOUND:
            return ref
        return await retry_for(outage_timeout, self.sources.databases.with_baseline, ref)

    # --- the request ----------------------------------------------------------------------------

    async def _send_once(self, request: SubmitRequest) -> Reply:
        """Send the request. Raises `_OutcomeUnknown` if it was sent and has no answer."""
        try:
            reply = await self.transport.send(request.call)
        except RequestError as error:
            if error.transient and error.sent:
                raise _OutcomeUnknown(error) from None
            raise
        if reply.status == _NOT_FOUND:
            raise _rejected(request, reply.status, *parse_error_body(reply.body))
        return reply

    async def _find_lost_work(
        self, request: SubmitRequest, before: Reference | None, error: AnswerLost
    ) -> Reference | None:
        """Return the work that a request without an answer has started.

        Return None if the cluster refused the request and shows no work, so that it may be sent
        again. Raises `error` if the cluster may have started the work.
        """
        if before is not None and before.kind in TRANSFERS:
            self.sources.databases.record_call(before)
        if before is None or request.follow not in _RECOVERABLE or was_busy_before(before):
            raise error
        refused = error.status in _REFUSED
        for poll in range(1 if refused else _SEARCH_POLLS):
            if poll:
                await asyncio.sleep(_SEARCH_PAUSE)
            try:
                found = await retry_for(_SEARCH_RETRY, self.sources.fetch_certain, before)
            except RequestError:
                raise error from error.__cause__
            if found is not None and before.kind in _NODE_KINDS:
                run = parse_run(before)._replace(task_id=found.task_id or "")
                return msgspec.structs.replace(before, run=str(run))
            if found is not None:
                return before
        if not refused:
            raise error
        return None

    # --- the answer -----------------------------------------------------------------------------

    async def _read_answer(
        self, request: SubmitRequest, before: Reference | None, reply: Reply, outage_timeout: float
    ) -> Handle:
        """Return the handle of the work. Raises `RequestRejected` and `AnswerLost`."""
        call = request.call
        answer: object = None
        try:
            if reply.body.strip():
                answer = decode(reply.body, object)
        except ValueError:
            if before is None or request.follow not in _RECOVERABLE:
                reason = "the answer cannot be decoded"
                unreadable = ClusterUnreachable(call.method, call.path, reason=reason)
                raise _answer_lost(unreadable, request, before) from None
        problem = embedded_error(answer)
        if problem is not None:
            raise _rejected(request, reply.status, *problem)
        if before is not None and before.kind in TRANSFERS:
            databases = self.sources.databases
            if was_busy_before(before):  # that run has ended, as the cluster accepted the request
                with contextlib.suppress(RequestError):
                    before = await retry_for(outage_timeout, databases.with_baseline, before)
            if not before.run:  # the user may not read the state: only the time tells runs apart
                before = databases.with_call_time(before, reply)
            databases.record_call(before)
        if request.follow is Follow.NODE_ACTION and before is not None:
            self.sources.node_actions.forget_cancel(before)
        elif request.follow is Follow.NODE_ACTION_CANCEL and before is not None:
            self.sources.node_actions.record_cancel(before, parse_run(before).task_id or None)
        return read_handle(request.follow, before, reply.status, answer, dry_run=request.dry_run)


class _OutcomeUnknown(Exception):
    """Signal that a request was sent and has no answer, so that it must not be retried."""

    def __init__(self, error: RequestError) -> None:
        super().__init__()
        self.error = error


def _answer_lost(
    error: RequestError, request: SubmitRequest, before: Reference | None, tries: int = 1
) -> AnswerLost:
    """Return the error for a request that the cluster may have executed."""
    ref = request.ref if before is None else before
    if request.dry_run and request.follow is not Follow.CRDB_TASK:
        ref = None
    if ref is not None and request.follow is Follow.NODE_ACTION:
        ref = with_lost_call(ref)
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
