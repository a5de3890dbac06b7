"""Waiters of other APIs' libraries, and a library of this API that has none, put to our use.

What is translated is the words of an answer, and where to ask; when to ask, and all that happens
on the way, is the library's own. `contenders.py` says what each function here returns.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias


Returned: TypeAlias = dict[str, float]
Way: TypeAlias = Callable[[str, list[str], Returned], Awaitable[list[BaseException]]]

PAUSE: Final = 1.0  # seconds
ENDS: Final = ("completed", "failed", "cancelled", "aborted")
_IN_HCLOUD: Final = {"completed": "success"} | dict.fromkeys(ENDS[1:], "error")
_IN_AZURE: Final = {"completed": "Succeeded"} | dict.fromkeys(ENDS[1:], "Failed")
_FOR_EVER: Final = 10**9  # polls


async def each(
    uids: Iterable[str], wait: Callable[[str], Awaitable[object]], returned: Returned
) -> list[BaseException]:
    """Wait for each uid in a task of its own; return what was raised."""

    async def noted(uid: str) -> None:
        await wait(uid)
        returned[uid] = time.monotonic()

    results = await asyncio.gather(*map(noted, uids), return_exceptions=True)
    return [result for result in results if result is not None]


def redis_enterprise() -> Way:
    """Return a loop over `redis-enterprise`, one second.

    It has neither a waiter nor a call for actions, so its raw GET is what a user would use.
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


def hcloud() -> Way:
    """Return hcloud's `BoundAction.wait_until_finished`, in a thread for each wait.

    Its interval is one second by default. Its limit of 120 polls is lifted. One client serves
    all threads; it keeps ten connections and opens others as needed.
    """
    from hcloud import Client
    from hcloud.actions import ActionsClient, BoundAction

    class OurActions(ActionsClient):
        def get_by_id(self, uid: str) -> BoundAction:
            said = self._client.request(method="GET", url=f"/actions/{uid}")
            status = _IN_HCLOUD.get(said["status"], "running")
            return BoundAction(self, {"id": uid, "status": status})

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        client = Client("token", api_endpoint=f"{url}/v1", poll_max_retries=_FOR_EVER)
        actions = OurActions(client)

        def wait(uid: str) -> None:
            BoundAction(actions, {"id": uid, "status": "running"}).wait_until_finished()
            returned[uid] = time.monotonic()

        loop = asyncio.get_running_loop()
        threads = ThreadPoolExecutor(len(uids))
        waits = (loop.run_in_executor(threads, wait, uid) for uid in uids)
        results = await asyncio.gather(*waits, return_exceptions=True)
        return [result for result in results if result is not None]

    return way


def azure() -> Way:
    """Return azure-core's `AsyncLROPoller` over `AsyncLROBasePolling` and its aiohttp transport.

    Its interval is set to one second, where 30 s is the default. The policies are those that a
    generated client has. The poller wants the answer to the call that started the operation,
    which a first GET stands in for: one request more for each wait.
    """
    from azure.core import AsyncPipelineClient
    from azure.core.pipeline import AsyncPipeline, PipelineResponse, policies
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.core.polling import AsyncLROPoller
    from azure.core.polling.async_base_polling import AsyncLROBasePolling
    from azure.core.polling.base_polling import LongRunningOperation
    from azure.core.rest import HttpRequest

    class OurOperation(LongRunningOperation):
        def can_poll(self, pipeline_response: PipelineResponse) -> bool:
            del pipeline_response
            return True

        def set_initial_status(self, pipeline_response: PipelineResponse) -> str:
            self._url = pipeline_response.http_response.request.url
            return self.get_status(pipeline_response)

        def get_polling_url(self) -> str:
            return self._url

        def get_status(self, pipeline_response: PipelineResponse) -> str:
            said = json.loads(pipeline_response.http_response.text())
            return _IN_AZURE.get(said["status"], "InProgress")

        def get_final_get_url(self, pipeline_response: PipelineResponse) -> None:
            del pipeline_response

    usual = (
        policies.RequestIdPolicy,
        policies.HeadersPolicy,
        policies.UserAgentPolicy,
        policies.ContentDecodePolicy,
        policies.AsyncRedirectPolicy,
        policies.AsyncRetryPolicy,
        policies.DistributedTracingPolicy,
        policies.HttpLoggingPolicy,
    )

    async def way(url: str, uids: list[str], returned: Returned) -> list[BaseException]:
        pipeline = AsyncPipeline(AioHttpTransport(), [policy() for policy in usual])
        async with AsyncPipelineClient(url, pipeline=pipeline) as client:

            async def wait(uid: str) -> None:
                first = await pipeline.run(HttpRequest("GET", f"{url}/v1/actions/{uid}"))
                polling = AsyncLROBasePolling(PAUSE, lro_algorithms=[OurOperation()])
                await AsyncLROPoller(client, first, lambda last: last, polling)

            return await each(uids, wait, returned)

    return way
