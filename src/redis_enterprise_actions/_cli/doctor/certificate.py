"""Certificate of a server, also of one that does not verify. The extra `cli` decodes it."""

from __future__ import annotations

import asyncio
import hashlib
import warnings
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    import ssl
    from datetime import datetime

    from yarl import URL


class Certificate(NamedTuple):
    """Certificate of a server: its SHA-256 fingerprint, as upper-case hex pairs, and more.

    `text` describes the certificate, and `ends` is when it expires. Where it cannot be decoded, or
    `cryptography` is not installed, `text` has the fingerprint only, and `ends` is None.
    """

    fingerprint: str
    text: str
    ends: datetime | None = None


async def fetch_certificate(node: URL, context: ssl.SSLContext) -> Certificate:
    """Return the certificate of a node. `context` verifies nothing. Raises `OSError`."""
    _, writer = await asyncio.open_connection(node.host, node.port, ssl=context)
    found: ssl.SSLObject = writer.get_extra_info("ssl_object")
    der = found.getpeercert(binary_form=True) or b""
    writer.transport.abort()
    await asyncio.sleep(0)  # the socket is closed in the next iteration of the loop
    return read_certificate(der)


def read_certificate(der: bytes) -> Certificate:
    """Return what a certificate says."""
    fingerprint = hashlib.sha256(der).digest().hex(":").upper()
    text = f"its SHA-256 fingerprint is {fingerprint}"
    try:
        from cryptography import x509  # noqa: PLC0415 - an extra, needed only here
    except ImportError:
        return Certificate(fingerprint, text)
    try:
        with warnings.catch_warnings(action="ignore"):  # about certificates that are odd
            shown = x509.load_der_x509_certificate(der)
            subject, issuer = shown.subject.rfc4514_string(), shown.issuer.rfc4514_string()
            begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
            names = [
                str(name.value)
                for extension in shown.extensions
                if isinstance(extension.value, x509.SubjectAlternativeName)
                for name in extension.value
            ]
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return Certificate(fingerprint, text)
    by = "itself" if issuer == subject else issuer or "an unnamed CA"
    shown_names = ", ".join(names) or "no host"
    return Certificate(
        fingerprint,
        f"it is for {shown_names} (subject {subject or 'empty'}), from {by}, valid from "
        f"{begins:%Y-%m-%d} to {ends:%Y-%m-%d}; {text}",
        ends,
    )
