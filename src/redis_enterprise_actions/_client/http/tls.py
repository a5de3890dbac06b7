"""TLS settings: the certificates that are trusted, and the client's own."""

from __future__ import annotations

import os
import re
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from typing import TypeAlias

    Path: TypeAlias = "str | os.PathLike[str]"

# As `openssl x509 -fingerprint -sha256` prints it, and browsers show it.
_FINGERPRINT: Final = re.compile(
    r"(?:sha-?256(?: fingerprint)?[:=] ?)?((?:[0-9a-f]{2}[: ]?){31}[0-9a-f]{2})", re.IGNORECASE
)
# Alerts of a server that got no client certificate, or refuses it (RFC 8446, 6.2).
_REFUSAL: Final = re.compile(
    "ALERT_(BAD_CERT|CERTIFICATE|UNSUPPORTED_CERT|UNKNOWN_CA|ACCESS_DENIED)"
)


class TLSSettings(NamedTuple):
    """TLS settings of a connection.

    `context` is an SSL context, or True to verify with the system's CAs, or False not to verify.
    With a SHA-256 `fingerprint`, nothing else of the certificate is checked.
    """

    context: ssl.SSLContext | bool
    fingerprint: bytes | None
    verified: bool
    has_client_cert: bool = False


def tls_settings(
    *,
    verify: bool = True,
    ca_cert: Path | None = None,
    fingerprint: str | None = None,
    client_cert: Path | None = None,
    client_key: Path | None = None,
) -> TLSSettings:
    """Return the settings for the arguments of a client, with its files loaded.

    Raises `UsageError` for arguments that contradict each other and files that cannot be loaded.
    """
    if ca_cert is not None and not verify:
        raise UsageError("verify=False and ca_cert= contradict each other")
    if fingerprint is not None and not verify:
        raise UsageError("verify=False and fingerprint= contradict each other")
    if fingerprint is not None and ca_cert is not None:
        raise UsageError("ca_cert= and fingerprint= contradict each other")
    if client_key is not None and client_cert is None:
        raise UsageError("client_key= needs client_cert=")
    by_ca = verify and fingerprint is None
    return TLSSettings(
        context=_context(by_ca, ca_cert, client_cert, client_key),
        fingerprint=None if fingerprint is None else _digest(fingerprint),
        verified=verify,
        has_client_cert=client_cert is not None,
    )


def ssl_context(context: ssl.SSLContext | bool) -> ssl.SSLContext:  # noqa: FBT001 - see `TLS`
    """Return the SSL context for `TLSSettings.context`."""
    if isinstance(context, ssl.SSLContext):
        return context
    made = ssl.create_default_context()
    if not context:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def client_cert_refusal(error: BaseException | None) -> str | None:
    """Return the reason why a server refused the client's certificate, or None if it did not."""
    while error is not None:
        # aiohttp's own errors are SSLErrors, too, without a reason.
        reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
        if reason and _REFUSAL.search(reason):
            return str(reason)
        error = error.__cause__ or error.__context__
    return None


def _context(
    verify: bool,  # noqa: FBT001 - private, with one caller
    ca_cert: Path | None,
    client_cert: Path | None,
    client_key: Path | None,
) -> ssl.SSLContext | bool:
    """Return the SSL context, or True or False: for these, aiohttp keeps contexts of its own."""
    if ca_cert is None and client_cert is None:
        return verify
    try:
        context = ssl.create_default_context(cafile=None if ca_cert is None else _file(ca_cert))
    except (OSError, TypeError, ValueError) as error:  # an ssl.SSLError is an OSError
        raise UsageError(f"ca_cert={ca_cert!r} cannot be loaded: {error}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert is not None:
        try:
            key = None if client_key is None else _file(client_key)
            context.load_cert_chain(_file(client_cert), key, password=_no_passphrase)
        except (OSError, TypeError, ValueError) as error:
            raise UsageError(f"client_cert={client_cert!r} cannot be loaded: {error}") from error
    return context


def _file(path: Path) -> str:
    """Return a path as a string. Raise an error for "", which `ssl` would take for None."""
    text = os.fspath(path)
    if not text:
        raise ValueError("it is empty")
    return text


def _no_passphrase() -> NoReturn:
    """Raise an error instead of Python's prompt for a passphrase, which never ends."""
    raise ValueError("its key is encrypted; decrypt it first")


def _digest(fingerprint: str) -> bytes:
    match = _FINGERPRINT.fullmatch(fingerprint.strip()) if isinstance(fingerprint, str) else None
    if match is None:
        raise UsageError(
            f"fingerprint={fingerprint!r:.100} is not a SHA-256 fingerprint: 64 hexadecimal digits"
        )
    return bytes.fromhex(re.sub("[: ]", "", match[1]))
