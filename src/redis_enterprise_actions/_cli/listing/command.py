"""The commands `list` and `watch`."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec

from redis_enterprise_actions._cli.action_references import short_reference_to
from redis_enterprise_actions._cli.connection import client_from_args
from redis_enterprise_actions._cli.keys import Keyboard
from redis_enterprise_actions._cli.output import (
    NEEDS_RICH,
    can_draw,
    print_error,
    print_json,
    print_line,
)
from redis_enterprise_actions._cli.reference_cache import remember
from redis_enterprise_actions._model.errors import ClusterUnreachable, RequestError
from redis_enterprise_actions._model.text import one_line

from .query import ActionQuery, resolve_selection, select, selection_from
from .table import tab_separated
from .watch_view import LineView, WatchState


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Sequence

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.client import ActionsClient
    from redis_enterprise_actions._model.action import Action

    from .query import Selection
    from .screens import LiveView

_T = TypeVar("_T")


def run_list(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the request for the list."""
    return list_actions(args, client_from_args(args, execution))


def run_watch(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the live view."""
    return watch_actions(args, client_from_args(args, execution))


async def list_actions(args: argparse.Namespace, client: ActionsClient) -> int:
    """Print the matching actions as a table, as fields in a pipe, or as `--output` says."""
    async with client:
        actions, _ = await fetch_selected(client, selection_from(args))
    actions = actions[: args.limit]
    remember(client.urls, map(short_reference_to, actions))
    if args.output == "table":
        _print_actions(actions)
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
        print_line(one_line(short_reference_to(action)) if output == "name" else str(action))


async def fetch_selected(
    client: ActionsClient, selection: Selection, *, allow_partial: bool = True
) -> tuple[list[Action], list[RequestError]]:
    """Return the matching actions, newest first, and the error of each list that is missing.

    Prints an error for each missing list. Without `allow_partial`, a list of actions of which a
    part cannot be read is an error.
    """
    selection = await resolve_selection(client, selection)
    query = ActionQuery(client, selection, allow_partial=allow_partial)
    actions = select(await query.fetch(), selection)
    for message in query.unavailable:
        print_error(message)
    return actions, query.errors


async def watch_actions(args: argparse.Namespace, client: ActionsClient) -> int:
    """Show the matching actions at intervals, until cancelled."""
    if args.once:
        return await list_actions(args, client)
    async with client:
        selection = await resolve_selection(client, selection_from(args))
        cluster = " ".join(client.urls)
        state = WatchState(cluster=cluster, selection=selection, interval=args.interval)
        query, quit_key = ActionQuery(client, state.selection), asyncio.Event()
        # The live view has no room for the lines of `--verbose`.
        if (args.verbose and sys.stderr.isatty()) or not _can_draw():
            with LineView(state) as lines:
                return await _watch_until_cancelled(query, state, lines)
        from .screens import LiveView  # noqa: PLC0415 - needs rich, an extra

        with Keyboard("q", quit_key.set) as keyboard, LiveView(state, keyboard) as view:
            quitting = asyncio.ensure_future(quit_key.wait())
            watching = asyncio.ensure_future(_watch_until_cancelled(query, state, view))
            try:
                await asyncio.wait({quitting, watching}, return_when=asyncio.FIRST_COMPLETED)
                return 0 if quitting.done() else watching.result()
            finally:
                quitting.cancel()
                watching.cancel()
                await asyncio.wait({quitting, watching})


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


def _print_actions(actions: Sequence[Action]) -> None:
    """Print actions as a table on a terminal, else as fields between tabs."""
    if actions and sys.stdout.isatty() and _has_rich("fields between tabs, as a table"):
        from .screens import print_table  # noqa: PLC0415 - needs rich, an extra

        print_table(actions)
        return
    for line in tab_separated(actions, datetime.now(UTC)):
        print_line(line)


def _can_draw() -> bool:
    """Return True if the output is a terminal that can move the cursor, and rich is there."""
    terminal = sys.stdout.isatty() and can_draw(os.environ)
    return terminal and _has_rich("plain lines, as a live view")


def _has_rich(instead: str) -> bool:
    """Return True if rich can be imported; else say so."""
    if find_spec("rich") is not None:
        return True
    print_error(f"redis-actions: {instead} {NEEDS_RICH}")
    return False
