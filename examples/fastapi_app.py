"""FastAPI application that starts upgrades and shows how they go, with one client for all requests.

Usage: uvicorn fastapi_app:app, with the cluster in REDIS_ENTERPRISE_URL etc.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Annotated

from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from redis_enterprise_actions import (
    Action,
    ActionNotFound,
    ActionsClient,
    DatabaseNotFound,
    Operation,
    Outcome,
    RedisActionsError,
    RequestError,
    RequestRejected,
    UsageError,
)


HEARTBEAT = 15.0  # seconds; proxies close connections that are silent for a minute
ENDED = "ended"  # id of the last event, after which the browser does not connect again
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # the latter for nginx
# Ends of a wait after which the work may go on.
WAIT_STOPPED = {Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.STALLED}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Open the client in the server's event loop, and close it with the server."""
    async with ActionsClient.from_env(request_timeout=10) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/databases/{bdb_uid}/upgrade", status_code=202)
async def upgrade(bdb_uid: int, request: Request, response: Response) -> dict[str, object]:
    """Start the upgrade of a database. The answer does not wait for its end."""
    client: ActionsClient = request.app.state.client
    operation = await client.databases.upgrade(bdb_uid, outage_timeout=10)
    response.headers["Location"] = f"/operations/{operation.ref}"
    return {"ref": operation.ref}


@app.get("/operations/{ref:path}/events")
async def events(
    ref: str, request: Request, last_event_id: Annotated[str, Header()] = ""
) -> Response:
    """Send the changes of the work until its end, as server-sent events."""
    if last_event_id == ENDED:
        return Response(status_code=204)  # so that the browser does not connect again
    client: ActionsClient = request.app.state.client
    operation = client.operation(ref)
    await check_known(operation)
    stream = event_stream(operation)
    return StreamingResponse(stream, media_type="text/event-stream", headers=STREAM_HEADERS)


@app.get("/operations/{ref:path}")
async def operation(ref: str, request: Request) -> dict[str, object]:
    """Look once: return the work as it is now."""
    client: ActionsClient = request.app.state.client
    return (await client.get(ref)).to_dict()


async def event_stream(operation: Operation) -> AsyncGenerator[str]:
    """Yield the events of a wait, and comments while there are none."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    following = asyncio.create_task(follow(operation, queue))
    try:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    event = await queue.get()
            except TimeoutError:
                yield ": still waiting\n\n"
                continue
            if event is None:
                await following  # raises an unexpected error
                return
            yield event
    finally:
        following.cancel()  # the client has gone: the wait ends, and the work goes on


async def follow(operation: Operation, queue: asyncio.Queue[str | None]) -> None:
    """Wait for the end of the work; put an event for each change, one for the end, and None."""

    def on_progress(action: Action) -> None:
        queue.put_nowait(event_text("progress", action.to_dict()))

    try:
        action = await operation.wait(on_progress=on_progress)
        queue.put_nowait(event_text("completed", action.to_dict(), ENDED))
    except RedisActionsError as error:
        if error.outcome in WAIT_STOPPED:
            queue.put_nowait(event_text("wait_stopped", problem_of(error)))
        else:
            queue.put_nowait(event_text("problem", problem_of(error), ENDED))
    finally:
        queue.put_nowait(None)


async def check_known(operation: Operation) -> None:
    """Raise `ActionNotFound` for unknown work. An outage is left to the stream."""
    with suppress(RequestError):
        async with aclosing(operation.watch(outage_timeout=10)) as updates:
            await anext(updates)


def event_text(name: str, data: dict[str, object], event_id: str = "") -> str:
    """Return an event as text. JSON has no line breaks, which would end the event."""
    return f"event: {name}\nid: {event_id}\ndata: {json.dumps(data)}\n\n"


@app.exception_handler(RedisActionsError)
async def on_error(_: Request, error: RedisActionsError) -> JSONResponse:
    """Answer with the problem (RFC 9457). The message holds no secrets."""
    return JSONResponse(
        problem_of(error), status_code=status_of(error), media_type="application/problem+json"
    )


def problem_of(error: RedisActionsError) -> dict[str, object]:
    """Return an error as JSON has it; `outcome` is its kind in one or two words."""
    return {
        "title": type(error).__name__,
        "status": status_of(error),
        "detail": str(error),
        "outcome": error.outcome.value,
    }


def status_of(error: RedisActionsError) -> int:
    """Return the HTTP status for an error."""
    match error:
        case ActionNotFound() | DatabaseNotFound():
            return 404
        case UsageError():
            return 400
        case RequestRejected() if error.status in {404, 409}:
            return error.status
        case RequestRejected():
            return 502
        case RequestError():
            return 503
    return 500
