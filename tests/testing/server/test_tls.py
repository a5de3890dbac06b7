"""Tests of `testing.server.tls`, over HTTP, without code of the client."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import re
import ssl
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import aiohttp
import pytest

from redis_enterprise_actions.testing import FakeCluster


if TYPE_CHECKING:
    from pathlib import Path

    from redis_enterprise_actions.testing.server.tls import Certificates


from tests.testing.sessions import authorized, port_of, post


pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]


def fingerprint_of(cluster: FakeCluster) -> aiohttp.Fingerprint:
    """Return a pin on the cluster's certificate."""
    return aiohttp.Fingerprint(bytes.fromhex(cluster.fingerprint.replace(":", "")))


def unverified_context() -> ssl.SSLContext:
    """Return a client's context without verification."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def requiring_certificates() -> FakeCluster:
    """Return a cluster that requires client certificates."""
    return FakeCluster(tls="own-ca", client_certificate=True)


def context_with_certificate(pem: str, cluster: FakeCluster, folder: Path) -> ssl.SSLContext:
    """Return a client's context that trusts a cluster and sends a certificate."""
    context = ssl.create_default_context(cadata=cluster.ca_pem)
    file = folder / "client.pem"
    file.write_text(pem)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("tls", ["self-signed", "own-ca"])
class TestEitherTls:
    """TLS with either kind of certificate."""

    async def test_answers(self, tls: Certificates) -> None:
        """A cluster with TLS answers over https only."""
        async with FakeCluster(tls=tls, nodes=2) as cluster, authorized(cluster) as session:
            for url, port in zip(cluster.urls, map(port_of, cluster.urls), strict=True):
                assert url == f"https://127.0.0.1:{port}"
            pinned = fingerprint_of(cluster)
            for url, status in zip(cluster.urls, (200, 307), strict=True):
                async with session.get(
                    f"{url}/v1/actions", ssl=pinned, allow_redirects=False
                ) as response:
                    assert response.status == status
            assert response.headers["Location"] == f"{cluster.url}/v1/actions"
            with pytest.raises(aiohttp.ClientError):
                await session.get(cluster.url.replace("https", "http"))

    async def test_fingerprint(self, tls: Certificates) -> None:
        """The fingerprint is that of the certificate that the server shows."""
        async with FakeCluster(tls=tls) as cluster:
            assert re.fullmatch("([0-9A-F]{2}:){31}[0-9A-F]{2}", cluster.fingerprint)
            wrong = aiohttp.Fingerprint(bytes(32))
            async with authorized(cluster) as session:
                with pytest.raises(aiohttp.ServerFingerprintMismatch):
                    await session.get(cluster.url, ssl=wrong)
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port_of(cluster.url), ssl=unverified_context()
            )
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.transport.abort()

        assert hashlib.sha256(shown).digest() == fingerprint_of(cluster).fingerprint

    async def test_not_trusted(self, tls: Certificates) -> None:
        """The certificate is not trusted by default."""
        async with FakeCluster(tls=tls) as cluster, authorized(cluster) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(cluster.url)

    async def test_every_cluster_its_own(self, tls: Certificates) -> None:
        """Two clusters share no certificate, and each has its own before it runs."""
        first, second = FakeCluster(tls=tls), FakeCluster(tls=tls)

        assert first.ca_pem != second.ca_pem
        assert first.fingerprint != second.fingerprint
        assert first.ca_pem.startswith("-----BEGIN CERTIFICATE-----\n")
        assert "PRIVATE" not in first.ca_pem

    async def test_restart(self, tls: Certificates) -> None:
        """A node has the same certificate when it comes back; connections are cut in between."""
        async with FakeCluster(tls=tls) as cluster, authorized(cluster) as session:
            pinned, url = fingerprint_of(cluster), f"{cluster.url}/v1/actions"
            cluster.inject(delay=60)
            request = asyncio.create_task(session.get(url, ssl=pinned))
            await asyncio.sleep(1)
            await cluster.restart_node(1, downtime=5)
            with pytest.raises(aiohttp.ClientError):
                await request
            async with session.get(url, ssl=pinned) as response:
                assert response.status == 200

    async def test_end_is_quick(self, tls: Certificates) -> None:
        """The end of a cluster does not wait for open connections."""
        began = asyncio.get_running_loop().time()
        async with FakeCluster(tls=tls) as cluster:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port_of(cluster.url), ssl=unverified_context()
            )
        writer.transport.abort()

        assert asyncio.get_running_loop().time() - began < 1

    async def test_stop_meets_newcomers(self, tls: Certificates) -> None:
        """A connection whose handshake is under way while a node stops is not left open."""
        for turns in range(0, 60, 3):
            async with FakeCluster(tls=tls) as cluster, authorized(cluster) as session:
                url, pinned = f"{cluster.url}/v1/actions", fingerprint_of(cluster)
                requests = [asyncio.create_task(session.get(url, ssl=pinned)) for _ in range(3)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                await cluster.stop_node(1)
                results = await asyncio.gather(*requests, return_exceptions=True)
                for result in results:
                    assert isinstance(result, (aiohttp.ClientResponse, aiohttp.ClientError)), turns
                    if isinstance(result, aiohttp.ClientResponse):
                        result.close()
        gc.collect()

    async def test_late_handshake(self, tls: Certificates) -> None:
        """A slow handshake is not completed by a stopped node."""
        async with FakeCluster(tls=tls) as cluster:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(cluster.url))
            await asyncio.sleep(1)
            await cluster.stop_node(1)
            with contextlib.suppress(OSError):
                await writer.start_tls(unverified_context())
                writer.write(b"GET /v1/actions HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert await reader.read() == b""
            writer.transport.abort()
            await asyncio.sleep(1)

        assert cluster.requests == []


class TestTls:
    """Signers, and certificates of clients."""

    async def test_own_ca(self) -> None:
        """A certificate of an own CA is valid for 127.0.0.1 and localhost."""
        async with FakeCluster(tls="own-ca") as cluster, authorized(cluster) as session:
            trusting = ssl.create_default_context(cadata=cluster.ca_pem)
            for host in ("127.0.0.1", "localhost"):
                url = f"https://{host}:{port_of(cluster.url)}/v1/actions"
                async with session.get(url, ssl=trusting) as response:
                    assert response.status == 200

    async def test_self_signed(self) -> None:
        """A self-signed certificate is its own CA, and names no host."""
        async with FakeCluster(tls="self-signed") as cluster, authorized(cluster) as session:
            trusting = ssl.create_default_context(cadata=cluster.ca_pem)
            with pytest.raises(aiohttp.ClientConnectorCertificateError, match=r"match|valid for"):
                await session.get(cluster.url, ssl=trusting)
            trusting.check_hostname = False
            async with session.get(f"{cluster.url}/v1/actions", ssl=trusting) as response:
                assert response.status == 200
            der = ssl.PEM_cert_to_DER_cert(cluster.ca_pem)
            assert hashlib.sha256(der).digest() == fingerprint_of(cluster).fingerprint

    async def test_client_certificate(self, tmp_path: Path) -> None:
        """A client's certificate is enough, for a token, too."""
        async with requiring_certificates() as cluster, aiohttp.ClientSession() as session:
            shown = context_with_certificate(cluster.client_pem, cluster, tmp_path)
            async with session.get(f"{cluster.url}/v1/actions", ssl=shown) as response:
                assert response.status == 200
            status, body = await post(session, cluster, "authorize", b"", ssl=shown)
            assert (status, list(body)) == (200, ["access_token"])
            status, _ = await post(session, cluster, "refresh_jwt", b"", ssl=shown)
            assert status == 401
            assert all(seen.has_credentials for seen in cluster.requests)

    async def test_no_client_certificate(self, tmp_path: Path) -> None:
        """A client without a certificate, or with one of another CA, is refused."""
        async with requiring_certificates() as cluster, authorized(cluster) as session:
            trusting = ssl.create_default_context(cadata=cluster.ca_pem)
            strange = context_with_certificate(
                requiring_certificates().client_pem, cluster, tmp_path
            )
            for context in (trusting, strange):
                with pytest.raises((aiohttp.ClientError, OSError)):
                    await session.get(f"{cluster.url}/v1/actions", ssl=context)

        assert cluster.requests == []

    @pytest.mark.parametrize("name", ["ca_pem", "fingerprint", "client_pem"])
    def test_no_certificates(self, name: str) -> None:
        """A cluster over plain HTTP has no certificates."""
        with pytest.raises(RuntimeError, match="tls was not asked for"):
            getattr(FakeCluster(), name)

    def test_no_client_pem(self) -> None:
        """A cluster that requires no client certificates has none."""
        with pytest.raises(RuntimeError, match="client_certificate is off"):
            _ = FakeCluster(tls="own-ca").client_pem

    def test_no_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No key is left on the disk."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        FakeCluster(tls="self-signed")
        requiring_certificates()

        assert list(tmp_path.iterdir()) == []

    def test_keys_are_not_shown(self) -> None:
        """The repr of a cluster shows no key."""
        assert "PRIVATE" not in repr(vars(requiring_certificates()))

    def test_no_trustme(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without trustme, the error names the extra, and plain HTTP works."""
        monkeypatch.setitem(sys.modules, "trustme", None)
        FakeCluster()
        with pytest.raises(RuntimeError, match="pip install trustme"):
            FakeCluster(tls="own-ca")

    def test_import_is_lean(self) -> None:
        """Importing the fake does not import trustme."""
        code = "import sys, redis_enterprise_actions.testing; print('trustme' in sys.modules)"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert run.stdout == "False\n"
