"""Settings that the API reads from the query are sent there, and refused in a body.

`dry_run` and its like are query parameters of rebalance and revamp, for which no body is
documented. The faults: the client sent them in the body, so that a dry run started the work; and it
took the dry run of an Active-Active database, which is a task with a verdict, for complete.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import aiohttp
from programs import check, run, summary
from servers import action, answer, client_of

from redis_enterprise_actions import ActionsClient, UsageError
from redis_enterprise_actions.testing import FakeCluster


if TYPE_CHECKING:
    from aiohttp import web

PATH = "/v1/bdbs/1/actions/rebalance"


async def _dry_run_of_a_rebalance() -> None:
    sent: list[tuple[str, bytes]] = []

    async def serve(request: web.BaseRequest) -> web.Response:
        if request.method == "PUT":
            sent.append((request.path_qs, await request.read()))
        return answer({"uid": 1, "status": "active"} | action("active"))

    async with client_of(serve) as client:
        await client.databases.rebalance(1, {"dry_run": True})
        check(sent == [(f"{PATH}?dry_run=true", b"{}")], f"rebalance sends {sent}")

        refusal: UsageError | None = None
        try:
            await client.submit("PUT", PATH, {"dry_run": True})
        except UsageError as error:
            refusal = error
        check(refusal is not None and len(sent) == 1, f"submit with a body: {summary(refusal)}")


async def _dry_run_of_a_crdb() -> None:
    async with (
        FakeCluster() as fake,
        ActionsClient(fake.url, username=fake.username, password=fake.password) as client,
    ):
        operation = await client.submit(
            "POST", "/v1/crdbs", {"name": "only-a-dry-run"}, params={"dry_run": "true"}
        )
        check(bool(operation.ref), f"the dry run of an Active-Active database is {operation.ref}")
        [end] = await client.wait_for(operation, settle=True, timeout=60)
        pair = base64.b64encode(f"{fake.username}:{fake.password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(f"{fake.url}/v1/crdbs") as response,
        ):
            crdbs = await response.json()
        check(crdbs == {"crdbs": []}, f"{summary(end)}; databases afterwards: {crdbs}")


async def _main() -> None:
    await _dry_run_of_a_rebalance()
    await _dry_run_of_a_crdb()


if __name__ == "__main__":
    run(_main, virtual=True)
