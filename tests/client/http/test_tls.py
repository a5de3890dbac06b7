"""Tests of `_client.http.tls`."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._client.http.tls import client_cert_refusal, ssl_context, tls_settings


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIGEST = bytes(range(32))
PAIRS = DIGEST.hex(":").upper()


@pytest.mark.parametrize("verify", [True, False])
def test_no_files(verify: bool) -> None:
    """Without a file, the system's CAs verify the certificate, or nothing does."""
    assert tls_settings(verify=verify) == (verify, None, verify, False)


@pytest.mark.parametrize(
    "text",
    [
        DIGEST.hex(),
        PAIRS,
        f" {PAIRS}\n",
        f"SHA256:{DIGEST.hex()}",
        f"sha256 Fingerprint={PAIRS}",
        f"SHA-256: {PAIRS.replace(':', ' ')}",
    ],
)
def test_fingerprint(text: str) -> None:
    """A fingerprint is accepted as tools print it; nothing else of the certificate is checked."""
    assert tls_settings(fingerprint=text) == (False, DIGEST, True, False)


@pytest.mark.parametrize("text", ["", "AB:CD", DIGEST.hex()[:-1], "g" * 64, DIGEST, None, 5])
def test_bad_fingerprint(text: str) -> None:
    """A text that is not a SHA-256 fingerprint is wrong usage."""
    if text is None:
        assert tls_settings(fingerprint=text).fingerprint is None
        return
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        tls_settings(fingerprint=text)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"verify": False, "ca_cert": "ca.pem"}, "contradict"),
        ({"verify": False, "fingerprint": PAIRS}, "contradict"),
        ({"ca_cert": "ca.pem", "fingerprint": PAIRS}, "contradict"),
        ({"client_key": "key.pem"}, "needs client_cert="),
        ({"ca_cert": ""}, "ca_cert='' cannot be loaded: it is empty"),
        ({"client_cert": ""}, "client_cert='' cannot be loaded: it is empty"),
        ({"ca_cert": 5}, "ca_cert=5 cannot be loaded"),
        ({"client_cert": 5}, "client_cert=5 cannot be loaded"),
    ],
)
def test_bad_settings(settings: dict[str, object], problem: str) -> None:
    """Arguments that contradict each other or cannot be loaded are wrong usage, by name."""
    with pytest.raises(UsageError, match=problem):
        tls_settings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("setting", ["ca_cert", "client_cert"])
@pytest.mark.parametrize("make", [lambda path: path.write_text("no certificate"), lambda _: None])
def test_bad_files(tmp_path: Path, make: Callable[[Path], object], setting: str) -> None:
    """A file that is missing or has other contents is named."""
    make(tmp_path / "some.pem")

    with pytest.raises(UsageError, match=rf"{setting}=.*some\.pem.*cannot be loaded"):
        tls_settings(**{setting: str(tmp_path / "some.pem")})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def certificate() -> trustme.LeafCert:
    """Make a client's certificate."""
    return trustme.CA().issue_cert("ops@example.com")


class TestClientCertificate:
    """A client certificate comes from one file or two, and never causes a prompt."""

    def test_one_file(self, certificate: trustme.LeafCert, tmp_path: Path) -> None:
        """The key may be in the same file; the cluster's certificate is verified all the same."""
        certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")

        context = tls_settings(client_cert=tmp_path / "client.pem").context
        assert isinstance(context, ssl.SSLContext)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname

    def test_two_files(self, certificate: trustme.LeafCert, tmp_path: Path) -> None:
        """The key may be in its own file; a pinned certificate is not verified besides."""
        certificate.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
        certificate.private_key_pem.write_to_path(tmp_path / "key.pem")

        settings = tls_settings(
            client_cert=tmp_path / "client.pem", client_key=tmp_path / "key.pem", fingerprint=PAIRS
        )
        assert isinstance(settings.context, ssl.SSLContext)
        assert settings.context.verify_mode is ssl.CERT_NONE
        assert settings.fingerprint == DIGEST

    def test_encrypted_key(self, certificate: trustme.LeafCert, tmp_path: Path) -> None:
        """A key with a passphrase is wrong usage; Python would prompt for it on the terminal."""
        key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
        encrypted = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
        (tmp_path / "key.pem").write_bytes(encrypted)
        certificate.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")

        with pytest.raises(UsageError, match="its key is encrypted"):
            tls_settings(client_cert=tmp_path / "client.pem", client_key=tmp_path / "key.pem")


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True),
        ("TLSV1_ALERT_UNKNOWN_CA", True),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", True),
        ("WRONG_VERSION_NUMBER", False),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", False),
        (None, False),
    ],
)
def test_client_cert_refusal(reason: str | None, refused: bool) -> None:
    """An alert about the client's certificate is found in the chain of an error."""
    alert = ssl.SSLError(1, "alert")
    alert.reason = reason  # type: ignore[misc,assignment]
    error = OSError("cannot connect")
    error.__cause__ = alert

    assert client_cert_refusal(error) == (reason if refused else None)
    assert client_cert_refusal(None) is None


@pytest.mark.parametrize(
    ("verify", "mode"), [(True, ssl.CERT_REQUIRED), (False, ssl.CERT_NONE)], ids=["yes", "no"]
)
def test_ssl_context(*, verify: bool, mode: ssl.VerifyMode) -> None:
    """Each setting has an SSL context, and one that is given is used."""
    context = ssl_context(tls_settings(verify=verify).context)

    assert context.verify_mode is mode
    assert context.check_hostname is verify
    assert ssl_context(context) is context
