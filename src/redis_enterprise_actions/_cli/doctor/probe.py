"""What can be learnt of a host before HTTP is spoken: its addresses, whether it answers, TLS.

Knows sockets. Refuses to know what a cluster is, and sends nothing to it. None of these ends by
itself within any time: whoever asks has to set a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


async def addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses that a host's name stands for. Raises `OSError` or `UnicodeError`.

    The thread that looks them up is left behind where nobody waits for it any more. One of the
    loop's own would keep the process from its end.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def look_up() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            done = _settled(found, list(dict.fromkeys(str(info[4][0]) for info in infos)))
        except (OSError, UnicodeError) as error:
            done = _settled(found, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(done)

    threading.Thread(target=look_up, daemon=True).start()
    return await found


async def connect(host: str, port: int) -> None:
    """Connect, and hang up. Raises `OSError`."""
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)
    await _hang_up(transport)


async def certificate_at(host: str, port: int, context: ssl.SSLContext) -> bytes:
    """Shake hands, and hang up; return the certificate that was shown, as DER.

    Raises `OSError`, such as an `ssl.SSLError`.
    """
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(
        asyncio.Protocol, host, port, ssl=context, server_hostname=host
    )
    shown: bytes | None = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    await _hang_up(transport)
    return shown or b""


async def _hang_up(transport: asyncio.WriteTransport) -> None:
    transport.abort()
    await asyncio.sleep(0)  # in which it does


def _settled(
    future: asyncio.Future[list[str]], result: list[str] | Exception
) -> Callable[[], None]:
    """Return what settles a future, unless nobody waits for it any more."""

    def settle() -> None:
        if future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    return settle
