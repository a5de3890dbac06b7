"""Certificates of a fake cluster, made by trustme."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias


if TYPE_CHECKING:
    import trustme

Certificates: TypeAlias = Literal["self-signed", "own-ca"]

_NAMES: Final = ("127.0.0.1", "localhost")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerCertificates:
    """Certificates of a cluster as PEM, and the `context` of its server."""

    context: ssl.SSLContext
    ca_pem: str
    server_pem: str
    client_pem: str | None = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the server's certificate, as `openssl x509 -fingerprint` prints it."""
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.server_pem))
        return digest.digest().hex(":").upper()


def make_tls(certificates: Certificates, *, client_certificate: bool) -> ServerCertificates:
    """Return new certificates. Raises `RuntimeError` if trustme is not installed."""
    try:
        import trustme  # noqa: PLC0415 - an extra, for TLS alone
    except ImportError as error:
        raise RuntimeError("TLS needs trustme: pip install trustme") from error

    ca = trustme.CA()
    return _self_signed(ca) if certificates == "self-signed" else _own_ca(ca, client_certificate)


def _self_signed(ca: trustme.CA) -> ServerCertificates:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with ca.cert_pem.tempfile() as certificate, ca.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    pem = ca.cert_pem.bytes().decode()
    return ServerCertificates(context=context, ca_pem=pem, server_pem=pem, client_pem=None)


def _own_ca(ca: trustme.CA, client_certificate: bool) -> ServerCertificates:  # noqa: FBT001 - see `make_tls`
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = ca.issue_cert(*_NAMES)
    with server.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    ca_pem, client_pem = ca.cert_pem.bytes().decode(), None
    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=ca_pem)
        client = ca.issue_cert("client@example.com")
        client_pem = client.private_key_and_cert_chain_pem.bytes().decode()
    return ServerCertificates(
        context=context,
        ca_pem=ca_pem,
        server_pem=server.cert_chain_pems[0].bytes().decode(),
        client_pem=client_pem,
    )
