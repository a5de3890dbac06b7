"""Check of where a request to the control API comes from: no page in a browser may drive it.

A browser sends an Origin header with each request across origins that changes something. A page
whose name was made to lead to this machine (DNS rebinding) is of the same origin, but its requests
have that name as their Host. Addresses are no such names, and `localhost` is not one either.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit


if TYPE_CHECKING:
    from aiohttp import web


def problem_of(request: web.BaseRequest, listening_on: str) -> str | None:
    """Return why a request is refused, or None; `listening_on` is the host that was asked for."""
    if "Origin" in request.headers:
        return "a request with an Origin header is refused: it may come from a page in a browser"
    hosts = request.headers.getall("Host", [])
    if len(hosts) == 1 and _is_ours(hosts[0], listening_on):
        return None
    return (
        "a request needs a Host header with an IP address, localhost, or the name that the control "
        "API listens on: another name may come from a page in a browser"
    )


def _is_ours(host: str, listening_on: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
        if name in {"localhost", listening_on.casefold()}:
            return True
        ip_address(name or "")
    except ValueError:
        return False
    return True
