"""What waits: our client, and what people would use instead.

`CONTENDERS` maps a name to a function that imports what it needs and returns the way to wait:
given the URL of a cluster and the uids, it notes for each the moment at which its wait returned,
in seconds of `time.monotonic()`, and returns what it raised for the others.

Each is written as its users would write it, with the library's defaults where they can work, and
with a pause of one second where the pause is theirs to choose.
"""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

import borrowed
from borrowed import ENDS, PAUSE, each


if TYPE_CHECKING:
    from collections.abc import Callable

    from borrowed import Returned, Way


def ours() -> Way:
    """Return our client, with its defaults."""
    from redis_enterprise_actions import ActionsClient

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        async with ActionsClient(url, username="u", password="p") as client:
            return await each(uids, client.wait_for_action, returned)

    return way


def plain() -> Way:
    """Return the loop that all are measured against: aiohttp, msgspec, one second."""
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
                    await asyncio.sleep(PAUSE)

            return await each(uids, wait, returned)

    return way


def one_list() -> Way:
    """Return what a careful user may write: one list a second that serves all waits."""
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


def tenacity_exponential() -> Way:
    """Return tenacity's exponential pauses for each wait: 0.5 s, doubled up to 10 s."""
    import aiohttp
    import msgspec
    import tenacity

    class Action(msgspec.Struct):
        status: str

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        async with aiohttp.ClientSession() as session:

            @tenacity.retry(
                wait=tenacity.wait_exponential(multiplier=0.5, max=10),
                retry=tenacity.retry_if_result(lambda status: status not in ENDS),
            )
            async def wait(uid: str) -> str:
                async with session.get(f"{url}/v1/actions/{uid}") as response:
                    return msgspec.json.decode(await response.read(), type=Action).status

            return await each(uids, wait, returned)

    return way


def httpx_pydantic() -> Way:
    """Return a loop over httpx and pydantic, one second.

    Two of httpx' defaults are not kept: a wait may queue for a connection as long as it takes,
    where the default raises PoolTimeout after 5 s, and no CA is loaded, as none is needed.
    """
    import httpx
    import pydantic

    class Action(pydantic.BaseModel):
        status: Literal[
            "queued", "starting", "running", "cancelling", "pending", "active",
            "completed", "failed", "cancelled", "aborted",
        ]  # fmt: skip
        progress: float | None = None

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        timeout = httpx.Timeout(30, pool=None)
        async with httpx.AsyncClient(base_url=url, timeout=timeout, verify=False) as client:

            async def wait(uid: str) -> None:
                while True:
                    response = await client.get(f"/v1/actions/{uid}")
                    response.raise_for_status()
                    if Action.model_validate_json(response.content).status in ENDS:
                        return
                    await asyncio.sleep(PAUSE)

            return await each(uids, wait, returned)

    return way


BASE: Final = "plain loop"  # what the others are measured against
CONTENDERS: Final[dict[str, Callable[[], Way]]] = {
    "ours": ours,
    BASE: plain,
    "tenacity": tenacity_exponential,
    "httpx": httpx_pydantic,
    "redis-enterprise": borrowed.redis_enterprise,
    "hcloud": borrowed.hcloud,
    "azure-core": borrowed.azure,
    "one list": one_list,
}
