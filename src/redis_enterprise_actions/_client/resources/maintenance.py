"""Safe maintenance of a node: a check before, the way back in any case, and one node at a time."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from redis_enterprise_actions._client.pacing.retry import retry_for
from redis_enterprise_actions._model.cluster_check import Finding, FindingKind
from redis_enterprise_actions._model.errors import (
    ActionNotFound,
    AnswerLost,
    ClusterUnhealthy,
    RedisActionsError,
    RequestError,
    WaitError,
)
from redis_enterprise_actions._model.reference import parse_reference
from redis_enterprise_actions._model.text import duration_text


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from redis_enterprise_actions._client.operation import ClientParts, Operation
    from redis_enterprise_actions._model.cluster_check import ClusterCheck
    from redis_enterprise_actions._model.record import FinishedAction

_log = logging.getLogger(__name__)
_LOST_GRACE: Final = 60.0  # seconds after which a call whose answer was lost has had no effect


@dataclass(frozen=True, kw_only=True, slots=True)
class MaintenanceCalls:
    """Calls that switch the maintenance of a node on and off, and their limits in seconds.

    `timeout` is the limit of switching it on, and that of everything that switches it off.
    """

    on: Callable[[], Coroutine[object, object, Operation]]
    off: Callable[[], Coroutine[object, object, Operation]]
    timeout: float
    outage_timeout: float


class MaintenanceGuard:
    """Guard of the nodes of a cluster: one client puts no node into maintenance beside another."""

    def __init__(self, parts: ClientParts) -> None:
        self._parts = parts
        self._nodes: list[int] = []  # those that this client works on
        self._checking = asyncio.Lock()

    async def check(self, node_uid: int, ignored: frozenset[int], outage_timeout: float) -> None:
        """Raise `ClusterUnhealthy` unless the cluster is healthy.

        A node that this client is about to put into maintenance counts, although no list may show
        it yet. So does the node itself: activations stack, and one `maintenance_off` would not do.
        """
        ignored -= {node_uid}
        check = await self._look(ignored, outage_timeout)
        own = [
            Finding(FindingKind.MAINTENANCE, f"node {uid}", "this client works on it")
            for uid in self._nodes
            if uid not in ignored
        ]
        check = msgspec.structs.replace(check, findings=(*check.findings, *own))
        if not check.is_healthy:
            raise ClusterUnhealthy(f"node {node_uid} was not put into maintenance", check)

    @asynccontextmanager
    async def keep(
        self, node_uid: int, calls: MaintenanceCalls, *, ignored: frozenset[int], is_checked: bool
    ) -> AsyncGenerator[FinishedAction]:
        """Keep a node in maintenance; see `Nodes.maintenance`."""
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
        try:
            on = await asyncio.shield(begun)
            yield await on.wait(timeout=calls.timeout, outage_timeout=calls.outage_timeout)
        except BaseException as error:
            failure, _ = await _ended(self._undo(calls, begun), node_uid)
            if failure is not None:
                _report(failure, error, node_uid)
            raise
        failure, cancelled = await _ended(self._undo(calls, begun), node_uid)
        if failure is not None:
            _report(failure, cancelled or failure, node_uid)
            raise cancelled or failure
        if cancelled is not None:
            raise cancelled

    async def _undo(self, calls: MaintenanceCalls, begun: asyncio.Task[Operation]) -> None:
        """Switch maintenance off, if it may be on; cancel switching it on if that has not ended."""
        limit = None if calls.timeout == math.inf else calls.timeout
        try:
            async with asyncio.timeout(limit):
                on = await self._may_be_on(begun)
                if on is None:
                    return
                with suppress(RequestError):  # usually because the action has ended
                    await on.cancel()
                with suppress(WaitError, RequestError):
                    await on.wait(
                        timeout=None if limit is None else limit / 2,  # the rest is for the call
                        outage_timeout=calls.outage_timeout,
                    )
                off = await self._begin(calls.off, calls)
                await off.wait(outage_timeout=calls.outage_timeout)
        except TimeoutError:
            raise TimeoutError(f"it was not off after {duration_text(calls.timeout)}") from None

    async def _may_be_on(self, begun: asyncio.Task[Operation]) -> Operation | None:
        """Return the action that switches maintenance on; None if the cluster has begun none."""
        try:
            return await begun
        except AnswerLost as lost:
            return None if lost.ref is None else self._parts.operation(parse_reference(lost.ref))
        except RedisActionsError:
            return None  # the call was refused, or not sent

    async def _begin(
        self, call: Callable[[], Coroutine[object, object, Operation]], calls: MaintenanceCalls
    ) -> Operation:
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
