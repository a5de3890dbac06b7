"""Confirmation of calls that delete, flush or remove something.

On a terminal the user types the name of the object. Elsewhere `--yes` is needed. Until then nothing
is sent but the request for the name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.text import one_line


if TYPE_CHECKING:
    from redis_enterprise_actions._client.client import ActionsClient

_MAX_LINE: Final = 4096  # bytes
_READER: Final = "reader of the terminal"
_DELETES, _FLUSHES, _REMOVES = "deletes", "deletes all data of", "removes"

# Calls of `submit` that destroy something: the first row that matches applies. Vendor pages:
# requests/bdbs, requests/bdbs/flush, requests/crdbs/flush, requests/crdbs/purge,
# requests/nodes/actions.
_CALLS: Final = tuple(
    (method, re.compile(path, re.ASCII), verb, resource)
    for method, path, verb, resource in (
        ("DELETE", r"/v\d+/bdbs/(\d{1,18})", _DELETES, "databases"),
        ("PUT", r"/v\d+/bdbs/(\d{1,18})/flush", _FLUSHES, "databases"),
        ("DELETE", r"/v\d+/crdbs/([\w.-]+)", _DELETES, "crdbs"),
        ("PUT", r"/v\d+/crdbs/([\w.-]+)/(?:flush|purge)", _FLUSHES, "crdbs"),
        ("DELETE", r"/v\d+/nodes/(\d{1,18})", _REMOVES, "nodes"),
        ("POST", r"/v\d+/nodes/(\d{1,18})/actions/remove", _REMOVES, "nodes"),
        ("DELETE", r"(.*)", _DELETES, None),
    )
)
_OBJECTS: Final = {"databases": "database", "crdbs": "Active-Active database", "nodes": "node"}


class Destruction(NamedTuple):
    """Object that a call destroys.

    `verb` says how, as in "deletes". `uid` is that of the object of a `resource`, and a path of the
    API if `resource` is None.
    """

    verb: str
    resource: str | None
    uid: str

    def __str__(self) -> str:
        name = self.uid if self.resource is None else f"{_OBJECTS[self.resource]} {self.uid}"
        return f"this call {self.verb} {name}"


def destruction_by(method: str, path: str) -> Destruction | None:
    """Return what a call destroys, or None."""
    for rule_method, rule_path, verb, resource in _CALLS:
        match = rule_path.fullmatch(path)
        if match is not None and method.upper() == rule_method:
            return Destruction(verb, resource, match[1])
    return None


def check_terminal(destruction: Destruction) -> None:
    """Raise `UsageError` if there is no terminal to ask on."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{destruction}, and was not sent: add --yes, as there is no terminal to ask on"
        )


async def confirm(client: ActionsClient, destruction: Destruction) -> None:
    """Ask for the name of the object. Raises `UsageError` for another answer, and `RequestError`.

    The cluster tells the name. For a node the uid will do, and its address.
    """
    names = await _names(client, destruction)
    is_told = names[0] == destruction.uid or destruction.resource is None
    title = "" if is_told else f" ({names[0]})"
    _print_prompt(
        f"T{str(destruction)[1:]}{title} of {client.urls[0]}.\nType {' or '.join(names)} to go on: "
    )
    typed = await _read_line(sys.stdin.fileno())
    if typed not in names:
        raise UsageError("that is not the name, so nothing was sent")


async def _names(client: ActionsClient, destruction: Destruction) -> list[str]:
    """Return the texts that confirm a call."""
    uid = destruction.uid
    if destruction.resource is None:
        return [uid.rpartition("/")[2] or uid]
    if destruction.resource == "nodes":
        found = [await client.nodes.address(int(uid)), uid]
    elif destruction.resource == "crdbs":
        found = [await client.crdbs.name(uid)]
    else:
        found = [await client.databases.name(int(uid))]
    return [name for name in map(_typeable, found) if name] or [uid]


def _typeable(name: str) -> str:
    return one_line(name).strip()


def _print_prompt(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


async def _read_line(stream: int) -> str:
    """Read a line from a terminal, without blanks around it; empty at its end.

    A thread reads it, which a cancelled task leaves behind, as nothing ends such a read.
    """
    loop = asyncio.get_running_loop()
    line: asyncio.Future[bytes] = loop.create_future()

    def deliver(data: bytes) -> None:
        if not line.done():
            line.set_result(data)

    def read() -> None:
        try:
            data = os.read(stream, _MAX_LINE)
        except OSError:  # the terminal is gone
            data = b""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(deliver, data)

    threading.Thread(target=read, name=_READER, daemon=True).start()
    data = b""
    try:
        data = await line
    finally:
        if not data.endswith(b"\n"):  # Ctrl-C or Ctrl-D leaves the cursor behind the prompt
            _print_prompt("\n")
    return data.decode(errors="replace").strip()
