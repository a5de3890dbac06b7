"""Interface between polling and the status endpoints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from redis_enterprise_actions._model.action import Action, AmbiguousAnswer, Phase
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference


class Gate(Protocol):
    """Rate limit of one poll, awaited before each of its HTTP requests."""

    async def admit(self) -> None:
        """Wait until one more request stays within the rate limit, and count it."""


class Wanted(dict["Reference", "Action | None"]):
    """References of one list that have waiters, with the action as last seen.

    `version` grows with each reference that is added or removed.
    """

    __slots__ = ("version",)

    def __init__(self) -> None:
        super().__init__()
        self.version = 0


class UnreadEntry(Protocol):
    """Entry of a list of which the phase is decoded, and nothing else."""

    @property
    def phase(self) -> Phase:
        """Phase of the action."""
        ...

    def read(self) -> Action:
        """Decode the entry."""
        ...


class ListResult(NamedTuple):
    """Answer of one list request.

    `cost` is relative to a request for one action. `changed` maps references to their entry, or to
    None if the list no longer shows them.

    If `read` is None, `changed` has all wanted references that the list shows. Otherwise it has
    those that differ from the last list of this source, and `read` decodes the entry of the last
    list for any wanted reference; it returns None if that list does not show the reference.

    `untold` are wanted references that the list tells nothing about: they are not missing, and each
    has to be asked for alone.
    """

    changed: Mapping[Reference, UnreadEntry | Action | AmbiguousAnswer | None]
    cost: float
    read: Callable[[Reference], Action | None] | None = None
    untold: Collection[Reference] = ()


_BYTES_PER_REQUEST: Final = 2**15  # bytes of answers that cost a cluster as much as a request


def list_cost(*bodies: bytes) -> float:
    """Return the cost of list requests that were answered with these bodies."""
    return max(float(len(bodies)), sum(map(len, bodies)) / _BYTES_PER_REQUEST)


# For a list that the cluster refuses. The infinite cost keeps the planner from asking again.
NO_LIST: Final = ListResult({}, cost=math.inf)


class StatusSource(Protocol):
    """Status endpoints of one or several kinds of work.

    Each coroutine raises a `RequestError`. `gate` is awaited before each HTTP request.
    """

    def path(self, ref: Reference, /) -> str:
        """Return the path of the status of one reference."""
        ...

    def fetch(
        self, ref: Reference, last: Action | None, gate: Gate | None, /
    ) -> Awaitable[Action | AmbiguousAnswer | None]:
        """Return the present state, or None if the cluster does not know the reference.

        `last` is the state as last seen. The result is ambiguous if the answer may belong to
        other work, such as an earlier run.
        """
        ...

    def fetch_many(self, wanted: Wanted, gate: Gate | None, /) -> Awaitable[ListResult]:
        """Return the states that one list shows. All references have the same `ListKind`.

        `wanted` may change while the request is in flight.
        """
        ...

    def verify(
        self, ref: Reference, unverified: WaitError, gate: Gate | None, /
    ) -> Awaitable[Action | None]:
        """Return a vanished or stalled action as ended if that is certain, otherwise None."""
        ...
