"""Tests of `_cli.replay`: `fake-cluster --replay`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.replay import serve_replay
from tests.capture_files import PATH, action, capture, exchange, write


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.enable_socket

HEAD = {"unknown": {"status": ["odd", "strange"], "state": ["new"]}}


def arguments(path: object, *options: str) -> Any:  # noqa: ANN401 - of argparse
    """Return the arguments of a replay."""
    return parse_arguments(["fake-cluster", "--replay", str(path), *options])


async def served(path: object, *options: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Serve a replay, send it a request, and end it as a signal does; return what it prints."""
    task = asyncio.create_task(serve_replay(arguments(path, *options)))
    printed = ""
    while not task.done() and "PASSWORD" not in printed and not printed.startswith("{"):
        await asyncio.sleep(0.1)
        printed += capsys.readouterr().out
    (url, *_) = [word for word in printed.replace('"', " ").split() if word.startswith("http://")]
    async with aiohttp.ClientSession() as session, session.get(f"{url}{PATH}") as answer:
        assert answer.status == 200
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return printed


@pytest.mark.prints_password
async def test_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints what the capture holds, and the settings for another terminal."""
    exchanges = exchange(1.0, **action("odd")), exchange(63.0, node=2)
    path = write(tmp_path, capture(*exchanges, nodes=2, **HEAD))
    first, holds, words, *_, url, user, _ = (
        await served(path, "--speed", "60", capsys=capsys)
    ).splitlines()

    assert first.startswith(f"A replay of {path} is at http://127.0.0.1:")
    assert holds == ("Requests: 2, in 1m 02s; nodes: 2; made with: redis-enterprise-actions 0.1.0")
    assert words == "Words that its client did not know: status: odd, strange; state: new"
    assert url.count("http://127.0.0.1:") == 2
    assert user == "export REDIS_ENTERPRISE_USER=admin@example.com"


@pytest.mark.prints_password
async def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints the addresses for a program."""
    path = write(tmp_path, capture(exchange(0, **action("queued")), made_with=""))
    printed = json.loads(await served(path, "--json", capsys=capsys))

    assert printed["v"] == 1
    assert len(printed["urls"]) == 1


@pytest.mark.prints_password
async def test_unknown_maker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A capture need not say what has made it, and has no unknown words as a rule."""
    content = capture(exchange(0, **action("queued")))
    del content["made_with"], content["unknown"]
    printed = await served(write(tmp_path, content), capsys=capsys)

    assert "made with: unknown" in printed
    assert "Words" not in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--version", "8.0"), "--version cannot be combined with --replay"),
        (("--scenario", "x"), "--scenario cannot be combined with --replay"),
        (("--control", "0"), "--control cannot be combined with --replay"),
        (("--speed", "0"), "--speed must be more than 0 with --replay"),
        (("--port", "99999"), "--port 99999 cannot be used"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_wrong_usage(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    """Options that cannot be are wrong usage."""
    path = write(tmp_path, capture(exchange(0)))

    with pytest.raises(UsageError, match=message):
        await serve_replay(arguments(path, *options))


async def test_port_taken(tmp_path: Path, unused_tcp_port: int) -> None:
    """So is a port that is taken."""
    path = write(tmp_path, capture(exchange(0)))
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", unused_tcp_port)
    async with server:
        with pytest.raises(UsageError, match=f"--port {unused_tcp_port} cannot be used"):
            await serve_replay(arguments(path, "--port", str(unused_tcp_port)))


async def test_bad_file(tmp_path: Path) -> None:
    """A file that is no capture is wrong usage, and the message names the field."""
    path = write(tmp_path, capture(exchange(0), exchange(1, status="200")))

    with pytest.raises(UsageError) as caught:
        await serve_replay(arguments(path))
    field = r"$.exchanges[1].status: Expected `int | null`, got `str`"
    assert str(caught.value) == f"--replay {path}: {field}"
