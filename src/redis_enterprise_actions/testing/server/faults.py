"""Faults of answers: bad statuses, closed connections, spoiled bodies."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from math import inf, nan
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from aiohttp import web

from redis_enterprise_actions.testing.wrong_argument import WrongArgument


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | float | bool | None"

_ENDED: Final = frozenset({"completed", "failed", "cancelled", "aborted"})
_BAD_STATUS: Final = 42  # statuses are words
_HANDLES: Final = ("action_uid", "task_id", "id")  # fields that name the work a call started
_FAULTS: Final = (  # arguments of `inject`, each of which is a fault by itself, if it is set
    "status",
    "delay",
    "hang",
    "drop",
    "lose",
    "truncate",
    "empty",
    "bad_entry",
    "nan",
    "no_handle",
    "no_route",
)
# Of these, one takes effect at most; the last ones spoil one answer together.
_ANSWERS: Final = ("status", "retry_after", "empty", "no_route")
_ALONE: Final = ("hang", "drop", "lose", *_ANSWERS)
_SPOILERS: Final = ("truncate", "bad_entry", "nan", "no_handle")
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# The answer of a gateway (Kong) that has no route to the cluster at the moment.
NO_ROUTE: Final = b'{"message": "no Route matched with those values"}'


@dataclass(kw_only=True, slots=True)
class Fault:
    """A fault of the next `times` answers.

    The fault hits requests whose path begins with `path`, or equals it if `exact`; None as
    `method` or `node` means any. `no_handle` spares requests that only read.
    """

    path: str = "/"
    exact: bool = False
    method: str | None = None
    node: int | None = None
    times: float = inf
    status: int | None = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    delay: float = 0.0
    hang: bool = False
    drop: bool = False
    lose: bool = False
    truncate: bool = False
    bad_entry: bool = False
    nan: bool = False
    no_handle: bool = False

    def hits(self, method: str, path: str, node: int) -> bool:
        """Return True if the fault hits a request."""
        if self.no_handle and method in _SAFE_METHODS:
            return False
        on_path = path == self.path if self.exact else path.startswith(self.path)
        return on_path and self.method in {None, method} and self.node in {None, node}


def check_fault(arguments: Mapping[str, object]) -> None:
    """Raise `ValueError` for arguments of `inject` that are no fault, or contradict each other."""
    has_answer = bool(arguments.get("status") or arguments.get("body"))
    has_answer |= arguments.get("retry_after") is not None
    if not (arguments.get("retry_after") is not None or any(map(arguments.get, _FAULTS))):
        raise ValueError("no fault is given")
    if arguments.get("empty") and (has_answer or arguments.get("no_route")):
        raise ValueError("an empty answer has no body, and no status but 200")
    if arguments.get("no_route") and has_answer:
        raise ValueError("a gateway with no route answers 404, and has a body of its own")
    given = {name for name, value in arguments.items() if value}
    if arguments.get("retry_after") is not None:  # 0 is one, too
        given.add("retry_after")
    _check_together(given)
    headers = cast("Mapping[str, str]", arguments.get("headers") or {})
    for name in headers:
        if name.lower() in _FRAMING:
            raise WrongArgument("headers", f"headers have {name}, which the server sets itself")


def _check_together(given: set[str]) -> None:
    """Raise `ValueError` for arguments of `inject` of which one would have no effect."""
    alone: list[str] = [name for name in _ALONE if name in given]
    if {"status", "retry_after"} <= given:
        alone.remove("retry_after")  # it is a header of that answer
    others: list[str] = [*alone[1:], *(name for name in _SPOILERS if name in given)]
    if alone[:1] == ["hang"] and "delay" in given:
        others.append("delay")
    if alone and others:
        raise WrongArgument(others[0], f"{others[0]} has no effect with {alone[0]}")
    for name in ("body", "headers"):
        if name in given and given.isdisjoint(_ANSWERS):
            raise WrongArgument(name, f"{name} has no effect without a status")


def next_fault(faults: Sequence[Fault], method: str, path: str, node: int) -> Fault | None:
    """Return the oldest fault that hits a request, and count the request."""
    for fault in faults:
        if fault.times > 0 and fault.hits(method, path, node):
            fault.times -= 1
            return fault
    return None


def disconnect(request: web.Request) -> None:
    """Close the connection without an answer."""
    assert request.transport is not None, "a handler is cancelled when its client leaves"
    request.transport.abort()


async def send_half(request: web.Request, whole: web.StreamResponse) -> None:
    """Announce the whole body, send half of it, and close the connection."""
    body = whole.body if isinstance(whole, web.Response) else None
    data = body if isinstance(body, bytes) else b"{}"
    headers = {"Content-Type": "application/json", "Content-Length": str(len(data))}
    part = web.StreamResponse(status=whole.status, headers=headers)
    await part.prepare(request)
    await part.write(data[: len(data) // 2])
    await asyncio.sleep(0)  # lets the transport send it
    disconnect(request)


def spoil(response: web.StreamResponse, fault: Fault) -> None:
    """Spoil the JSON of an answer, if it has any."""
    if not isinstance(response, web.Response) or response.content_type != "application/json":
        return
    body: JSON = json.loads(response.text or "")
    if fault.bad_entry:
        _spoil_entry(body)
    if fault.nan:
        body = _with_nan_progress(body)
    if fault.no_handle and isinstance(body, dict):
        body = {key: value for key, value in body.items() if key not in _HANDLES}
    response.text = json.dumps(body)


def _spoil_entry(body: JSON) -> None:
    """Give one entry of a list a bad status: the first that has not ended, or else the first."""
    entries = [entry for entry in _entries(body) if isinstance(entry, dict)]
    running = [entry for entry in entries if entry.get("status") not in _ENDED]
    for entry in (running or entries)[:1]:
        entry["status"] = _BAD_STATUS


def _entries(body: JSON) -> list[JSON]:
    """Return the entries of a list route's answer in its order; of any other answer, none."""
    if isinstance(body, list):
        return body
    assert isinstance(body, dict), "no route answers a bare value"
    lists = [body.get(key) for key in ("actions", "state-machines", "crdb_tasks")]
    return [entry for each in lists if isinstance(each, list) for entry in each]


def _with_nan_progress(body: JSON) -> JSON:
    """Return the body with NaN for each progress, as Python's JSON writes it."""
    if isinstance(body, list):
        return [_with_nan_progress(each) for each in body]
    if not isinstance(body, dict):
        return body
    return {
        key: nan if key == "progress" else _with_nan_progress(value) for key, value in body.items()
    }
