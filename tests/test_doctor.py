"""Facts about `_doctor`: what is looked at, in which order, and what never is shown or sent."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme
from aiohttp import web

from redis_enterprise_actions import ClientCertificateRefused, _doctor
from redis_enterprise_actions._arguments import arguments
from redis_enterprise_actions._doctor import doctor
from redis_enterprise_actions._transport import Transport
from redis_enterprise_actions.testing import FakeCluster
from tests.secrecy import SECRETS


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    Lines = Callable[[], list[str]]

pytestmark = pytest.mark.enable_socket

USER = ("admin@example.com", "fake-password")


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks, as the environment says it."""
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", USER[0])
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", USER[1])


async def examined(*options: str, urls: list[str]) -> int:
    """Run the command on this loop; return its exit code."""
    given = [word for url in urls for word in ("--url", url)]
    work = doctor(arguments(["doctor", *given, *options]))
    return work if isinstance(work, int) else await work


def plain(lines: list[str], *names: str) -> list[str]:
    """Return lines without ports, of some checks if any are named."""
    found = [line for line in lines if not names or line[9:20].strip() in names]
    return [line.replace("127.0.0.1:", "") for line in found]


HEALTHY = """\
ok       settings     url is URL, from an option
ok       settings     username is admin@example.com, from the environment
ok       settings     password is given, from the environment
ok       dns          URL: an address, no name
ok       tcp          URL: connects
ok       http         URL: answers 401, as the REST API may do
ok       clock        URL: within 5 s of ours
ok       credentials  the cluster accepts admin@example.com, by the password
ok       version      Redis Software 8.0.20-68
ok       primary      node 1 (node1) is the primary
ok       permissions  may see actions
ok       permissions  may see actions of nodes
ok       permissions  may see tasks of Active-Active databases
ok       permissions  may see databases
ok       v2           there
15 ok, 0 warnings, 0 failures, 8 requests sent; exit code 0"""


async def test_healthy(lines: Lines) -> None:
    """A healthy cluster gets a line for each check, 0, and nothing but GETs."""
    async with FakeCluster() as fake:  # here, as the clock of a fixture's is another
        assert await examined(urls=[fake.url]) == 0
        assert "\n".join(lines()).replace(fake.url, "URL") == HEALTHY
    assert {request.method for request in fake.requests} == {"GET"}
    assert len(fake.requests) == 8


async def test_json(lines: Lines) -> None:
    """With `--json` each line is an object that says the same."""
    async with FakeCluster() as fake:
        fake.inject(path="/v1/crdb_tasks", status=403)
        assert await examined("--json", urls=[fake.url]) == 0
    *checks, end = map(json.loads, lines())
    (warning,) = [each for each in checks if each["level"] == "warning"]
    assert warning == {
        "event": "check",
        "level": "warning",
        "check": "permissions",
        "node": None,
        "seen": "may not see tasks of Active-Active databases (/v1/crdb_tasks answers 403)",
        "advice": "give the user a role with the permission view_crdb_task_list",
    }
    assert end == {
        "event": "done",
        "ok": 14,
        "warnings": 1,
        "failures": 0,
        "requests": 8,
        "exit_code": 0,
    }


def test_settings_that_cannot_work(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """Without a cluster to ask, that is what is said, and 2."""
    assert doctor(arguments(["doctor"])) == 2
    assert lines()[0].startswith("failure  settings     no cluster is given")


async def test_self_signed(lines: Lines) -> None:
    """The fingerprint of a self-signed certificate is ready to be pasted, and then works."""
    async with FakeCluster(tls="self-signed") as fake:
        assert await examined(urls=[fake.url]) == 5
        (line,) = plain(lines(), "tls")
        assert "the certificate is self-signed" in line
        assert line.endswith(f"fingerprint={fake.fingerprint}")
        assert fake.requests == []  # not even a question, so no password either

        assert await examined("--fingerprint", fake.fingerprint, urls=[fake.url]) == 0
        assert "trusted by its fingerprint" in plain(lines(), "tls")[0]
        assert await examined("--fingerprint", "ab" * 32, urls=[fake.url]) == 5
        assert "is not the pinned one" in plain(lines(), "tls")[0]
        assert await examined("--insecure", urls=[fake.url]) == 0
        assert plain(lines(), "tls")[0].startswith("warning  tls")


async def test_client_certificate(tmp_path: Path, lines: Lines) -> None:
    """A cluster that wants a client certificate says so, and is asked with one."""
    async with FakeCluster(tls="own-ca", client_certificate=True) as fake:
        for name, pem in (("ca", fake.ca_pem), ("client", fake.client_pem)):
            (tmp_path / name).write_text(pem)
        ca = ("--ca-cert", str(tmp_path / "ca"))

        assert await examined(*ca, urls=[fake.url]) == 5
        assert any("--client-cert" in line for line in lines())
        assert await examined(*ca, "--client-cert", str(tmp_path / "client"), urls=[fake.url]) == 0


@pytest.mark.parametrize(
    ("names", "until", "said"),
    [
        (["other.example.com"], 90, "for other names. To do: use one that it has: other.example"),
        (["127.0.0.1"], -1, "the certificate has expired on "),
        (["127.0.0.1"], 10.5, "it expires in 10 days. To do: renew"),
    ],
    ids=["other names", "expired", "soon"],
)
async def test_certificate(
    tmp_path: Path, lines: Lines, names: list[str], until: float, said: str
) -> None:
    """What is wrong with a certificate, or soon will be, is said."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    end = datetime.now(UTC) + timedelta(days=until)
    ca.issue_cert(*names, not_after=end, not_before=end - timedelta(days=30)).configure_cert(
        context
    )
    ca.cert_pem.write_to_path(str(tmp_path / "ca"))
    async with served(lambda _: web.Response(status=401), context) as url:
        await examined("--ca-cert", str(tmp_path / "ca"), urls=[url])

    assert said in plain(lines(), "tls")[0]


async def test_basic_is_off(lines: Lines) -> None:
    """Where Basic is refused but a token is granted, that is said."""
    async with FakeCluster(basic=False) as fake:
        assert await examined(urls=[fake.url]) == 5
        assert plain(lines(), "credentials")[0].endswith("To do: use --auth jwt")
        assert await examined("--auth", "jwt", urls=[fake.url]) == 0


async def test_wrong_password(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """A wrong password is sent twice at most, as clusters lock users out, and never shown."""
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", "wrong-password")

    assert await examined(urls=[cluster.url]) == 5
    said = lines()
    assert "the cluster refuses admin@example.com" in plain(said, "credentials")[0]
    assert len(cluster.requests) == 3  # one of which is without it
    assert not any(secret in line for line in said for secret in SECRETS)


async def test_password_expired(cluster: FakeCluster, lines: Lines) -> None:
    """An expired password is called that, and not sent again."""
    body = json.dumps({"error_code": "password_expired"})
    cluster.inject(status=401)
    cluster.inject(times=None, status=401, body=body)

    assert await examined(urls=[cluster.url]) == 5
    assert "has expired" in plain(lines(), "credentials")[0]
    assert len(cluster.requests) == 2


async def test_followers(lines: Lines) -> None:
    """A follower that redirects to the primary is well; elsewhere, it says what to do."""
    async with FakeCluster(nodes=2) as fake:
        assert await examined(urls=fake.urls[::-1]) == 0
        assert "which is the primary then, and is followed" in plain(lines(), "http")[0]

        assert await examined(urls=[fake.urls[1]]) == 5
        (line,) = plain(lines(), "http")
        assert "redirects elsewhere (307)" in line
        assert "REDIS_ENTERPRISE_TRUSTED_HOSTS" in line

        await fake.stop_node(2)
        assert await examined(urls=fake.urls) == 0
        assert plain(lines(), "tcp")[1].startswith("warning  tcp")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(text="<html>", content_type="text/html"), "as a proxy, or another web"),
        (web.Response(status=302, headers={"Location": "/login"}), "answers 302 as a proxy"),
        (web.Response(status=503), "answers 503. To do: it may start"),
        (web.Response(status=400), "answers 400. To do: begin the URL with https://"),
    ],
    ids=["html", "302", "503", "400"],
)
async def test_no_api(lines: Lines, answer: web.Response, said: str) -> None:
    """What is not the REST API is told by its answer, and gets no password."""
    asked: list[web.Request] = []

    def reply(request: web.Request) -> web.Response:
        asked.append(request)
        return answer

    async with served(reply) as url:
        assert await examined(urls=[url]) == 5
    assert said in plain(lines(), "http")[0]
    assert [request.headers.get("Authorization") for request in asked] == [None]


@pytest.mark.parametrize("body", [b"", b"[", b"[1, {}]", b"{}", b"[" * 10**5, b"\xff\x00"])
async def test_hostile_bodies(lines: Lines, body: bytes) -> None:
    """Whatever is in the answers, every check is told of."""
    async with served(lambda _: web.Response(body=body, content_type="application/json")) as url:
        assert await examined(urls=[url]) == 0
    checks = {line[9:20].strip() for line in lines()[:-1]}
    assert checks >= {"http", "credentials", "version", "primary", "permissions", "v2"}


async def test_slow(cluster: FakeCluster, lines: Lines) -> None:
    """A step that takes too long is ended."""
    cluster.inject(times=None, delay=3600)

    assert await examined("--timeout", "3s", urls=[cluster.url]) == 5
    assert "no answer that can be used: no answer in time" in plain(lines(), "http")[0]


async def test_clock(cluster: FakeCluster, lines: Lines) -> None:
    """A clock that is off by more than seconds is worth a warning."""
    cluster.inject(status=401, headers={"Date": "Mon, 01 Jan 2001 00:00:00 GMT"})

    assert await examined(urls=[cluster.url]) == 0
    assert " s behind ours. To do: let NTP" in plain(lines(), "clock")[0]


async def test_denied(cluster: FakeCluster, lines: Lines) -> None:
    """A list of actions that may not be seen is a failure, named by its permission."""
    cluster.inject(path="/v1/actions", status=403)
    cluster.inject(path="/v1/bdbs", status=400)  # to `fields=`, which is then left out

    assert await examined(urls=[cluster.url]) == 5
    first, *_, last = plain(lines(), "permissions")
    assert first.startswith("failure")
    assert first.endswith("the permission view_status_of_cluster_action")
    assert last == "ok       permissions  may see databases"


async def test_names(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """A name that does not resolve is a failure, and a look-up that hangs is given up."""

    async def look_up(host: str, _: int) -> list[str]:
        if host == "slow.example.com":
            await asyncio.sleep(3600)
        raise OSError("no such name")

    monkeypatch.setattr(_doctor, "addresses_of", look_up)
    urls = ["https://n1.example.com:9443", "https://slow.example.com:9443"]

    assert await examined(urls=urls) == 5
    first, second = plain(lines(), "dns")
    assert "n1.example.com does not resolve: no such name" in first
    assert "nothing within 10 s" in second


async def test_no_tls(cluster: FakeCluster, lines: Lines) -> None:
    """A server that does not speak TLS is told from one whose certificate is not trusted."""
    url = cluster.url.replace("http:", "https:")

    assert await examined(urls=[url]) == 5
    assert "TLS is not spoken" in plain(lines(), "tls")[0]


async def test_refused_by_tls(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """A refusal of our certificate that comes as late as the answer is told as such."""

    async def refuse(*_: object) -> None:
        raise ClientCertificateRefused("GET", "/v1/nodes", reason="CERTIFICATE_REQUIRED")

    monkeypatch.setattr(Transport, "ask", refuse)

    assert await examined(urls=[cluster.url]) == 5
    assert any("our client certificate is not accepted" in line for line in lines())


async def test_tokens_that_do_not_come(cluster: FakeCluster, lines: Lines) -> None:
    """Where it cannot be told whether tokens are granted, the refusal is what is said."""
    cluster.inject(path="/v1/users", times=None, drop=True)
    cluster.inject(path="/v1/nodes", times=2, status=401)

    assert await examined(urls=[cluster.url]) == 5
    assert "the cluster refuses admin@example.com" in plain(lines(), "credentials")[0]


async def test_forbidden_list_of_nodes(cluster: FakeCluster, lines: Lines) -> None:
    """Whoever may not see the nodes is known all the same."""
    cluster.inject(path="/v1/nodes", status=401)
    cluster.inject(path="/v1/nodes", status=403)

    assert await examined(urls=[cluster.url]) == 0
    said = plain(lines(), "credentials", "version")
    assert said[0].startswith("ok")
    assert said[1].endswith("the permission view_all_nodes_info")


async def test_anybody(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """A token is one way to say who we are, and saying nothing is none."""
    monkeypatch.delenv("REDIS_ENTERPRISE_USER")
    (tmp_path / "token").write_text("hunter2-hunter2")
    (tmp_path / "token").chmod(0o600)

    assert await examined("--token-file", str(tmp_path / "token"), urls=[cluster.url]) == 5
    said = lines()
    assert "the cluster refuses the token" in plain(said, "credentials")[0]
    assert not any(secret in line for line in said for secret in SECRETS)

    monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD")
    assert await examined(urls=[cluster.url]) == 5
    assert "one who does not say who he is" in plain(lines(), "credentials")[0]


def served(
    reply: Callable[[web.Request], web.Response], context: ssl.SSLContext | None = None
) -> AbstractAsyncContextManager[str]:
    """Serve one answer to everything; give the URL."""
    from contextlib import asynccontextmanager  # noqa: PLC0415

    @asynccontextmanager
    async def serving() -> AsyncIterator[str]:
        async def handler(request: web.BaseRequest) -> web.Response:
            answer = reply(request)  # type: ignore[arg-type]
            body = answer.body if isinstance(answer.body, bytes) else None
            headers = {k: v for k, v in answer.headers.items() if k != "Content-Length"}
            return web.Response(status=answer.status, body=body, headers=headers)

        runner = web.ServerRunner(web.Server(handler))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()

    return serving()
