"""Base of the resources: calls that start work, waits, and lists of what runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.operation import Operation
from redis_enterprise_actions._client.pacing.durations import seconds
from redis_enterprise_actions._client.submit.request import build_request
from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from redis_enterprise_actions._client.operation import ClientParts
    from redis_enterprise_actions._client.pacing.durations import Duration

    Untracked: TypeAlias = Literal["refused", "completed"]

_T = TypeVar("_T")

_UNTRACKED: Final = ("refused", "completed")


class Resource:
    """One kind of object of a cluster, and what can be done with it."""

    def __init__(self, parts: ClientParts) -> None:
        self._parts = parts

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


async def submit(
    parts: ClientParts,
    method: str,
    path: str,
    json: object,
    *,
    params: Mapping[str, object] | None,
    headers: Mapping[str, str] | None,
    busy_timeout: Duration | None,
    outage_timeout: Duration | None,
    request_timeout: Duration | None,
    untracked: Untracked,
) -> Operation:
    """Send a call that starts work; see `ActionsClient.submit`."""
    busy = seconds(busy_timeout, "busy_timeout")
    outage = seconds(outage_timeout, "outage_timeout")
    limit = None if request_timeout is None else seconds(request_timeout, "request_timeout")
    if limit is not None and not 0 < limit < math.inf:
        raise UsageError("request_timeout= must be more than 0 and not endless")
    if untracked not in _UNTRACKED:
        raise UsageError(f"untracked={untracked!r} is none of {', '.join(_UNTRACKED)}")
    request = build_request(
        method,
        path,
        json,
        params,
        headers,
        request_timeout=limit,
        client_timeout=parts.submitter.request_timeout,
    )
    started = await parts.submitter.start(request, busy_timeout=busy, outage_timeout=outage)
    accepted = untracked == "completed" and not started.still_running
    return Operation(
        parts,
        started.ref,
        call=f"{request.call.method} {request.call.path}",
        answer=started.answer,
        problem=None if accepted else started.problem,
    )


def merge(settings: Mapping[str, object] | None, **own: object) -> dict[str, object]:
    """Return settings of the caller together with the fields that a call has of its own."""
    if settings is not None and not isinstance(settings, Mapping):
        raise UsageError("settings= is not a mapping of names to values")
    return {**(settings or {}), **own}


def as_list(values: Iterable[_T], name: str) -> list[_T]:
    """Return several values as a list; raise `UsageError` for one value."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise UsageError(f"{name}= is not a list of values")
    return list(values)
