"""The commands `list` and `watch`."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec

from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.output import can_draw, print_error, print_json, print_line
from redis_enterprise_actions._cli.reference_cache import remember
from redis_enterprise_actions._model.errors import ClusterUnreachable, RequestError, UsageError
from redis_enterprise_actions._model.text import one_line

from .query import ActionQuery, select, selection_from
from .table import RenderContext, reference_of, render_list, tab_separated
from .watch_view import LineView, LiveView, WatchState


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Sequence

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.action import Action

    from .query import Selection

_T = TypeVar("_T")


def run_list(args: argparse.Namespace, _: Execution) -> Coroutine[object, object, int]:
    """Return the request for the list."""
    return list_actions(args, client_from_args(args))


def run_watch(args: argparse.Namespace, _: Execution) -> Coroutine[object, object, int]:
    """Return the live view."""
    return watch_actions(args, client_from_args(args))


async def list_actions(args: argparse.Namespace, client: ActionsClient) -> int:
    """Print the matching actions as a table, as fields in a pipe, or as `--output` says."""
    async with client:
        actions, _ = await fetch_selected(client, selection_from(args))
    actions = actions[: args.limit]
    remember(client.urls, map(reference_of, actions))
    if args.output == "table":
        for line in _format_actions(actions):
            print_line(line)
    else:
        for action in actions:
            print_one(action, args.output)
    if not actions:
        print_error("no actions")
    return 0


def print_one(action: Action, output: str) -> None:
    """Print an action as JSON, as its reference, or as a line of text."""
    if output == "json":
        print_json(action)
    else:
        print_line(one_line(reference_of(action)) if output == "name" else str(action))


async def fetch_selected(
    client: ActionsClient, selection: Selection, *, allow_partial: bool = True
) -> tuple[list[Action], bool]:
    """Return the matching actions, newest first, and True if no list was missing.

    Prints an error for each missing list. Without `allow_partial`, a list of actions of which a
    part cannot be read is an error.
    """
    query = ActionQuery(client, selection, allow_partial=allow_partial)
    actions = select(await query.fetch(), selection)
    for message in query.unavailable:
        print_error(message)
    return actions, not query.unavailable


async def watch_actions(args: argparse.Namespace, client: ActionsClient) -> int:
    """Show the matching actions at intervals, until cancelled."""
    if args.once:
        return await list_actions(args, client)
    state = WatchState(
        cluster=" ".join(client.urls), selection=selection_from(args), interval=args.interval
    )
    async with client:
        view: LineView | LiveView = LineView(state)
        # The live view has no room for the lines of `--verbose`.
        if _is_capable_terminal() and not (args.verbose and sys.stderr.isatty()):
            try:
                view = LiveView(state)
            except UsageError as error:
                print_error(f"{error}; printing lines instead")
        with view:
            return await _watch_until_cancelled(ActionQuery(client, state.selection), state, view)


async def _watch_until_cancelled(
    query: ActionQuery, state: WatchState, view: LineView | LiveView
) -> NoReturn:
    """Fetch and show actions. Raises `RequestError` unless a later request may succeed."""
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


async def _redraw_until_done(work: Coroutine[object, object, _T], view: LineView | LiveView) -> _T:
    """Await `work`, and redraw the view at intervals meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            view.redraw()
            await asyncio.wait({task}, timeout=view.redraw_interval)
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


def _format_actions(actions: Sequence[Action]) -> list[str]:
    now = datetime.now(UTC)
    if not sys.stdout.isatty():
        return tab_separated(actions, now)
    context = RenderContext(
        width=shutil.get_terminal_size().columns,
        now=now,
        colour=_is_capable_terminal() and not os.environ.get("NO_COLOR") and os.name == "posix",
        unicode=(sys.stdout.encoding or "").casefold().startswith("utf"),
    )
    return render_list(actions, context) if actions else []


def _is_capable_terminal() -> bool:
    """Return True if the output is a terminal that can move the cursor."""
    return sys.stdout.isatty() and can_draw(os.environ)
