"""`AnswerHistory`: resolves ambiguous answers by the answers that a wait got before.

Some endpoints answer with a result, a failure or a "not found" that may belong to other work than
the wait is for; `AmbiguousAnswer` marks them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from msgspec import structs

from redis_enterprise_actions._client.pacing.schedules import TICK
from redis_enterprise_actions._model.action import (
    Ambiguity,
    AmbiguousAnswer,
    Evidence,
    Kind,
    Phase,
)


if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.reference import Reference

    Resolved: TypeAlias = Action | Literal[Ambiguity.REPLACED] | None

GONE_CONFIRMATION: Final = 5.0  # seconds between two answers "not found" that confirm each other
_UNCHANGED_GRACE: Final = 1.0  # seconds; the answer to the call showed the database unchanged
_NOT_FOUND: Final = "not found"  # status of an object until a second answer confirms its end


class AnswerHistory:
    """Facts from the earlier answers of one wait."""

    __slots__ = (
        *("_busy", "_busy_before", "_failure", "_gone", "_gone_since", "_grace", "_idle"),
        *("_may_not_have_begun", "_quiet", "_quiet_since", "_settling_time"),
    )

    def __init__(self, ref: Reference, not_found_grace: float) -> None:
        self._busy_before = ref.busy_before
        self._may_not_have_begun = ref.may_not_have_begun
        self._grace = not_found_grace
        # A database that is never seen busy counts as settled after this time.
        self._settling_time = (
            min(not_found_grace, _UNCHANGED_GRACE) if ref.unchanged else not_found_grace
        )
        self._busy = False  # work was seen that had not begun before the call
        self._quiet = False  # the database was seen without work
        self._idle = False  # a status was seen that is no result
        self._failure: str | None = None  # mark of the failure before the call; empty for none
        self._quiet_since: float | None = None  # while the last answers show no work
        self._gone: str | None = None  # mark of the last "not found"
        self._gone_since = math.inf

    @property
    def is_uncertain(self) -> bool:
        """True while the last answers allow more than one meaning."""
        return self._quiet_since is not None or self._gone is not None

    @property
    def decided_at(self) -> float:
        """The time from which the last answer, if it is repeated, is no longer ambiguous."""
        quiet = math.inf if self._quiet_since is None else self._quiet_since + self._settling_time
        gone = math.inf if self._gone is None else self._gone_since + GONE_CONFIRMATION
        return min(quiet, gone)

    def resolve(
        self,
        found: Action | AmbiguousAnswer | None,
        *,
        requested_at: float,
        last: Action | None,
        missing_since: float | None,
    ) -> Resolved:
        """Return the state of the action, or None for "not found".

        `requested_at` is the time of the request, `last` the action as last seen, and
        `missing_since` the time of the first "not found". `Ambiguity.REPLACED` is returned if the
        cluster tells nothing about this work any more, as other work has taken its place.
        """
        if not isinstance(found, AmbiguousAnswer):
            self._quiet_since = self._gone = None
            if found is not None:
                self._failure = ""
                is_new = self._quiet or not self._busy_before
                self._busy = self._busy or (found.phase.unfinished and is_new)
            return found
        if found.ambiguity is Ambiguity.REPLACED:
            return Ambiguity.REPLACED
        if found.ambiguity is Ambiguity.GONE:
            return self._resolve_gone(found, requested_at, last)
        if found.ambiguity is Ambiguity.QUIET:
            return self._resolve_quiet(found.action, requested_at)
        if found.ambiguity is Ambiguity.KNOWN_FAILURE:
            return self._resolve_failure(found, requested_at, last, missing_since)
        return self._resolve_result(found, requested_at, last, missing_since)

    def _resolve_result(
        self,
        found: AmbiguousAnswer,
        requested_at: float,
        last: Action | None,
        missing_since: float | None,
    ) -> Action | None:
        """Return a result if it belongs to the run of this wait, not to the run before."""
        if found.ambiguity is Ambiguity.IDLE:
            self._idle, self._gone = True, None  # the object exists
            return None
        run_was_seen = last is not None and last.kind is not Kind.OTHER
        if run_was_seen or (found.ambiguity is Ambiguity.OLD_RESULT and self._idle):
            return found.action
        if found.ambiguity is Ambiguity.OLD_RESULT:
            return None
        since = requested_at if missing_since is None else missing_since
        if requested_at >= since + self._grace - TICK:
            return structs.replace(found.action, evidence=Evidence.SAME_RESULT)
        return None

    def _resolve_failure(
        self,
        found: AmbiguousAnswer,
        requested_at: float,
        last: Action | None,
        missing_since: float | None,
    ) -> Resolved:
        """Return the failure of a database, unless it was there before the call or first answer."""
        if self._failure is None:
            self._failure = (
                found.discriminator if found.known_failure is None else found.known_failure
            )
        failure = self._failure
        if set(found.discriminator.split("+")) <= set(failure.split("+")):
            resolved = self.resolve(
                found.otherwise, requested_at=requested_at, last=last, missing_since=missing_since
            )
            self._failure = failure
            return resolved
        if self._busy_before and not self._quiet:
            return Ambiguity.REPLACED  # the failure may be that of the work before the call
        return found.action

    def _resolve_quiet(self, action: Action, requested_at: float) -> Action | None:
        """Return a database without work as settled, or as pending if work may still begin.

        Return None if the cluster may not have executed the call, and no work was seen.
        """
        self._failure, self._gone, self._quiet = "", None, True
        if self._busy:
            return action
        if self._may_not_have_begun:
            return None
        if self._quiet_since is None:
            self._quiet_since = requested_at
        if requested_at >= self._quiet_since + self._settling_time - TICK:
            return structs.replace(action, evidence=Evidence.QUIET)
        return structs.replace(action, phase=Phase.PENDING)

    def _resolve_gone(
        self, found: AmbiguousAnswer, requested_at: float, last: Action | None
    ) -> Action:
        """Return an object as gone once two answers say "not found", with the same mark."""
        if self._gone != found.discriminator:
            self._gone, self._gone_since = found.discriminator, requested_at
        if requested_at >= self._gone_since + GONE_CONFIRMATION - TICK:
            return structs.replace(found.action, evidence=Evidence.NOT_FOUND)
        if last is not None:
            return last
        return structs.replace(
            found.action, status=_NOT_FOUND, phase=Phase.PENDING, evidence=Evidence.ACTION
        )
