"""Fake cluster in a thread, for tests of commands, which run their own event loop."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, TypeVar

from redis_enterprise_actions.testing import FakeCluster, Plan


if TYPE_CHECKING:
    from collections.abc import Callable

_DEFAULT_PLAN = Plan()
_T = TypeVar("_T")


class ThreadedCluster:
    """Fake cluster in a thread of its own, so that commands can run in this one."""

    def __init__(self, **options: object) -> None:
        self.cluster = FakeCluster(**options)  # type: ignore[arg-type]
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._held_until = 0.0  # number of answers
        self._held_at = 0.0
        self._held_for = 0.0

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._real_clock = self._loop.time
        self._loop.time = self._clock  # type: ignore[method-assign]
        async with self.cluster:
            self._up.set()
            await self._end.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(60)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(60)

    def hold(self, *, answers: float = math.inf) -> None:
        """Stop the cluster's clock until it has given `answers` more answers.

        The answers show the state at that moment, however slow this machine is.
        """

        def on_the_loop(_: FakeCluster) -> None:
            self._held_at, self._held_until = self._loop.time(), self._answers + answers

        self.do(on_the_loop)

    def go_on(self) -> None:
        """Let the clock run again."""
        self.hold(answers=0)

    @property
    def _answers(self) -> int:
        return sum(request.status is not None for request in self.cluster.requests)

    def _clock(self) -> float:
        """Return the time, less the time for which the clock was stopped."""
        time = self._real_clock()
        if self._answers < self._held_until:
            self._held_for = time - self._held_at
        return time - self._held_for

    def do(self, job: Callable[[FakeCluster], _T]) -> _T:
        """Return `job(cluster)`, called on the cluster's loop."""

        async def on_the_loop() -> _T:
            return job(self.cluster)

        return asyncio.run_coroutine_threadsafe(on_the_loop(), self._loop).result(60)

    def add(
        self,
        name: str = "SMUpdateBDB",
        plan: Plan = _DEFAULT_PLAN,
        *,
        uid: str | None = None,
        bdb_uid: int | None = None,
        node_uid: int | None = None,
    ) -> str:
        """Call `add_action` on the cluster's loop."""
        return self.do(
            lambda cluster: cluster.add_action(
                name, plan, uid=uid, bdb_uid=bdb_uid, node_uid=node_uid
            )
        )
