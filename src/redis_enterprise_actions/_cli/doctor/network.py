"""What was seen on the way to a node, in words: names, connections, certificates, answers.

From values to results. Refuses to ask anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import hashlib
import socket
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from redis_enterprise_actions._client.wire.error_body import (
    WireError,
    error_for,
    is_retryable,
    parse_error_body,
)
from redis_enterprise_actions._client.wire.lenient_json import decode_struct

from .cluster import lists_nodes
from .result import CheckResult, Level


if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    _Element: TypeAlias = tuple[int, bytes]  # its tag, and what is in it

_SOON: Final = timedelta(days=30)
_SKEW: Final = 5.0  # seconds
_UI_PORT: Final = 8443
_TO_API: Final = "use the URL of the REST API itself (port 9443)"
_NOT_SENT: Final = "not that of a proxy or the UI; no credentials have been sent to this one"
_QUOTED: Final = 100  # characters of what another server says

# What OpenSSL calls what is wrong with a certificate (x509_vfy.h).
_EXPIRED: Final = frozenset({10})
_NOT_YET: Final = frozenset({9})
_OTHER_NAME: Final = frozenset({62, 64})
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_ALTERNATIVE_NAMES: Final = b"\x55\x1d\x11"  # 2.5.29.17
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87
_TIMES: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}


def too_slow(check: str, node: str, limit: float) -> CheckResult:
    """Tell that a step took longer than it may, in seconds."""
    seen = f"nothing within {limit:g} s"
    advice = "look for a firewall or a hanging node, or give it more with --timeout"
    return _failed(check, node, seen, advice, spared=True)


def resolved(node: str, host: str, addresses: list[str]) -> CheckResult:
    """Tell which addresses a name stands for."""
    seen = "an address, no name" if addresses == [host] else f"{host} is {', '.join(addresses)}"
    return CheckResult(level=Level.OK, check="dns", node=node, seen=seen)


def unresolved(node: str, host: str, error: Exception) -> CheckResult:
    """Tell that there is no such name."""
    advice = "check the name, and this machine's DNS and VPN; an address works, too"
    return _failed("dns", node, f"{host} does not resolve: {error}", advice, spared=True)


def connected(node: str) -> CheckResult:
    """Tell that there is somebody."""
    return CheckResult(level=Level.OK, check="tcp", node=node, seen="connects")


def unconnected(node: str, error: OSError) -> CheckResult:
    """Tell that there is nobody."""
    said = error.strerror or str(error) or type(error).__name__
    advice = "check that the node runs, its port (9443) and firewalls"
    return _failed("tcp", node, f"cannot be connected to: {said}", advice, spared=True)


def trusted(node: str, shown: Certificate, by: str, now: datetime) -> CheckResult:
    """Tell by what a certificate is trusted, and for how long it is good."""
    left = None if shown.ends is None else shown.ends - now
    until = "" if shown.ends is None else f", good until {shown.ends:%Y-%m-%d}"
    seen = f"the certificate is trusted by {by}{until}"
    if left is None or left > _SOON:
        return CheckResult(level=Level.OK, check="tls", node=node, seen=seen)
    word = "expired" if left < timedelta(0) else f"expires in {left.days} days"
    advice = "renew the cluster's certificate"
    return _warned("tls", node, f"{seen}: it {word}", advice)


def unverified(node: str, shown: Certificate) -> CheckResult:
    """Tell that any certificate is accepted."""
    return _warned("tls", node, "the certificate is not verified", _pin(shown))


def otherwise_pinned(node: str, shown: Certificate) -> CheckResult:
    """Tell that a certificate is not the one that is pinned."""
    return _failed("tls", node, "the certificate is not the pinned one", _pin(shown))


def untrusted(node: str, shown: Certificate, error: ssl.SSLCertVerificationError) -> CheckResult:
    """Tell why a certificate is not trusted."""
    names = ", ".join(shown.names) or "no host"
    code = error.verify_code
    if code in _OTHER_NAME:
        seen, advice = "the certificate is for other names", f"use one that it has: {names}"
    elif code in _EXPIRED:
        ends = "" if shown.ends is None else f" on {shown.ends:%Y-%m-%d}"
        seen, advice = f"the certificate has expired{ends}", "renew it"
    elif code in _NOT_YET:
        seen, advice = "the certificate is not good yet", "check this machine's clock"
    else:
        whose = "self-signed" if shown.self_signed else "from a CA that is not trusted"
        seen, advice = f"the certificate is {whose}", "pass its CA as --ca-cert"
    return _failed("tls", node, seen, f"{advice}, or {_pin(shown)}")


def no_handshake(node: str, error: OSError, refused: str | None) -> CheckResult:
    """Tell that TLS is not spoken, or not with us."""
    if refused is not None:
        advice = "pass the certificate of a cluster user as --client-cert"
        return _failed("tls", node, f"our client certificate is not accepted: {refused}", advice)
    said = getattr(error, "reason", None) or error.strerror or type(error).__name__
    advice = "check the port (9443), and whether the URL is to begin with http://"
    return _failed("tls", node, f"TLS is not spoken: {said}", advice)


def is_rest_api(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return True if an answer to GET /v1/nodes without credentials is the REST API's.

    The API has a header `cluster-state-id` of its own, an `error_code` in its errors, and an Envoy
    before it. As there are other Envoys, that counts for a 401 only, the answer that is due.
    """
    if 300 <= status < 400:
        return False
    if "cluster-state-id" in headers:
        return True
    if status < 300:
        return lists_nodes(body)
    if status == 401 and headers.get("Server", "").lower() == "envoy":
        return True
    try:
        code = decode_struct(body, WireError).error_code
    except ValueError:
        return False
    return isinstance(code, str) and code != ""


def is_inconclusive(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Return True if it takes further answers to tell whether an answer is the REST API's.

    Any web server may say 401, and a node that is in no cluster yet may say "not now".
    """
    return is_retryable(status) or (status == 401 and not is_rest_api(status, headers, body))


def answered(node: str, port: int | None, status: int, headers: Mapping[str, str], body: bytes,
             *, target: str | None, known: bool = False) -> CheckResult:  # fmt: skip
    """Tell what a node answers to GET /v1/nodes without credentials.

    `known` is whether other answers have shown that it is the REST API.
    """
    if status in {307, 308}:
        if target is not None:
            seen = f"redirects to {target}, which is the primary then, and is followed"
            return CheckResult(level=Level.OK, check="http", node=node, seen=seen)
        refused = error_for("GET", "/v1/nodes", status, headers, b"", permission=None)
        hint = getattr(refused, "hint", None)
        return _failed("http", node, f"redirects elsewhere ({status})", hint)
    if is_retryable(status):
        advice = "it may start, or be no member, or the cluster has no quorum: ask again"
        return _failed("http", node, f"answers {status}", advice, spared=True)
    if known or is_rest_api(status, headers, body):
        seen = f"answers {status}, as the REST API does"
        return CheckResult(level=Level.OK, check="http", node=node, seen=seen)
    if status == 400 and node.startswith("http://"):
        return _failed("http", node, "answers 400", "begin the URL with https://")
    what = "the Cluster Manager UI" if port == _UI_PORT else "a proxy, or another web server"
    also = ", also where the REST API has nothing," if status == 401 else ""
    said = ": ".join(filter(None, parse_error_body(body)))[:_QUOTED]
    seen = f"answers {status}{also} as {what} does{said and f': {said}'}"
    return _failed("http", node, seen, f"{_TO_API}, without a path, and {_NOT_SENT}")


def unbootstrapped(node: str, state: str) -> CheckResult:
    """Tell that a node is in no cluster yet: its bootstrap is not `completed`."""
    advice = "create a cluster with it, or let it join one, and ask again when that has ended"
    seen = f"the REST API, but in no cluster yet: its bootstrap is {state!r}"
    return _failed("http", node, seen, advice, spared=True)


def unanswered(node: str, said: str) -> CheckResult:
    """Tell that there is no answer."""
    # A server that speaks TLS 1.3 and misses a certificate may just hang up.
    certificate = " and give --client-cert if it wants one" if node.startswith("https:") else ""
    advice = f"{_TO_API}, look at the node,{certificate or ' and ask again'}"
    return _failed("http", node, f"no answer that can be used: {said}", advice, spared=True)


def clock_skew(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds a node's clock is ahead of ours, or None if it does not tell."""
    try:
        date = email.utils.parsedate_to_datetime(headers.get("Date", ""))
        return (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    except (OverflowError, TypeError, ValueError):
        return None


def clock(node: str, skew: float | None) -> CheckResult:
    """Tell how a node's clock goes."""
    if skew is None:
        return _warned("clock", node, "the answer does not tell the time", None)
    if abs(skew) <= _SKEW:
        seen = f"within {_SKEW:g} s of ours"
        return CheckResult(level=Level.OK, check="clock", node=node, seen=seen)
    way = "ahead of" if skew > 0 else "behind"
    advice = "let NTP set both clocks: exports' references and tokens go by them"
    return _warned("clock", node, f"{abs(skew):.0f} s {way} ours", advice)


def _pin(shown: Certificate) -> str:
    return (
        "compare this with what the cluster's administrator sees, and pin it: "
        f"fingerprint={shown.fingerprint}"
    )


def _warned(check: str, node: str, seen: str, advice: str | None) -> CheckResult:
    return CheckResult(level=Level.WARNING, check=check, node=node, seen=seen, advice=advice)


def _failed(
    check: str, node: str, seen: str, advice: str | None, *, spared: bool = False
) -> CheckResult:
    return CheckResult(
        level=Level.FAILURE,
        check=check,
        node=node,
        seen=seen,
        advice=advice,
        any_node_suffices=spared,
    )


class Certificate(NamedTuple):
    """What there is to tell of a certificate. `ends` is None where it cannot be read.

    `fingerprint` is its SHA-256: upper-case hex pairs, joined by colons. `self_signed` is whether
    nobody else vouches for it, and `names` are the hosts that it is for.
    """

    fingerprint: str
    self_signed: bool = False
    ends: datetime | None = None
    names: tuple[str, ...] = ()


def certificate_of(der: bytes) -> Certificate:
    """Read a certificate. Of one that cannot be read there is the fingerprint."""
    fingerprint = hashlib.sha256(der).digest().hex(":").upper()
    try:
        signed = _inside(_inside(der)[0][1])[0][1]
        fields = [each for each in _inside(signed) if each[0] != _VERSION]
        _, _, (_, issuer), (_, validity), (_, subject), *rest = fields
        return Certificate(
            fingerprint,
            self_signed=issuer == subject,
            ends=_time(_inside(validity)[1]),
            names=tuple(name for tag, it in rest if tag == _EXTENSIONS for name in _names(it)),
        )
    except (ValueError, IndexError):
        return Certificate(fingerprint)


def _inside(data: bytes) -> list[_Element]:
    """Return the elements that stand in a row. Raises ValueError or IndexError where none do."""
    found: list[_Element] = []
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if length > len(data) - at:
            raise ValueError("it is cut off")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _time(element: _Element) -> datetime:
    tag, text = element
    return datetime.strptime(text.decode("ascii"), _TIMES.get(tag, "")).replace(tzinfo=UTC)


def _names(extensions: bytes) -> list[str]:
    """Return the names that a certificate is for; what is in the subject does not count."""
    for _, extension in _inside(_inside(extensions)[0][1]):
        (_, kind), *_, (_, value) = _inside(extension)
        if kind == _ALTERNATIVE_NAMES:
            return [_name(*each) for each in _inside(_inside(value)[0][1]) if each[0] in _NAMED]
    return []


_NAMED: Final = frozenset({_DNS_NAME, _IP_ADDRESS})


def _name(tag: int, value: bytes) -> str:
    return str(ip_address(value)) if tag == _IP_ADDRESS else value.decode("ascii")


async def resolve(host: str, port: int) -> list[str]:
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
