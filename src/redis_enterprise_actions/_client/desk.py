"""Where one reference is taken: to watch what it names, to wait for it, to cancel it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypedDict

from redis_enterprise_actions._client.pacing.schedules import seconds
from redis_enterprise_actions._client.polling.wait_state import Limits, Wait
from redis_enterprise_actions._client.polling.watch import watch
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.record import Recorder
from redis_enterprise_actions._model.reference import TRANSFERS


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import timedelta
    from typing import Unpack

    from tenacity.wait import WaitBaseT

    from redis_enterprise_actions._client.polling.poller import Hub
    from redis_enterprise_actions._client.submit.submitter import Submission
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.record import FinishedAction, Observer
    from redis_enterprise_actions._model.reference import Reference

_TRANSFER_GRACE: Final = 60.0  # seconds for which an export may be about to begin
_DURATIONS: Final = ("timeout", "stall_timeout", "outage_timeout", "not_found_grace")


class WaitOptions(TypedDict, total=False):
    """What a wait takes; see `ActionsClient.wait_for_action`."""

    timeout: float | timedelta | None
    poll: WaitBaseT | None
    on_progress: Callable[[Action], object] | None
    stall_timeout: float | timedelta | None
    outage_timeout: float | timedelta | None
    not_found_grace: float | timedelta
    recorder: Recorder | None


class Desk:
    """Follows what references name, for one client."""

    def __init__(self, hub: Hub, submission: Submission) -> None:
        self._hub = hub
        self._submission = submission
        self.observers: list[Observer] = []

    def watch(self, ref: Reference, **options: Unpack[WaitOptions]) -> AsyncGenerator[Action, None]:
        """Iterate over its life: the first answer, each change, the end last."""
        return self._watch(_wait(ref, options), options)

    async def wait(self, ref: Reference, **options: Unpack[WaitOptions]) -> FinishedAction:
        """Wait until it has completed, and return it as it is then."""
        wait = _wait(ref, options)
        async for _ in self._watch(wait, options, every=False):
            pass
        return wait.result(asyncio.get_running_loop().time())

    async def cancel(self, ref: Reference, *, force: bool) -> None:
        """Ask the cluster to cancel it."""
        await self._submission.cancel(ref, force=force)

    def _watch(
        self, wait: Wait, options: WaitOptions, *, every: bool = True
    ) -> AsyncGenerator[Action, None]:
        return watch(
            self._hub,
            wait,
            on_progress=options.get("on_progress"),
            recorder=options.get("recorder"),
            observers=self.observers,
            following=self._submission.lookup.following,
            every=every,
        )


def checked(options: WaitOptions) -> dict[str, float]:
    """Check what a wait is given; return its durations, in seconds."""
    unknown = options.keys() - WaitOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"a wait takes no {min(unknown)}=")
    poll, on_progress, recorder = map(options.get, ("poll", "on_progress", "recorder"))
    if poll is not None and (not callable(poll) or isinstance(poll, type)):
        raise UsageError(f"poll={poll!r} is not a tenacity wait strategy")
    if on_progress is not None and not callable(on_progress):
        raise UsageError(f"on_progress={on_progress!r} cannot be called")
    if recorder is not None and not isinstance(recorder, Recorder):
        raise UsageError(f"recorder={recorder!r} is not a Recorder")
    return {name: seconds(options.get(name), name) for name in _DURATIONS if name in options}


def _wait(ref: Reference, options: WaitOptions) -> Wait:
    """Check the options; return a wait that begins now."""
    limits = checked(options)
    if ref.track in TRANSFERS:
        limits.setdefault("not_found_grace", _TRANSFER_GRACE)
    now = asyncio.get_running_loop().time()
    return Wait(
        ref,
        limits=Limits(**limits),
        poll=options.get("poll"),
        now=now,
        wall=datetime.now(UTC),
    )
