"""Plays troubles on the fake, from when they are drawn until they are over or called off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from .chaos import Trouble, fault_of


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .faults import Fault
    from .nodes import Nodes


class Player:
    """The troubles of one cluster: each schedule has a task, until `close`."""

    def __init__(self, nodes: Nodes, revoke: Callable[[], None]) -> None:
        self._nodes = nodes
        self._revoke = revoke
        self._troubles: list[Trouble] = []  # the oldest first, in the loop's time
        self._elections = 0  # under way
        self._tasks: list[asyncio.Task[None]] = []

    def play(self, troubles: Sequence[Trouble]) -> None:
        """Let troubles happen, whose times are counted from now."""
        now = _now()
        dated = [replace(each, begins=now + each.begins, ends=now + each.ends) for each in troubles]
        self._troubles = sorted([*self._troubles, *dated], key=lambda trouble: trouble.begins)
        self._tasks.append(asyncio.create_task(self._run(dated)))

    def fault(self, node: int) -> Fault | None:
        """Return what an answer of a node suffers from now."""
        return fault_of(self._troubles, node, _now())

    def end(self) -> None:
        """Call everything off; nodes that are stopped stay so."""
        self._troubles.clear()
        for task in self._tasks:
            task.cancel()
        if self._elections:
            self._elections = 0
            self._nodes.elect()

    async def close(self) -> None:
        """Call everything off and wait for it. Raises what went wrong while it was played."""
        self.end()
        tasks, self._tasks = self._tasks, []
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _run(self, troubles: Sequence[Trouble]) -> None:
        stopped: set[Trouble] = set()
        moments = [(each.begins, True, each) for each in troubles]
        moments += [(each.ends, False, each) for each in troubles]
        for at, begins, trouble in sorted(moments, key=lambda moment: moment[:2]):
            await asyncio.sleep(at - _now())
            if trouble.kind == "restart":
                await (self._stop if begins else self._start)(trouble, stopped)
            elif trouble.kind == "election":
                self._elect(begins=begins)
            elif trouble.kind == "failover" and begins:
                self._nodes.fail_over(trouble.node)
            elif trouble.kind == "revoke" and begins:
                self._revoke()

    async def _stop(self, trouble: Trouble, stopped: set[Trouble]) -> None:
        running = self._nodes.running
        if trouble.node in running and len(running) > 1:
            stopped.add(trouble)
            await self._nodes.stop(trouble.node)

    async def _start(self, trouble: Trouble, stopped: set[Trouble]) -> None:
        """Start what the same trouble has stopped, unless somebody else has, or it was removed."""
        if trouble.node is None or trouble not in stopped:
            return
        if trouble.node in {*self._nodes.running, *self._nodes.gone}:
            return
        await self._nodes.start(trouble.node)
        if self._elections:
            self._nodes.primary = None

    def _elect(self, *, begins: bool) -> None:
        self._elections += 1 if begins else -1
        if begins:
            self._nodes.primary = None
        elif not self._elections:
            self._nodes.elect()


def _now() -> float:
    return asyncio.get_running_loop().time()
