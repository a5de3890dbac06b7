"""Tests of `_cli.doctor.certificate`."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import sys
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from yarl import URL

from redis_enterprise_actions._cli.doctor.certificate import (
    Certificate,
    fetch_certificate,
    read_certificate,
)


CA = trustme.CA(organization_name="Example", organization_unit_name="CA")
BEGINS = datetime(2020, 1, 2, tzinfo=UTC)
NAMES = ("n1.example.com", "127.0.0.1", "::1")


def der_of(issued: trustme.LeafCert) -> bytes:
    """Return a certificate as DER."""
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


def fingerprint_of(der: bytes) -> str:
    """Return the fingerprint of bytes."""
    return hashlib.sha256(der).digest().hex(":").upper()


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "ends",
    [datetime(2051, 2, 3, tzinfo=UTC), datetime.now(UTC).replace(microsecond=0) - timedelta(1)],
    ids=["valid", "expired"],
)
def test_fetch(ends: datetime) -> None:
    """Names, issuer, validity and fingerprint come from a certificate that does not verify."""
    issued = CA.issue_cert(
        *NAMES, organization_name="Nodes", organization_unit_name="n", not_before=BEGINS,
        not_after=ends,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE

    async def fetch() -> Certificate:
        server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await fetch_certificate(URL(f"https://127.0.0.1:{port}"), unverified)

    fingerprint = fingerprint_of(der_of(issued))
    assert asyncio.run(fetch()) == Certificate(
        fingerprint,
        "it is for n1.example.com, 127.0.0.1, ::1 (subject OU=n,O=Nodes), from OU=CA,O=Example, "
        f"valid from 2020-01-02 to {ends:%Y-%m-%d}; its SHA-256 fingerprint is {fingerprint}",
        ends,
    )


def test_self_signed() -> None:
    """A certificate that names no host, and is its own issuer, is shown as such."""
    found = read_certificate(ssl.PEM_cert_to_DER_cert(CA.cert_pem.bytes().decode()))

    assert found.text.startswith("it is for no host (subject OU=CA,O=Example), from itself, valid ")


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x03\x02\x01\x00", b"no certificate"])
def test_unreadable(der: bytes) -> None:
    """For bytes that are no certificate there is only the fingerprint."""
    fingerprint = fingerprint_of(der)
    assert read_certificate(der) == Certificate(
        fingerprint, f"its SHA-256 fingerprint is {fingerprint}"
    )


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without cryptography there is only the fingerprint."""
    der = der_of(CA.issue_cert("n1"))  # with cryptography
    monkeypatch.setitem(sys.modules, "cryptography", None)

    assert read_certificate(der).text == f"its SHA-256 fingerprint is {fingerprint_of(der)}"
    assert read_certificate(der).ends is None
