"""`StatusSource` and `ListResult`: the interface between polling and the status endpoints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol


if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from redis_enterprise_actions._model.action import Action, AmbiguousAnswer
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference


class ListResult(NamedTuple):
    """Answer of one list request: the actions that were asked for, and the cost of the request.

    `actions` leaves out references that the list does not show. `cost` is relative to a request
    for one action. `changed` maps the references that differ from the last list to their action,
    or to None if the action is gone; it is None if the source does not know what changed.
    """

    actions: Mapping[Reference, Action | AmbiguousAnswer]
    cost: float
    changed: Mapping[Reference, Action | None] | None = None


_BYTES_PER_REQUEST: Final = 2**15  # bytes of answers that cost a cluster as much as a request


def list_cost(*bodies: bytes) -> float:
    """Return the cost of list requests that were answered with these bodies."""
    return max(float(len(bodies)), sum(map(len, bodies)) / _BYTES_PER_REQUEST)


# For a list that the user may not read. The infinite cost keeps the planner from asking again.
NO_LIST: Final = ListResult({}, cost=math.inf)


class StatusSource(Protocol):
    """Status endpoints of one or several kinds of work."""

    def fetch(
        self, ref: Reference, last: Action | None, /
    ) -> Awaitable[Action | AmbiguousAnswer | None]:
        """Return the present state, or None if the cluster does not know the reference.

        `last` is the state as last seen. The result is ambiguous if the answer may belong to
        other work, such as an earlier run.
        """
        ...

    def fetch_many(self, wanted: Mapping[Reference, Action | None], /) -> Awaitable[ListResult]:
        """Return the states that one list shows. All references have the same `ListKind`.

        `wanted` maps each reference to its state as last seen.
        """
        ...

    def verify(self, ref: Reference, unverified: WaitError, /) -> Awaitable[Action | None]:
        """Return a vanished or stalled action as ended if that is certain, otherwise None."""
        ...
