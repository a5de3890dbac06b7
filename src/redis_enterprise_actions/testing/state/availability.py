"""Availability of the endpoints of databases, as a function of time.

Vendor pages: requests/bdbs/availability, monitoring/db-availability. The latter calls a database
available while its status is "pending", which a database without an endpoint cannot be: here it is
not available until it was created, and until it was recovered.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.clock import Clock

    from .databases import DatabaseRegistry, FakeDatabase

UNAVAILABLE: Final = "bdb_endpoint_unavailable"  # error code
LAG_TOLERANCE: Final = 100.0  # milliseconds, the default of a cluster
_UNAVAILABLE_STATUSES: Final = frozenset({"pending", "creation-failed", "recovery"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Forced:
    """Availability that a test has set; `error_code` is that of the answer if it is not."""

    is_available: bool
    error_code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Flapping:
    """Availability that is not forced for `up` seconds, then lost for `down` seconds, and so on."""

    began_at: float
    up: float
    down: float
    until: float = inf

    def is_down(self, now: float) -> bool:
        return now < self.until and (now - self.began_at) % (self.up + self.down) >= self.up


class Availability:
    """Availability of the databases of a cluster.

    `delay` is the number of seconds after the end of a state machine until the endpoint is
    available again. `changes` has what a test has set, and `lags` the replication lag in
    milliseconds, both by the uid of a database that exists, or will.
    """

    def __init__(self, clock: Clock, databases: DatabaseRegistry) -> None:
        self._clock = clock
        self.delay = 0.0
        self.changes: dict[int, Forced | Flapping] = {}
        self.lags: dict[int, float] = {}
        self._databases = databases

    def error(self, uid: int) -> str | None:
        """Return the error code of an unavailable or missing database, or None if available."""
        now, database, change = self._clock.now(), self._databases.find(uid), self.changes.get(uid)
        if database is None:
            return UNAVAILABLE
        if isinstance(change, Forced):
            return None if change.is_available else change.error_code
        is_down = change is not None and change.is_down(now)
        return UNAVAILABLE if is_down or not self._is_up(database, now) else None

    def is_lagging(self, uid: int, tolerance: float) -> bool:
        """Return True if the replicas of a database lag by more than `tolerance` milliseconds."""
        return self.lags.get(uid, 0.0) > tolerance

    def _is_up(self, database: FakeDatabase, now: float) -> bool:
        if database.status(now) in _UNAVAILABLE_STATUSES or database.recoverable(now):
            return False
        return self.delay == 0 or not any(
            action.kind == "state-machine" and action.began_at <= now < action.ends_at + self.delay
            for action in database.work
        )
