"""Small faults: log lines, callbacks, records, closed standard error, reports, SIGHUP.

Each line of the output says which fault it is about.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import shlex
import signal
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from programs import COMMAND, check, command, inherited, process, run, settings, summary
from servers import action, answer, client_of, serving
from tenacity import wait_fixed

from redis_enterprise_actions import Recorder, WaitTimeout


if TYPE_CHECKING:
    from typing import NoReturn

    from aiohttp import web

    from redis_enterprise_actions import Action, Record

LOGGER = logging.getLogger("redis_enterprise_actions")
FORGED = "abc\nCRITICAL forged\x1b[31m"


def _raise_stop_iteration(_: Action) -> None:
    next(iter(()))


def _fail(_: Record) -> NoReturn:
    raise ValueError  # which is logged


async def _completed(request: web.BaseRequest) -> web.Response:
    return answer(action("completed"))


async def _active(request: web.BaseRequest) -> web.Response:
    return answer(action("active"))


async def _forged_text() -> None:
    async def serve(request: web.BaseRequest) -> web.Response:
        return answer(action("completed", uid=FORGED))

    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    LOGGER.addHandler(handler)
    try:
        async with client_of(serve) as client:
            client.observe(_fail)
            operation = await client.submit("POST", "/v1/bdbs/1/upgrade")
            await client.wait_for(operation, settle=True, timeout=20)
    finally:
        LOGGER.removeHandler(handler)
    forged = [line for line in log.getvalue().splitlines() if line.startswith("CRITICAL")]
    check(bool(log.getvalue()) and not forged, f"log lines that a uid forged: {forged!a}")
    shown = repr(operation)
    check(shown.isprintable(), f"repr of an operation: {shown!a}")


async def _stop_iteration() -> None:
    async with client_of(_completed) as client:
        try:
            end: object = await asyncio.wait_for(
                client.wait_for_action("a", on_progress=_raise_stop_iteration), timeout=10
            )
        except Exception as error:  # noqa: BLE001 - the program checks for any error
            end = error
    named = isinstance(end, RuntimeError) and _raise_stop_iteration.__name__ in str(end)
    check(named, f"StopIteration of a callback: {summary(end)}")


async def _size_of_a_record() -> None:
    looks = 0

    async def serve(request: web.BaseRequest) -> web.Response:
        nonlocal looks
        looks += 1
        return answer(action(f"strange {looks} {'x' * 200_000}"))

    recorder = Recorder()
    logging.disable(logging.CRITICAL)  # each unknown status is logged
    async with client_of(serve) as client:
        try:
            await client.wait_for_action("a", timeout=5, poll=wait_fixed(0.5), recorder=recorder)
        except WaitTimeout:
            size = len(msgspec.json.encode(recorder.records())) >> 10
            check(size < 256, f"record of {looks} long unknown statuses: {size} KiB")
    logging.disable(logging.NOTSET)


async def _closed_standard_error() -> None:
    async def serve(request: web.BaseRequest) -> web.Response:
        return answer({}, 403)  # which the command complains of

    async with serving(serve) as url:
        line = f"{shlex.join(COMMAND)} list --json 2>&-"
        ended = await process("sh", "-c", line, environ=settings(url))
    lines = ended.out.splitlines()
    clean = all(line.startswith("{") and json.loads(line) for line in lines)
    check(clean, f"standard error closed, on standard output: {lines}")


async def _report_to_a_fifo(place: str) -> None:
    fifo = f"{place}/fifo.json"
    os.mkfifo(fifo)
    async with serving(_completed) as url:
        reading = asyncio.create_task(process("cat", fifo, limit=60))
        await asyncio.sleep(0.3)
        await command("wait", "a", "--output", "plain", "--report", fifo, url=url)
        read = await reading
    still = stat.S_ISFIFO(os.lstat(fifo).st_mode)
    check(
        still and read.code == 0 and bool(read.out),
        f"a report to a FIFO: one still: {still}, read: {read.code}",
    )


async def _mode_of_a_report(place: str) -> None:
    report = f"{place}/report.json"
    os.close(os.open(report, os.O_CREAT | os.O_WRONLY, 0o600))
    async with serving(_completed) as url:
        await command("wait", "a", "--output", "plain", "--report", report, url=url)
    mode = stat.S_IMODE(os.lstat(report).st_mode)
    check(mode == 0o600, f"mode of a report that was 0o600: {mode:#o}")


def _exists(file: str) -> bool:
    return Path(file).exists()


async def _hangup(place: str) -> None:
    report = f"{place}/hangup.json"
    async with serving(_active) as url:
        waiting = await asyncio.create_subprocess_exec(
            *(*COMMAND, "wait", "a", "--output", "plain", "--report", report),
            stderr=asyncio.subprocess.PIPE,
            env=inherited() | settings(url),
        )
        assert waiting.stderr is not None
        await waiting.stderr.readline()
        waiting.send_signal(signal.SIGHUP)
        await waiting.communicate()
    check(_exists(report), f"report written after SIGHUP: {_exists(report)}")


async def _main() -> None:
    await _forged_text()
    await _stop_iteration()
    await _size_of_a_record()
    await _closed_standard_error()
    with tempfile.TemporaryDirectory() as place:
        await _report_to_a_fifo(place)
        await _mode_of_a_report(place)
        await _hangup(place)


if __name__ == "__main__":
    run(_main)
