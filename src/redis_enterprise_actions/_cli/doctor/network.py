"""Network probes: name lookup, TCP connection, TLS handshake, and the server's certificate."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import socket
import ssl
import threading
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast


if TYPE_CHECKING:
    from collections.abc import Callable

_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL, x509_vfy.h


class Certificate(NamedTuple):
    """Certificate of a server.

    `fingerprint` is the SHA-256, as upper-case hex pairs joined by colons. `names` are the hosts
    that the certificate is for. `ends` is None if OpenSSL does not decode the certificate.
    """

    fingerprint: str
    ends: datetime | None = None
    names: tuple[str, ...] = ()


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises `OSError` or `UnicodeError`.

    The lookup runs in a daemon thread: the process would wait for a thread of the loop's executor
    at exit, even if the lookup hangs.
    """
    lookup: concurrent.futures.Future[list[str]] = concurrent.futures.Future()
    lookup.set_running_or_notify_cancel()  # a cancelled wait cannot cancel a running lookup

    def run() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            lookup.set_exception(error)
        else:
            lookup.set_result(list(dict.fromkeys(str(info[4][0]) for info in infos)))

    threading.Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(lookup)


async def connect(host: str, port: int) -> None:
    """Connect and close the connection. Raises `OSError`."""
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)
    await _close(transport)


async def handshake(host: str, port: int, context: ssl.SSLContext) -> ssl.SSLObject:
    """Connect with TLS and close the connection. Raises `OSError`, such as `ssl.SSLError`."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, host, port, ssl=context)
    ssl_object: ssl.SSLObject = transport.get_extra_info("ssl_object")
    await _close(transport)
    return ssl_object


async def _close(transport: asyncio.Transport) -> None:
    transport.abort()
    await asyncio.sleep(0)  # the socket is closed in the next iteration of the loop


async def fetch_certificate(
    host: str, port: int, make_context: Callable[[], ssl.SSLContext]
) -> Certificate:
    """Return the certificate of a server, trusted or not. Raises `OSError`.

    `make_context` returns a context that does not verify certificates. The ssl module decodes
    verified certificates only: a second handshake verifies the certificate against itself.
    """
    der = (await handshake(host, port, make_context())).getpeercert(binary_form=True) or b""
    fingerprint = hashlib.sha256(der).digest().hex(":").upper()
    context = make_context()
    try:
        context.load_verify_locations(cadata=der)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
        decoded = cast("dict[str, Any]", (await handshake(host, port, context)).getpeercert())
        return Certificate(
            fingerprint,
            ends=datetime.fromtimestamp(ssl.cert_time_to_seconds(decoded["notAfter"]), UTC),
            names=tuple(
                str(ip_address(name.strip())) if kind == "IP Address" else name
                for kind, name in decoded.get("subjectAltName", ())
                if kind in {"DNS", "IP Address"}
            ),
        )
    except (OSError, ValueError):
        return Certificate(fingerprint)
