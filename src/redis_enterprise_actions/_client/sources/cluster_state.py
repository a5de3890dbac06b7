"""State of a cluster as a whole: whether it is quiet, and whether it is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._client.protocols import ListResult
from redis_enterprise_actions._client.wire.conditions import condition_action
from redis_enterprise_actions._model.reference import Condition

from .cluster_look import ClusterLook, ClusterRoutes
from .refused_lists import refusable


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._client.protocols import Gate, Wanted
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.cluster_check import ClusterCheck
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference

    from .actions_v2 import ActionsV2Api
    from .databases import DatabasesApi


class ClusterStateApi:
    """Status source for the cluster as a whole. A look asks for each list once."""

    def __init__(
        self, transport: Transport, databases: DatabasesApi, actions_v2: ActionsV2Api
    ) -> None:
        self._routes = ClusterRoutes(transport, databases, actions_v2)

    def path(self, ref: Reference) -> str:
        """Return the path of the list that tells most about a condition."""
        return "/v1/actions" if ref.condition is Condition.QUIET else "/v1/nodes"

    async def fetch(self, ref: Reference, _: Action | None, gate: Gate | None = None) -> Action:
        """Return whether the cluster is quiet, or healthy."""
        return (await self._states([ref], gate))[ref]

    @refusable
    async def fetch_many(self, wanted: Wanted, gate: Gate | None) -> ListResult:
        """Return all states that are wanted, by one look.

        If the user may not see a list, each is looked at alone: not all may need that list.
        """
        # A look for all costs about as much as a look for one.
        return ListResult(await self._states(list(wanted), gate), cost=1.0)

    async def verify(self, _: Reference, __: WaitError, ___: Gate | None) -> None:
        """Return None: nothing but a look shows the state."""

    async def check(self, ignored: Collection[int]) -> ClusterCheck:
        """Look once for all that keeps the cluster from being healthy."""
        return await ClusterLook(self._routes, None).check(ignored)

    async def _states(
        self, refs: Iterable[Reference], gate: Gate | None
    ) -> dict[Reference, Action]:
        look = ClusterLook(self._routes, gate)
        return {ref: await _state(ref, look) for ref in refs}


async def _state(ref: Reference, look: ClusterLook) -> Action:
    if ref.condition is Condition.QUIET:
        findings = await look.find_work()
    else:
        findings = (await look.check(_ignored_nodes(ref))).findings
    return condition_action(ref, [str(each) for each in findings])


def _ignored_nodes(ref: Reference) -> frozenset[int]:
    """Return the nodes whose maintenance `cluster@healthy,ignore=2+3` ignores."""
    _, _, uids = ref.settings.partition("=")
    return frozenset(int(uid) for uid in uids.split("+") if uid)
