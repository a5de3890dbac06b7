"""Safe maintenance of a node: a check before, the way back in any case, and one node at a time."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from redis_enterprise_actions._client.pacing.retry import retry_for
from redis_enterprise_actions._model.cluster_check import Finding, FindingKind
from redis_enterprise_actions._model.errors import (
    ActionNotFound,
    AnswerLost,
    ClusterUnhealthy,
    RedisActionsError,
    RequestError,
    RequestRejected,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions._model.reference import parse_reference


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from typing import TypeAlias

    from redis_enterprise_actions._client.operation import ClientParts, Operation
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.cluster_check import ClusterCheck
    from redis_enterprise_actions._model.record import FinishedAction

    _Call: TypeAlias = Callable[[], Coroutine[object, object, Operation]]

_OperationT = TypeVar("_OperationT", bound="Operation")
_log = logging.getLogger(__name__)
_LOST_GRACE: Final = 60.0  # seconds after which a call whose answer was lost has had no effect
_SHOWN_AFTER: Final = 30.0  # seconds after a call within which the lists show what it has begun
_BUSY: Final = 409
_BUSY_PAUSE: Final = 5.0  # seconds
_ENDLESS_ON: Final = 300.0  # seconds for switching on to end, on the way back without a time limit


@dataclass(frozen=True, kw_only=True, slots=True)
class MaintenanceCalls:
    """Calls that switch the maintenance of a node on and off, and their limits in seconds.

    `timeout` is the limit of switching it on, and that of everything that switches it off.
    """

    on: _Call
    off: _Call
    timeout: float
    outage_timeout: float


class MaintenanceGuard:
    """Guard of the nodes of a cluster: one client puts no node into maintenance beside another."""

    def __init__(self, parts: ClientParts) -> None:
        self._parts = parts
        self._nodes: list[int] = []  # those that this client works on
        self._begun: dict[int, float] = {}  # nodes of single calls, and until when they count
        self._checking = asyncio.Lock()

    async def check(self, node_uid: int, ignored: frozenset[int], outage_timeout: float) -> None:
        """Raise `ClusterUnhealthy` unless the cluster is healthy.

        A node that this client is about to put into maintenance counts, although no list may show
        it yet. So does the node itself: activations stack, and one `maintenance_off` would not do.
        """
        ignored -= {node_uid}
        check = await self._look(ignored, outage_timeout)
        now = asyncio.get_running_loop().time()
        begun = [uid for uid, until in self._begun.items() if now < until]
        own = [
            Finding(FindingKind.MAINTENANCE, f"node {uid}", "this client works on it")
            for uid in [*self._nodes, *begun]
            if uid not in ignored
        ]
        _refuse_unhealthy(
            node_uid, msgspec.structs.replace(check, findings=(*check.findings, *own))
        )

    async def begin(
        self,
        node_uid: int,
        call: Callable[[], Coroutine[object, object, _OperationT]],
        *,
        busy_timeout: float,
        outage_timeout: float,
    ) -> _OperationT:
        """Check the cluster, and make a single call that puts a node into maintenance.

        No other check of this client takes place meanwhile. For a while afterwards, the node counts
        although no list may show it yet.
        """
        self._parts.poller.home.check()
        clock = asyncio.get_running_loop().time
        async with self._checking:
            await self.check(node_uid, frozenset(), outage_timeout)
            has_begun = True
            try:
                return await self.call(
                    node_uid,
                    call,
                    ignored=frozenset(),
                    busy_timeout=busy_timeout,
                    outage_timeout=outage_timeout,
                )
            except RedisActionsError as error:
                has_begun = isinstance(error, AnswerLost)
                raise
            finally:
                if has_begun:
                    self._begun[node_uid] = clock() + _SHOWN_AFTER

    def forget(self, node_uid: int) -> None:
        """Forget a single call, as the node is taken out of maintenance."""
        self._begun.pop(node_uid, None)

    async def call(
        self,
        node_uid: int,
        call: Callable[[], Coroutine[object, object, _OperationT]],
        *,
        ignored: frozenset[int],
        busy_timeout: float,
        outage_timeout: float,
    ) -> _OperationT:
        """Make a call; while the cluster is busy, look at it again before the call is repeated.

        The cluster may be busy as another client puts the same node into maintenance.
        """
        clock = asyncio.get_running_loop().time
        ends_at = clock() + busy_timeout
        while True:
            try:
                return await call()
            except RequestRejected as error:
                if error.status != _BUSY:
                    raise
                is_over = clock() >= ends_at
                if not is_over:
                    await asyncio.sleep(_BUSY_PAUSE)
                _refuse_unhealthy(node_uid, await self._look(ignored - {node_uid}, outage_timeout))
                if is_over:
                    raise

    @asynccontextmanager
    async def keep(
        self, node_uid: int, calls: MaintenanceCalls, *, ignored: frozenset[int], is_checked: bool
    ) -> AsyncGenerator[FinishedAction]:
        """Keep a node in maintenance; see `Nodes.maintenance`."""
        self._parts.poller.home.check()
        async with self._checking:
            if is_checked:
                await self.check(node_uid, ignored, calls.outage_timeout)
            self._nodes.append(node_uid)
        try:
            async with self._switched_on(node_uid, calls) as on:
                if is_checked:
                    await self._check_again(node_uid, ignored, calls.outage_timeout)
                yield on
        finally:
            self._nodes.remove(node_uid)

    async def _check_again(
        self, node_uid: int, ignored: frozenset[int], outage_timeout: float
    ) -> None:
        """Raise `ClusterUnhealthy` if another client has put a node into maintenance meanwhile."""
        check = await self._look(ignored | {node_uid}, outage_timeout)
        others = [each for each in check.findings if each.kind is FindingKind.MAINTENANCE]
        if others:
            check = msgspec.structs.replace(check, findings=tuple(others))
            problem = (
                f"node {node_uid} is taken out of maintenance again, as it is not the only one"
            )
            raise ClusterUnhealthy(problem, check)

    async def _look(self, ignored: frozenset[int], outage_timeout: float) -> ClusterCheck:
        return await retry_for(outage_timeout, self._parts.sources.cluster_state.check, ignored)

    @asynccontextmanager
    async def _switched_on(
        self, node_uid: int, calls: MaintenanceCalls
    ) -> AsyncGenerator[FinishedAction]:
        """Switch maintenance on, and in any case off again; the first error is the one raised.

        A task that is cancelled goes on until maintenance is off, or could not be switched off.
        """
        begun = asyncio.create_task(self._begin(calls.on, calls))
        has_ended = False
        try:
            on = await asyncio.shield(begun)
            finished = await on.wait(timeout=calls.timeout, outage_timeout=calls.outage_timeout)
            has_ended = True
            yield finished
        except BaseException as error:
            undo = self._undo(node_uid, calls, begun, has_ended=has_ended)
            failure, cancelled = await _ended(undo, node_uid)
            raised = error if isinstance(error, asyncio.CancelledError) else cancelled or error
            if failure is not None:
                _report(failure, raised, node_uid)
            if raised is error:
                raise
            raise raised from error
        undo = self._undo(node_uid, calls, begun, has_ended=True)
        failure, cancelled = await _ended(undo, node_uid)
        if failure is not None:
            _report(failure, cancelled or failure, node_uid)
            raise cancelled or failure
        if cancelled is not None:
            raise cancelled

    async def _undo(
        self,
        node_uid: int,
        calls: MaintenanceCalls,
        begun: asyncio.Task[Operation],
        *,
        has_ended: bool,
    ) -> None:
        """Switch maintenance off, if it may be on; cancel switching it on unless that `has_ended`.

        Raises `WaitTimeout` if all that takes too long.
        """
        clock = asyncio.get_running_loop().time
        began, ref = clock(), f"node:{node_uid}/maintenance_off"
        limit = None if calls.timeout == math.inf else calls.timeout
        seen: list[Action] = []
        try:
            async with asyncio.timeout(limit):
                on = await self._may_be_on(begun)
                if on is None:
                    return
                if not has_ended:
                    with suppress(RequestError):  # usually because the action has ended
                        await on.cancel()
                    with suppress(WaitError, RequestError):
                        await on.wait(
                            # the rest is for the call
                            timeout=_ENDLESS_ON if limit is None else limit / 2,
                            outage_timeout=calls.outage_timeout,
                        )
                off = await self._begin(calls.off, calls)
                ref = off.ref or ref
                await off.wait(outage_timeout=calls.outage_timeout, on_progress=seen.append)
        except TimeoutError:
            raise WaitTimeout(
                ref.partition("@")[0],
                action=seen[-1] if seen else None,
                elapsed=clock() - began,
                polls=len(seen),
                timeout=calls.timeout,
                ref=ref,
            ) from None

    async def _may_be_on(self, begun: asyncio.Task[Operation]) -> Operation | None:
        """Return the action that switches maintenance on; None if the cluster has begun none."""
        try:
            return await begun
        except AnswerLost as lost:
            return None if lost.ref is None else self._parts.operation(parse_reference(lost.ref))
        except RedisActionsError:
            return None  # the call was refused, or not sent

    async def _begin(self, call: _Call, calls: MaintenanceCalls) -> Operation:
        """Make a call once; repeat it, in the time limit, if the cluster did not receive it.

        Raises `AnswerLost` if the cluster may have executed it.
        """
        clock = asyncio.get_running_loop().time
        ends_at = clock() + calls.timeout
        while True:
            try:
                return await call()
            except AnswerLost as error:
                lost = error
            if lost.ref is None or clock() >= ends_at:
                raise lost
            operation = self._parts.operation(parse_reference(lost.ref))
            updates = operation.watch(
                not_found_grace=_LOST_GRACE, outage_timeout=calls.outage_timeout
            )
            try:
                async with aclosing(updates):
                    await anext(updates)
            except ActionNotFound:
                continue
            except (RequestError, WaitError) as error:
                raise lost from error
            return operation


def _refuse_unhealthy(node_uid: int, check: ClusterCheck) -> None:
    if not check.is_healthy:
        raise ClusterUnhealthy(f"node {node_uid} was not put into maintenance", check)


async def _ended(
    undo: Coroutine[object, object, None], node_uid: int
) -> tuple[BaseException | None, asyncio.CancelledError | None]:
    """Await the way back to its end; return its error, and the cancellation that came meanwhile."""
    task, cancelled = asyncio.create_task(undo, name=f"maintenance_off of node {node_uid}"), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if task.cancelled():
        return asyncio.CancelledError(), cancelled
    return task.exception(), cancelled


def _report(failure: BaseException, raised: BaseException, node_uid: int) -> None:
    """Say, in the log and with the error that is raised, that a node is still in maintenance."""
    reason = "" if failure is raised else f": {str(failure) or type(failure).__name__}"
    note = (
        f"node {node_uid} may still be in maintenance{reason}. "
        f"Switch it off with: redis-actions nodes maintenance-off {node_uid}"
    )
    raised.add_note(note)
    fields = {"event": "still in maintenance", "node_uid": node_uid}
    _log.error("%s", note, extra=fields, exc_info=None)
