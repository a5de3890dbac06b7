"""Runs of a database's export, import or backup: which one a reference follows.

A transfer has no uid. Its status is a field of the database, which keeps the last result until it
is reset or the next transfer begins. A reference has the state before the call, the baseline, and
the time of the call. From 7.22 on /v2/actions shows when each transfer began.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard

import msgspec

from redis_enterprise_actions._client.wire.databases import TransferStatus, transfer_status
from redis_enterprise_actions._model.action import (
    TRANSFER_PHASES,
    Action,
    Ambiguity,
    AmbiguousAnswer,
    Kind,
    Phase,
    phase_of,
)
from redis_enterprise_actions._model.reference import TRANSFERS, Reference

from .actions_v2 import is_v2_only


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions._client.wire.databases import WireDatabase

_IDLE: Final = "idle"
_CLIENT_CLOCK: Final = "~"  # before a call time by the client's clock
_MAX_CLOCK_SKEW: Final = 2  # seconds between the clocks of nodes
_MAX_START_DELAY: Final = 60  # seconds from the call to the start of the transfer
_NOT_IN_REFERENCES: Final = re.compile(r"[^\w.:+-]", re.ASCII)
_MILLISECONDS: Final = re.compile(r"\d{1,15}", re.ASCII)
_MAX_LENGTH: Final = 40  # characters of a status or a time


class Baseline(NamedTuple):
    """State of a transfer before a call, and the time of the call, as in a reference.

    `status` and `last_time`, that of the last success, are empty if the client could not read the
    database. `call` is the time of the call in milliseconds; it is empty if it is not known, and
    begins with `~` if it is by the client's clock instead of the cluster's.
    """

    status: str = ""
    last_time: str = ""
    call: str = ""

    @property
    def call_time(self) -> int:
        """The time of the call in milliseconds, or 0 if it is not known."""
        text = self.call.removeprefix(_CLIENT_CLOCK)
        return int(text) if _MILLISECONDS.fullmatch(text) else 0

    @property
    def by_cluster_clock(self) -> bool:
        """True if the time of the call is known by the cluster's clock."""
        return self.call_time > 0 and not self.call.startswith(_CLIENT_CLOCK)

    @property
    def was_busy(self) -> bool:
        """True if another transfer was in progress before the call."""
        if self.status in {"", _IDLE}:
            return False
        return not phase_of(self.status, TRANSFER_PHASES).terminal

    def with_call_time(self, milliseconds: int, *, by_cluster_clock: bool) -> Baseline:
        """Return the baseline with the time of the call."""
        return self._replace(call=f"{'' if by_cluster_clock else _CLIENT_CLOCK}{milliseconds}")

    def write_to(self, ref: Reference) -> Reference:
        """Return a reference with this baseline."""
        return msgspec.structs.replace(ref, run=",".join(self))


def parse_baseline(ref: Reference) -> Baseline:
    """Return the baseline in a reference; an empty one if it does not follow a transfer."""
    if ref.kind not in TRANSFERS:
        return Baseline()
    status, last_time, call = [*ref.run.split(","), "", ""][:3]
    return Baseline(status, last_time, call)


def baseline_of(status: TransferStatus) -> Baseline:
    """Return the baseline for a call that is made while a transfer has this status."""
    word = _IDLE if status.is_idle else status.status.strip().casefold()
    return Baseline(
        *(_NOT_IN_REFERENCES.sub("", s)[:_MAX_LENGTH] for s in (word, status.last_time))
    )


def was_busy_before(ref: Reference | None) -> TypeGuard[Reference]:
    """Return True if a reference follows a transfer that was called for during another one."""
    return ref is not None and parse_baseline(ref).was_busy


def transfer_action(wire: WireDatabase, ref: Reference) -> Action | AmbiguousAnswer:
    """Return a database's transfer as an action, ambiguous if it may not be the one of `ref`."""
    status = transfer_status(wire, ref.kind)
    action = status.to_action(ref)
    if status.is_idle:
        return AmbiguousAnswer(Ambiguity.IDLE, action)
    if not status.is_result:
        return action
    if was_busy_before(ref):  # this may be the result of the transfer before
        return replaced(ref)
    return AmbiguousAnswer(Ambiguity.OLD_RESULT, action) if is_old_result(status, ref) else action


def is_old_result(status: TransferStatus, ref: Reference) -> bool:
    """Return True if a result was, or may have been, there before the call.

    Each success has a time of its own, so one with the time of the baseline is old, whatever the
    status was before the call: a node may answer with a result that was already reset.
    """
    baseline, now = parse_baseline(ref), baseline_of(status)
    is_known_success = (
        now.last_time != ""
        and now.last_time == baseline.last_time
        and phase_of(now.status, TRANSFER_PHASES) is Phase.COMPLETED
    )
    return not baseline.status or baseline[:2] == now[:2] or is_known_success


def replaced(ref: Reference) -> AmbiguousAnswer:
    """Return the answer for a transfer whose result was replaced by that of a later one."""
    name = ref.kind.value
    action = Action(uid=ref.name, name=name, kind=Kind(name), status="", phase=Phase.UNKNOWN)
    return AmbiguousAnswer(Ambiguity.REPLACED, action)


def needs_v2(seen: Action | AmbiguousAnswer, ref: Reference) -> bool:
    """Return True if /v2/actions may tell more than the database about a transfer."""
    in_progress = isinstance(seen, Action) and not seen.phase.terminal
    return parse_baseline(ref).by_cluster_clock and not in_progress


def transfer_action_from_v2(
    runs: Sequence[Action],
    ref: Reference,
    last: Action | None,
    seen: Action | AmbiguousAnswer,
    *,
    is_last_call: bool,
) -> Action | AmbiguousAnswer:
    """Return the transfer of `ref`, given the transfers that v2 shows and the database's answer.

    `is_last_call` says that this client has not called for a later one.
    """
    call_time = parse_baseline(ref).call_time
    run = find_run(runs, call_time, last)
    if run is None:
        is_idle = isinstance(seen, AmbiguousAnswer) and seen.ambiguity is Ambiguity.IDLE
        if is_idle or not _may_be_later_run(runs, call_time, is_last_call=is_last_call):
            return seen
        return replaced(ref)
    began = creation_timestamp(run)
    run = msgspec.structs.replace(run, uid=ref.name)
    if any(creation_timestamp(each) > began for each in runs):
        return run
    if isinstance(seen, Action):  # the database has the reason of a failure, v2 has not
        return seen if run.phase in {seen.phase, Phase.RUNNING} else run
    # In the second of the call an earlier transfer may have begun and ended as well.
    is_new = is_v2_only(last) or not run.phase.terminal or began > call_time // 1000
    return run if is_new else seen


def find_run(runs: Sequence[Action], call_time: int, last: Action | None) -> Action | None:
    """Return the transfer that was called for at `call_time` (milliseconds), or None if unclear.

    v2 has start times in seconds, by the clocks of several nodes.
    """
    if last is not None and is_v2_only(last):
        began = creation_timestamp(last)
        return next((run for run in runs if creation_timestamp(run) == began), None)
    second = call_time // 1000
    same = [run for run in runs if creation_timestamp(run) == second]
    later = [run for run in runs if second < creation_timestamp(run) <= second + _MAX_START_DELAY]
    if same or later:
        return min([*same, *later], key=creation_timestamp) if len(same) < 2 else None
    before = [run for run in runs if second - _MAX_CLOCK_SKEW <= creation_timestamp(run) < second]
    return before[0] if len(before) == 1 and not before[0].phase.terminal else None


def _may_be_later_run(runs: Sequence[Action], call_time: int, *, is_last_call: bool) -> bool:
    """Return True if a result may be that of a transfer that began after the one called for.

    If this was the client's last call, those that began about then are this one and earlier ones.
    """
    second = call_time // 1000
    began = [time for run in runs if (time := creation_timestamp(run)) >= second - _MAX_CLOCK_SKEW]
    return (len(began) > 1 and not is_last_call) or max(
        began, default=0
    ) > second + _MAX_START_DELAY


def creation_timestamp(action: Action) -> float:
    """Return the start of an action in Unix time, or 0 if it is not known."""
    return 0.0 if action.creation_time is None else action.creation_time.timestamp()
