"""What `list` and `watch` do: look at all that the cluster does, once or again and again."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn, Protocol, Self, TypeVar

import msgspec

from redis_enterprise_actions._cli.output import print_error, print_json, print_line
from redis_enterprise_actions._cli.terminal import can_draw
from redis_enterprise_actions._model.errors import ClusterUnreachable, RequestError, UsageError

from .query import Overview, selected, selection_of
from .table import Paper, fields, listed
from .watch_view import Live, Scene, told


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Sequence
    from types import TracebackType

    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.action import Action

    from .query import Selection

_T = TypeVar("_T")


async def look(args: argparse.Namespace, client: ActionsClient) -> int:
    """Print what is selected as it is now: a table, fields in a pipe, or JSON lines."""
    async with client:
        actions, _ = await seen(client, selection_of(args))
    if args.json:
        for action in actions:
            print_json(action)
    else:
        for line in _as_text(actions):
            print_line(line)
    if not actions:
        print_error("no actions")
    return 0


async def seen(client: ActionsClient, selection: Selection) -> tuple[list[Action], bool]:
    """Look once; return the selected actions, newest first, and True if all lists were seen.

    Complains about those that were not.
    """
    overview = Overview(client, selection)
    actions = selected(await overview.look(), selection)
    for missing in overview.missing:
        print_error(missing)
    return actions, not overview.missing


async def watch(args: argparse.Namespace, client: ActionsClient) -> int:
    """Show what is selected, again and again, until cancelled."""
    if args.once:
        return await look(args, client)
    scene = Scene(where=" ".join(client.urls), selection=selection_of(args), interval=args.interval)
    async with client:
        with _view(scene) as view:
            return await _follow(Overview(client, scene.selection), scene, view)


async def _follow(overview: Overview, scene: Scene, view: _View) -> NoReturn:
    """Show look after look. Raises a `RequestError` that another look would not mend."""
    while True:
        began = datetime.now(UTC)
        try:
            actions = await _meanwhile(overview.look(), view)
        except RequestError as error:
            if not error.transient:
                raise
            problem = error.reason if isinstance(error, ClusterUnreachable) else error.detail
            lost_at = scene.lost_at or began
            scene = msgspec.structs.replace(scene, problem=problem, lost_at=lost_at)
        else:
            scene = msgspec.structs.replace(
                scene,
                actions=tuple(actions),
                seen_at=datetime.now(UTC),
                lost_at=None,
                missing=tuple(overview.missing),
            )
        view.show(scene)
        await _meanwhile(asyncio.sleep(scene.interval), view)


async def _meanwhile(work: Coroutine[object, object, _T], view: _View) -> _T:
    """Await something, and keep the view fresh until it is there."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            view.draw()
            await asyncio.wait({task}, timeout=view.refresh)
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


# --- what a look is shown on --------------------------------------------------------------------


class _View(Protocol):
    """What shows scenes. `refresh` is after how many seconds it wants to draw anew, if ever."""

    refresh: float | None

    def show(self, scene: Scene) -> None: ...

    def draw(self) -> None: ...


class Lines:
    """Shows a line for each change, with its time."""

    refresh: float | None = None

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing: what is written stays."""

    def show(self, scene: Scene) -> None:
        """Tell what has changed."""
        for line in told(self._scene, scene):
            print_line(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {line}")
        self._scene = scene

    def draw(self) -> None:
        """Nothing, likewise."""


def _view(scene: Scene) -> Live | Lines:
    if _is_terminal():
        try:
            return Live(scene)
        except UsageError as error:
            print_error(f"{error}; until then there are lines")
    return Lines(scene)


def _as_text(actions: Sequence[Action]) -> list[str]:
    now = datetime.now(UTC)
    if sys.stdout is None or not sys.stdout.isatty():
        return fields(actions, now)
    paper = Paper(
        width=shutil.get_terminal_size().columns,
        now=now,
        colour=_is_terminal() and not os.environ.get("NO_COLOR") and os.name == "posix",
        letters=(sys.stdout.encoding or "").casefold().startswith("utf"),
    )
    return listed(actions, paper) if actions else []


def _is_terminal() -> bool:
    """Whether the output is a terminal that can do more than lines."""
    return sys.stdout is not None and sys.stdout.isatty() and can_draw(os.environ)
