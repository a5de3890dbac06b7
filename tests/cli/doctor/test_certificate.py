"""Facts about `_certificate`: what is read of certificates, and that nothing makes it stumble."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import trustme
from hypothesis import given
from hypothesis import strategies as st

from redis_enterprise_actions._cli.doctor.network import certificate_of


CA = trustme.CA()
END = datetime(2051, 2, 3, 4, 5, 6, tzinfo=UTC)  # a GeneralizedTime, as from 2050 on
ISSUED = ssl.PEM_cert_to_DER_cert(
    CA.issue_cert("n1.example.com", "127.0.0.1", "::1", not_after=END)
    .cert_chain_pems[0]
    .bytes()
    .decode()
)
OWN = ssl.PEM_cert_to_DER_cert(CA.cert_pem.bytes().decode())


def test_issued() -> None:
    """A certificate tells its names, its end, and that another one vouches for it."""
    read = certificate_of(ISSUED)

    assert read.names == ("n1.example.com", "127.0.0.1", "::1")
    assert read.ends == END
    assert not read.self_signed
    assert len(read.fingerprint) == 95


def test_self_signed() -> None:
    """A self-signed one tells that, and that it is for no host."""
    read = certificate_of(OWN)

    assert (read.self_signed, read.names) == (True, ())


@given(st.integers(0, len(ISSUED) - 1), st.binary(max_size=8))
def test_spoilt(at: int, bytes_: bytes) -> None:
    """Of bytes that are no certificate, there is a fingerprint at least."""
    assert certificate_of(ISSUED[:at] + bytes_ + ISSUED[at + len(bytes_) :]).fingerprint
    assert certificate_of(bytes_).ends is None
