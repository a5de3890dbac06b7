"""The public interface as type checkers see it; mypy and pyright read this, nothing runs it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_type

from tenacity import RetryCallState, wait_exponential, wait_fixed, wait_random

from redis_enterprise_actions import (
    Action,
    ActionFailed,
    ActionsClient,
    AimedWait,
    ClusterUnreachable,
    PendingOp,
    Phase,
    RequestError,
    WaitError,
    WaitTimeout,
)
from redis_enterprise_actions.testing import FakeCluster, SeenRequest


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def show(action: Action) -> None:
    """Be a callback."""


async def show_later(action: Action) -> None:
    """Be a coroutine callback."""


def own_schedule(state: RetryCallState) -> float:
    """Be a wait strategy."""
    return state.attempt_number / 2


async def token() -> str:
    """Be a token function."""
    return "token"


def clients(file: Path) -> None:
    """Make clients of all kinds."""
    assert_type(ActionsClient("https://n1:9443"), ActionsClient)
    ActionsClient(["https://n1:9443", "https://n2:9443"], token=token, fingerprint="AB" * 32)
    ActionsClient("https://n1:9443", token=lambda: "token", trusted_hosts=("10.0.0.7",))
    ActionsClient("https://n1:9443", username="ops", password="p", auth="jwt", ca_file=file)
    ActionsClient("https://n1:9443", client_cert=file, client_key=str(file), verify=False)
    assert_type(ActionsClient.from_env(), ActionsClient)
    ActionsClient.from_env(url=None, token=token, auth=None, trusted_hosts=["10.0.0.7"])


def what_was_tried(error: ClusterUnreachable) -> None:
    """Look at what was tried."""
    assert_type(error.nodes, tuple[str, ...])
    assert_type(error.sent, bool)


async def client_api(client: ActionsClient) -> None:
    """Use the client."""
    assert_type(await client.list_actions(), list[Action])
    assert_type(await client.list_actions(bdb_uid=1), list[Action])
    assert_type(await client.get_action("x"), Action)
    assert_type(
        await client.wait_for_action(
            "x", timeout=1.5, poll=wait_fixed(1) + wait_random(0, 1), on_progress=show_later
        ),
        Action,
    )
    watch = client.watch_action("x", timeout=timedelta(1), poll=own_schedule, on_progress=print)
    checked: AsyncIterator[Action] = watch
    async for action in checked:
        assert_type(action, Action)
    several = await client.wait_for_actions(["x"], poll=wait_exponential(), on_progress=show)
    assert_type(several, list[Action])
    await client.wait_for_action("x", poll=AimedWait(0.5, cap=30))
    settled = await client.wait_for_actions(["x"], settle=True, stall_timeout=5)
    assert_type(settled, list[Action | WaitError | RequestError])
    task = asyncio.create_task(client.wait_for_action("x"))
    assert_type(await task, Action)


async def make() -> None:
    """Make clients."""
    async with ActionsClient("https://x", username="a", password="b", ca_file="c") as client:
        assert_type(client, ActionsClient)
    assert_type(ActionsClient.from_env(verify=False), ActionsClient)


def action_api(action: Action) -> None:
    """Read an action."""
    assert_type(action.uid, str)
    assert_type(action.phase, Phase)
    assert_type(action.phase.terminal, bool)
    assert_type(action.progress, float | None)
    assert_type(action.heartbeat, datetime | None)
    assert_type(action.pending_ops, tuple[PendingOp, ...])


def errors(error: Exception) -> None:
    """Read errors."""
    if isinstance(error, ActionFailed):
        assert_type(error.error_code, str | None)
    if isinstance(error, WaitTimeout):
        assert_type(error.action, Action | None)
        assert_type(error.elapsed, float)
    if isinstance(error, ClusterUnreachable):
        assert_type(error.attempts, int)
        assert_type(error.status, int | None)


async def fake_api() -> None:
    """Use the fake."""
    async with FakeCluster(version="7.22") as cluster:
        assert_type(cluster, FakeCluster)
        assert_type(cluster.add_action("x", outcome="failed", progress="linear"), str)
        cluster.inject(status=503, retry_after=5)
        assert_type(cluster.requests, list[SeenRequest])
