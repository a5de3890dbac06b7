"""What polling knows of the sources of statuses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from redis_enterprise_actions._model.action import Action, Uncertain
    from redis_enterprise_actions._model.errors import WaitError
    from redis_enterprise_actions._model.reference import Reference


class Found(NamedTuple):
    """What a list held of the actions asked for, and what it costs.

    The cost is counted in requests for one action. `changed` are those that are not what they were
    in what was found before, None for one that is gone; it is None where that is not known.
    """

    actions: Mapping[Reference, Action | Uncertain]
    cost: float
    changed: Mapping[Reference, Action | None] | None = None


NO_LIST: Final = Found({}, cost=math.inf)  # where it may not be seen: it never pays


@dataclass(frozen=True, slots=True)
class Asking:
    """What there is to ask.

    `one` is given what is waited for and how it stood when last seen, and returns how it stands
    now, with a doubt where the answer does not tell, or None if the cluster does not know it.
    `many` is given several of one system, and returns what one request finds of them. `settle` is
    asked about a vanished or stalled action: it returns the action if that is known to have ended
    nevertheless, or None. `sent` tells how many requests all that has taken so far.
    """

    one: Callable[[Reference, Action | None], Awaitable[Action | Uncertain | None]]
    many: Callable[[Mapping[Reference, Action | None]], Awaitable[Found]]
    settle: Callable[[Reference, WaitError], Awaitable[Action | None]]
    sent: Callable[[], int]
