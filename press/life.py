"""Draws the life of a wait, as it was lived: one is run on the fake cluster, on virtual time.

What was asked, and when, is what the fake saw. Times are rounded to tenths of seconds, as real
sockets take a moment now and then even where the clock is not real.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import looptime

from redis_enterprise_actions import ActionsClient
from redis_enterprise_actions.testing import FakeCluster

from .svg import BLUE, GREEN, RED, document, dot, path, text


if TYPE_CHECKING:
    from redis_enterprise_actions import Action

_QUEUED, _RUNS, _OUTAGE = 10.0, 110.0, (45.0, 75.0)  # seconds
_WIDTH, _LEFT, _RIGHT = 480, 44, 466
_TOP, _BOTTOM = 40.0, 220.0  # of the progress
_ASKED, _TOLD = 256.0, 296.0  # the lines of requests and of callbacks
_END: Final = 130.0  # where the axis of time ends


@dataclass
class Life:
    """What happened, in seconds from the beginning of the wait."""

    asked: list[tuple[float, bool]] = field(default_factory=list)  # when, and whether answered
    told: list[tuple[float, float | None, str]] = field(default_factory=list)  # progress, status
    returned: float = 0.0


def lived() -> Life:
    """Run the wait and return what happened."""
    lots = random.getstate()
    random.seed(8)  # the pauses in an outage are drawn by lot
    loop = looptime.new_event_loop()
    try:
        return loop.run_until_complete(_live())
    finally:
        loop.close()
        random.setstate(lots)


async def _live() -> Life:
    life = Life()
    clock = asyncio.get_running_loop().time
    async with (
        FakeCluster() as fake,
        ActionsClient(fake.url, username=fake.username, password=fake.password) as client,
    ):
        began = clock()
        uid = fake.add_action(queued=_QUEUED, duration=_RUNS, progress="linear")
        outage = asyncio.create_task(_outage(fake))

        def tell(action: Action) -> None:
            life.told.append((round(clock() - began, 1), action.progress, action.status))

        await client.wait_for_action(uid, timeout=600, on_progress=tell)
        life.returned = round(clock() - began, 1)
        await outage
        life.asked = [(round(it.time - began, 1), it.status == 200) for it in fake.requests]
    return life


async def _outage(fake: FakeCluster) -> None:
    start, end = _OUTAGE
    await asyncio.sleep(start)
    fake.inject(times=None, status=503)
    await asyncio.sleep(end - start)
    fake.heal()


def draw() -> str:
    """Return the figure."""
    life = lived()
    shapes = [*_axes(), *_truth(), *_seen(life), *_lines(life)]
    return document("The life of a wait: what is, what is asked, what is told", _WIDTH, 352, shapes)


def _x(seconds: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * seconds / _END


def _y(progress: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * progress / 100


def _axes() -> list[str]:
    """Draw the grid, and the outage as a band."""
    start, end = (_x(at) for at in _OUTAGE)
    shapes = [
        (
            f'<rect x="{start:.1f}" y="{_TOP}" width="{end - start:.1f}" '
            f'height="{_TOLD - _TOP + 16}" fill="{RED}" fill-opacity=".12"/>'
        ),
        text((start + end) / 2, _TOP + 16, "outage", "small", "middle"),
    ]
    for seconds in range(0, int(_END) + 1, 20):
        x = _x(seconds)
        shapes.append(path(f"M{x:.1f} {_TOP}V{_TOLD + 16}", "faint"))
        shapes.append(text(x, _TOLD + 32, f"{seconds} s", "small", "middle"))
    for progress in (0, 50, 100):
        shapes.append(path(f"M{_LEFT} {_y(progress):.1f}H{_RIGHT}", "faint"))
        shapes.append(text(_LEFT - 9, _y(progress) + 4, f"{progress} %", "small", "end"))
    return shapes


def _truth() -> list[str]:
    """Draw how the work really goes."""
    begins, ends = _x(_QUEUED), _x(_QUEUED + _RUNS)
    return [
        text(_LEFT, 20, "line: the work itself; dots: what the wait saw of it", "small"),
        path(f"M{_x(0):.1f} {_y(0)}H{begins:.1f}L{ends:.1f} {_y(100)}"),
    ]


def _seen(life: Life) -> list[str]:
    """Draw what the wait saw, where there was progress to see."""
    seen = [(at, progress) for at, progress, _ in life.told if progress is not None]
    return [dot(_x(at), _y(progress), 4, BLUE) for at, progress in seen]


def _lines(life: Life) -> list[str]:
    """Draw when the cluster was asked, and when the caller was told."""
    good = sum(answered for _, answered in life.asked)
    asked = f"requests: {good} answered, {len(life.asked) - good} in vain"
    shapes = [text(_LEFT, _ASKED - 12, asked, "small")]
    shapes += [
        dot(_x(at), _ASKED, 4, BLUE if answered else RED, hollow=not answered)
        for at, answered in life.asked
    ]
    shapes.append(text(_LEFT, _TOLD - 12, f"on_progress: {len(life.told)} calls", "small"))
    shapes += [dot(_x(at), _TOLD, 4, GREEN) for at, _, _ in life.told]
    late = life.returned - _QUEUED - _RUNS
    ends = f"the work ended at {_QUEUED + _RUNS:g} s, the wait {late:.1f} s later"
    shapes.append(text(_RIGHT, _TOLD + 50, ends, "small", "end"))
    return shapes
