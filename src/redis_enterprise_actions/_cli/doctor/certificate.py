"""What a certificate says of itself: how long it is good, for which names, and who vouches for it.

Knows DER as far as certificates need it (RFC 5280, X.690). Refuses to judge: what a certificate
says need not be true.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from typing import TypeAlias

    _Element: TypeAlias = tuple[int, bytes]  # its tag, and what is in it

_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_ALTERNATIVE_NAMES: Final = b"\x55\x1d\x11"  # 2.5.29.17
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87
_TIMES: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}


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
