"""Tests of `_cli.doctor.network`."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from redis_enterprise_actions._cli.doctor import network
from redis_enterprise_actions._cli.doctor.network import Certificate, fetch_certificate, resolve


CA = trustme.CA()
END = datetime(2051, 2, 3, 4, 5, 6, tzinfo=UTC)  # a GeneralizedTime, as from 2050 on
YESTERDAY = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
NAMES = ("n1.example.com", "127.0.0.1", "::1")


def run(host: str) -> list[str]:
    """Look up a name on a loop without a virtual clock."""
    return asyncio.run(resolve(host, 9443))


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address is returned once."""
    found = [(2, 1, 6, "", (address, 9443)) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    assert run("n1.example.com") == ["10.0.0.1", "10.0.0.2"]


def test_no_such_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve raises the error of the system."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(socket.gaierror, match="not known"):
        run("nowhere.example.com")


def test_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup that hangs delays neither a timeout nor the end of the loop."""
    free = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: free.wait(30) and [])

    async def impatient() -> None:
        before = set(threading.enumerate())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolve("n1", 9443), 0.01)
        (left,) = set(threading.enumerate()) - before
        assert left.daemon
        free.set()
        left.join(10)
        await asyncio.sleep(0)  # the loop drops the result

    asyncio.run(impatient())


def unverified_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fetched(issued: trustme.LeafCert) -> Certificate:
    """Return what a client reads of a server's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)

    async def fetch() -> Certificate:
        server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await fetch_certificate("127.0.0.1", port, unverified_context)

    return asyncio.run(fetch())


@pytest.mark.enable_socket
@pytest.mark.parametrize("ends", [END, YESTERDAY], ids=["valid", "expired"])
def test_certificate(ends: datetime) -> None:
    """Names, expiry and fingerprint are read from an untrusted or expired certificate."""
    begins = YESTERDAY - timedelta(days=1)
    issued = CA.issue_cert(*NAMES, not_before=begins, not_after=ends)
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    assert fetched(issued) == Certificate(
        hashlib.sha256(der).digest().hex(":").upper(), ends=ends, names=NAMES
    )


@pytest.mark.enable_socket
def test_certificate_without_names() -> None:
    """A certificate may name no host that can be shown."""
    assert fetched(CA.issue_cert("ops@example.com")).names == ()


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x03\x02\x01\x00", b"no certificate"])
def test_unreadable_certificate(monkeypatch: pytest.MonkeyPatch, der: bytes) -> None:
    """For bytes that are no certificate there is only the fingerprint."""

    class Peer:
        def getpeercert(self, *, binary_form: bool) -> bytes:
            assert binary_form
            return der

    async def handshake(*_: object) -> Peer:
        return Peer()

    monkeypatch.setattr(network, "handshake", handshake)
    certificate = asyncio.run(fetch_certificate("127.0.0.1", 9443, unverified_context))

    assert certificate == Certificate(hashlib.sha256(der).digest().hex(":").upper())
