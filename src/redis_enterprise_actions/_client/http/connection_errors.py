"""Errors of connections: what they say, whether the request was sent, and what to do about them."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Final, Literal

import aiohttp

from redis_enterprise_actions._client.wire.error_body import USE_HTTPS
from redis_enterprise_actions._model.errors import (
    ClientCertificateRefused,
    ClusterUnreachable,
    UntrustedCertificate,
)

from .tls import client_cert_refusal


if TYPE_CHECKING:
    from yarl import URL

    from redis_enterprise_actions._model.errors import RequestError

CHECK_NAME: Final = "Check the name, and this machine's DNS and VPN, or use an address"
CHECK_NODE: Final = "Check that the node runs, its port (9443) and firewalls"
CHECK_SCHEME: Final = "Check the port (9443), and whether the URL must begin with http://"
_API_PORT: Final = 9443
# aiohttp names its TLS setting in its errors, even for plain HTTP.
_TLS_SETTING: Final = re.compile(" ssl:(default|True|False|<[^>]*>)")
# Beginnings of messages of aiohttp.
_ENCODING: Final = re.compile(r"^Can not decode content-encoding: .*\((\w+)\)")
_LONG_LINE: Final = "Got more than"
_MANY_HEADERS: Final = "Too many headers"
_WORDS: Final = re.compile(r"[A-Za-z -]+")
_NO_STATUS_LINE: Final = ("Bad status line", "Expected HTTP/")
# Errors of aiohttp that hold the headers of the request, or bytes of the answer.
_WITH_SECRETS: Final = (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)


class ConnectionLost(aiohttp.ClientError):
    """Loss of a connection after a request was sent on it, and before the answer."""


def has_secrets(error: Exception) -> bool:
    """Return True if an error may hold credentials, such as those that a server sends back."""
    return isinstance(error, _WITH_SECRETS) or _is_cut_in_headers(error)


def connection_error(method: str, path: str, node: URL, error: Exception) -> ClusterUnreachable:
    """Return the error of a request to `node` that got no answer, with its cause."""
    unreachable = _connection_error(method, path, node, error)
    unreachable.__cause__ = None if has_secrets(error) else error
    return unreachable


def _connection_error(method: str, path: str, node: URL, error: Exception) -> ClusterUnreachable:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return UntrustedCertificate(method, path, reason=str(error.certificate_error))
    if isinstance(error, aiohttp.ServerFingerprintMismatch):
        fingerprint = error.got.hex(":").upper()
        reason = "it is not the pinned one"
        return UntrustedCertificate(method, path, reason=reason, fingerprint=fingerprint)
    refused = client_cert_refusal(error)
    if refused is not None:
        return ClientCertificateRefused(method, path, reason=refused)
    return ClusterUnreachable(
        method,
        path,
        reason=reason_of(error),
        sent=not isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)),
        advice=_advice(node, error),
    )


def _advice(node: URL, error: Exception) -> str | None:
    """Return what to do about an error that lasts from the first request on, or None."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return CHECK_NAME
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return CHECK_SCHEME
    if isinstance(error, aiohttp.ClientConnectorError):
        return CHECK_NODE if error.os_error.errno == errno.ECONNREFUSED else None
    if node.scheme == "http":
        lost = isinstance(error, (ConnectionLost, aiohttp.ServerDisconnectedError))
        if _is_not_http(error) or (lost and node.port == _API_PORT):
            return USE_HTTPS
    return None


def reason_of(error: Exception) -> str:
    """Return what an error says, without headers and bytes of the answer, which may be secret."""
    if _is_cut_in_headers(error):
        return "the answer is cut off within its headers"
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"the answer is cut off, or garbled ({type(error.__cause__ or error).__name__})"
    if isinstance(error, aiohttp.ClientResponseError):
        return _refused_answer(error)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    if isinstance(error, TimeoutError):
        return f"no answer in time{f' ({error})' if str(error) else ''}"
    message = _TLS_SETTING.sub("", str(error)) or type(error).__name__
    return message.replace("[None]", "[connection closed]")


def _refused_answer(error: aiohttp.ClientResponseError) -> str:
    """Return why aiohttp does not accept an answer."""
    if encoding := _ENCODING.search(error.message):
        return f"the answer is compressed with {encoding[1]}, which the client did not ask for"
    if error.message.startswith(_LONG_LINE):
        return "a line of the answer's headers is longer than 8 kB"
    if error.message.startswith(_MANY_HEADERS):
        return "the answer has too many headers"
    if _is_not_http(error):
        return f"the answer is not HTTP ({type(error).__name__})"
    problem = _WORDS.match(error.message)  # the bytes follow
    return f"the answer is not valid HTTP ({problem[0].strip() if problem else 'unknown'})"


def _is_not_http(error: Exception) -> bool:
    if not isinstance(error, aiohttp.ClientResponseError):
        return False
    return error.message.startswith(_NO_STATUS_LINE)


def _is_cut_in_headers(error: Exception) -> bool:
    """Return True if the connection was lost within the headers, which the error then holds."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)


def layer_of(error: RequestError) -> Literal["tcp", "tls", "http"]:
    """Return the layer at which a request failed."""
    cause = error.__cause__
    if isinstance(error, (UntrustedCertificate, ClientCertificateRefused)):
        return "tls"
    if isinstance(cause, aiohttp.ClientConnectorSSLError):
        return "tls"
    is_tcp = isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))
    return "tcp" if is_tcp else "http"
