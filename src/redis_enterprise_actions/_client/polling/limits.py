"""Limits and goal of a wait, as its caller chooses them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.reference import Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Time limits of one wait, in seconds; `inf` for none.

    With `ends_early`, a cluster that was never reached ends the wait after ten seconds. A condition
    has to stay true for `hold`.
    """

    timeout: float = math.inf
    stall_timeout: float = math.inf
    outage_timeout: float = 300.0
    not_found_grace: float = 10.0
    ends_early: bool = False
    hold: float = 0.0


class Goal(NamedTuple):
    """End of a wait that is not the end of the work.

    `is_reached`, whose result may be awaitable, ends the wait once it is true of an unfinished
    action. After the work has completed, the wait goes on for the condition whose reference
    `next_reference` returns; `check` raises `UsageError` for an action that has no such condition.
    """

    name: str = ""
    is_reached: Callable[[Action], object] | None = None
    next_reference: Callable[[Action], Reference] | None = None
    check: Callable[[Action], None] | None = None
