"""Contenders of the benchmarks: our client, and the loops that people would write instead.

`CONTENDERS` maps a name to a function that imports its libraries and returns a coroutine function.
Given the URL of a cluster and the uids, the latter records the time at which each wait returned, in
seconds of `time.monotonic()`, and returns the errors of the other waits.

Each contender is written as its users would write it, with the library's defaults where they can
work, and with a pause of one second unless its name says otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import chain
from typing import Final, TypeAlias


Returned: TypeAlias = dict[str, float]
Way: TypeAlias = Callable[[str, list[str], Returned], Awaitable[list[BaseException]]]

PAUSE: Final = 1.0  # seconds
ENDS: Final = ("completed", "failed", "cancelled", "aborted")


async def each(
    uids: Iterable[str], wait: Callable[[str], Awaitable[object]], returned: Returned
) -> list[BaseException]:
    """Wait for each uid in a task of its own; return the errors."""

    async def noted(uid: str) -> None:
        await wait(uid)
        returned[uid] = time.monotonic()

    results = await asyncio.gather(*map(noted, uids), return_exceptions=True)
    return [result for result in results if result is not None]


def ours() -> Way:
    """Return our client, with its defaults."""
    from redis_enterprise_actions import ActionsClient

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        async with ActionsClient(url, username="u", password="p") as client:
            return await each(uids, client.wait_for_action, returned)

    return way


def plain(pause: float = PAUSE) -> Way:
    """Return a loop over aiohttp and msgspec; with a pause of one second it is the baseline."""
    import aiohttp
    import msgspec

    class Action(msgspec.Struct):
        status: str
        progress: float | str | None = None

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        async with aiohttp.ClientSession() as session:

            async def wait(uid: str) -> None:
                while True:
                    async with session.get(f"{url}/v1/actions/{uid}") as response:
                        body = await response.read()
                    if msgspec.json.decode(body, type=Action).status in ENDS:
                        return
                    await asyncio.sleep(pause)

            return await each(uids, wait, returned)

    return way


def one_list() -> Way:
    """Return a loop with one list a second for all waits, as a careful user may write it."""
    import aiohttp
    import msgspec

    class Entry(msgspec.Struct):
        action_uid: str
        status: str

    read = msgspec.json.Decoder(dict[str, list[Entry]]).decode

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        wanted = set(uids)
        async with aiohttp.ClientSession() as session:
            while wanted:
                async with session.get(f"{url}/v1/actions") as response:
                    entries = chain(*read(await response.read()).values())
                ended = {entry.action_uid for entry in entries if entry.status in ENDS}
                now = time.monotonic()
                returned.update((uid, now) for uid in ended & wanted)
                wanted -= ended
                await asyncio.sleep(PAUSE if wanted else 0)
        return []

    return way


def rust_client() -> Way:
    """Return a loop over `redis-enterprise`, the Rust client of this API; it pauses one second.

    That client has neither a waiter nor a call for actions, so a user would call its raw GET.
    """
    from redis_enterprise import EnterpriseClient

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        client = EnterpriseClient(base_url=url, username="u", password="p")

        async def wait(uid: str) -> None:
            while True:
                action = await client.get(f"/v1/actions/{uid}")
                if action["status"] in ENDS:
                    return
                await asyncio.sleep(PAUSE)

        return await each(uids, wait, returned)

    return way


BASE: Final = "plain loop"  # of the ratios
CONTENDERS: Final[dict[str, Callable[[], Way]]] = {
    "ours": ours,
    BASE: plain,
    "plain loop, 2 s": partial(plain, 2 * PAUSE),
    "redis-enterprise": rust_client,
    "one list": one_list,
}
