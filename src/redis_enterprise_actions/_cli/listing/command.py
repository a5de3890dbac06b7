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

from .query import ActionQuery, select, selection_from
from .table import RenderContext, render_list, tab_separated
from .watch_view import LiveView, WatchState, describe_changes


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Sequence
    from types import TracebackType

    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.action import Action

    from .query import Selection

_T = TypeVar("_T")


async def list_actions(args: argparse.Namespace, client: ActionsClient) -> int:
    """Print what is selected as it is now: a table, fields in a pipe, or JSON lines."""
    async with client:
        actions, _ = await fetch_selected(client, selection_from(args))
    if args.json:
        for action in actions:
            print_json(action)
    else:
        for line in _format_actions(actions):
            print_line(line)
    if not actions:
        print_error("no actions")
    return 0


async def fetch_selected(client: ActionsClient, selection: Selection) -> tuple[list[Action], bool]:
    """Look once; return the selected actions, newest first, and True if all lists were seen.

    Complains about those that were not.
    """
    query = ActionQuery(client, selection)
    actions = select(await query.fetch(), selection)
    for missing in query.unavailable:
        print_error(missing)
    return actions, not query.unavailable


async def watch_actions(args: argparse.Namespace, client: ActionsClient) -> int:
    """Show what is selected, again and again, until cancelled."""
    if args.once:
        return await list_actions(args, client)
    state = WatchState(
        cluster=" ".join(client.urls), selection=selection_from(args), interval=args.interval
    )
    async with client:
        with _make_view(state) as view:
            return await _watch_until_cancelled(ActionQuery(client, state.selection), state, view)


async def _watch_until_cancelled(query: ActionQuery, state: WatchState, view: _View) -> NoReturn:
    """Show look after look. Raises a `RequestError` that another look would not mend."""
    while True:
        began = datetime.now(UTC)
        try:
            actions = await _redraw_until_done(query.fetch(), view)
        except RequestError as error:
            if not error.transient:
                raise
            problem = error.reason if isinstance(error, ClusterUnreachable) else error.detail
            outage_since = state.outage_since or began
            state = msgspec.structs.replace(state, problem=problem, outage_since=outage_since)
        else:
            state = msgspec.structs.replace(
                state,
                actions=tuple(actions),
                answered_at=datetime.now(UTC),
                outage_since=None,
                unavailable=tuple(query.unavailable),
            )
        view.show(state)
        await _redraw_until_done(asyncio.sleep(state.interval), view)


async def _redraw_until_done(work: Coroutine[object, object, _T], view: _View) -> _T:
    """Await something, and keep the view fresh until it is there."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            view.redraw()
            await asyncio.wait({task}, timeout=view.redraw_interval)
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


# --- what a look is shown on --------------------------------------------------------------------


class _View(Protocol):
    """What shows scenes. `refresh` is after how many seconds it wants to draw anew, if ever."""

    redraw_interval: float | None

    def show(self, state: WatchState) -> None: ...

    def redraw(self) -> None: ...


class LineView:
    """Shows a line for each change, with its time."""

    redraw_interval: float | None = None

    def __init__(self, state: WatchState) -> None:
        self._state = state

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing: what is written stays."""

    def show(self, state: WatchState) -> None:
        """Tell what has changed."""
        for line in describe_changes(self._state, state):
            print_line(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {line}")
        self._state = state

    def redraw(self) -> None:
        """Nothing, likewise."""


def _make_view(state: WatchState) -> LiveView | LineView:
    if _is_capable_terminal():
        try:
            return LiveView(state)
        except UsageError as error:
            print_error(f"{error}; until then there are lines")
    return LineView(state)


def _format_actions(actions: Sequence[Action]) -> list[str]:
    now = datetime.now(UTC)
    if sys.stdout is None or not sys.stdout.isatty():
        return tab_separated(actions, now)
    context = RenderContext(
        width=shutil.get_terminal_size().columns,
        now=now,
        colour=_is_capable_terminal() and not os.environ.get("NO_COLOR") and os.name == "posix",
        unicode=(sys.stdout.encoding or "").casefold().startswith("utf"),
    )
    return render_list(actions, context) if actions else []


def _is_capable_terminal() -> bool:
    """Whether the output is a terminal that can do more than lines."""
    return sys.stdout is not None and sys.stdout.isatty() and can_draw(os.environ)
