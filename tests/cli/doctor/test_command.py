"""Tests of `_cli.doctor.command`: the whole command, against clusters and other servers."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme
from aiohttp import web

from redis_enterprise_actions import ClientCertificateRefused
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.doctor import node_checks
from redis_enterprise_actions._cli.doctor.command import run_doctor as start_doctor
from redis_enterprise_actions._cli.execution import Execution
from redis_enterprise_actions._client.http.transport import Transport
from redis_enterprise_actions.testing import FakeCluster
from tests.secrecy import SECRETS


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from redis_enterprise_actions.testing import Version

    Lines = Callable[[], list[str]]

pytestmark = pytest.mark.enable_socket

USER = ("admin@example.com", "fake-password")


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the user and the password in the environment."""
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", USER[0])
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", USER[1])


async def run_doctor(*options: str, urls: list[str]) -> int:
    """Run the command on this loop and return its exit code."""
    url_options = [word for url in urls for word in ("--url", url)]
    work = start_doctor(parse_arguments(["doctor", *url_options, *options]), Execution())
    return work if isinstance(work, int) else await work


def plain(lines: list[str], *names: str) -> list[str]:
    """Return lines without hosts, only those of the named checks if there are any."""
    found = [line for line in lines if not names or line[9:20].strip() in names]
    return [line.replace("127.0.0.1:", "") for line in found]


HEALTHY = """\
ok       settings     url is URL, from an option
ok       settings     username is admin@example.com, from the environment
ok       settings     password is given, from the environment
ok       dns          URL: is an address, not a name
ok       tcp          URL: accepts connections
ok       http         URL: answers 401, as the REST API does
ok       clock        URL: within 5 s of ours
ok       credentials  the cluster accepts admin@example.com, by the password
ok       version      Redis Software 8.0.20-68
ok       permissions  may see actions
ok       permissions  may see actions of nodes
ok       permissions  may see tasks of Active-Active databases
ok       permissions  may see databases
ok       permissions  may see exports and imports
14 ok, 0 warnings, 0 failures, 8 requests sent; exit code 0"""


async def test_healthy(lines: Lines) -> None:
    """A healthy cluster gets a line for each check and exit code 0; all requests are GETs."""
    async with FakeCluster() as fake:  # here, as the clock of a fixture's is another
        assert await run_doctor(urls=[fake.url]) == 0
        assert "\n".join(lines()).replace(fake.url, "URL") == HEALTHY
    assert {request.method for request in fake.requests} == {"GET"}
    assert len(fake.requests) == 8


async def test_json(lines: Lines) -> None:
    """With `--json` each line is a JSON object with the same content."""
    async with FakeCluster() as fake:
        fake.inject(path="/v1/crdb_tasks", status=403)
        assert await run_doctor("--json", urls=[fake.url]) == 0
    *checks, end = map(json.loads, lines())
    (warning,) = [each for each in checks if each["level"] == "warning"]
    assert warning == {
        "event": "check",
        "v": 1,
        "level": "warning",
        "check": "permissions",
        "node": None,
        "seen": "tasks of Active-Active databases: the cluster answered 403. The user's role needs "
        "the permission view_crdb_task_list",
        "advice": None,
    }
    assert end == {
        "event": "done",
        "v": 1,
        "ok": 13,
        "warnings": 1,
        "failures": 0,
        "requests": 8,
        "exit_code": 0,
    }


def test_settings_that_cannot_work(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """Without a URL the settings fail, and the exit code is 2."""
    assert start_doctor(parse_arguments(["doctor"]), Execution()) == 2
    assert lines()[0].startswith("failure  settings     no cluster is named")


async def test_self_signed(lines: Lines) -> None:
    """The printed fingerprint of a self-signed certificate is valid for `--fingerprint`."""
    async with FakeCluster(tls="self-signed") as fake:
        assert await run_doctor(urls=[fake.url]) == 5
        (line,) = plain(lines(), "tls")
        assert "the cluster is not trusted: " in line
        assert "--ca-cert" in line
        assert line.endswith(f"its SHA-256 fingerprint is {fake.fingerprint}")
        assert fake.requests == []  # not even a request, so no password either

        assert await run_doctor("--fingerprint", fake.fingerprint, urls=[fake.url]) == 0
        assert "trusted by its fingerprint" in plain(lines(), "tls")[0]
        assert await run_doctor("--fingerprint", "ab" * 32, urls=[fake.url]) == 5
        assert "is not the pinned one" in plain(lines(), "tls")[0]
        assert await run_doctor("--insecure", urls=[fake.url]) == 0
        assert plain(lines(), "tls")[0].startswith("warning  tls")


async def test_client_certificate(tmp_path: Path, lines: Lines) -> None:
    """A missing client certificate is a failure; the right one is used."""
    async with FakeCluster(tls="own-ca", client_certificate=True) as fake:
        for name, pem in (("ca", fake.ca_pem), ("client", fake.client_pem)):
            (tmp_path / name).write_text(pem)
        ca = ("--ca-cert", str(tmp_path / "ca"))

        assert await run_doctor(*ca, urls=[fake.url]) == 5
        assert any("--client-cert" in line for line in lines())
        assert (
            await run_doctor(*ca, "--client-cert", str(tmp_path / "client"), urls=[fake.url]) == 0
        )


async def test_certificate_that_is_not_shown(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """A node that does not show its certificate to a second connection has the same results."""

    async def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(node_checks, "fetch_certificate", refuse)
    async with FakeCluster(tls="self-signed") as fake:
        assert await run_doctor(urls=[fake.url]) == 5
        assert "SHA-256" not in plain(lines(), "tls")[0]
        assert await run_doctor("--fingerprint", fake.fingerprint, urls=[fake.url]) == 0
        assert plain(lines(), "tls")[0].endswith("the certificate is trusted by its fingerprint")


@pytest.mark.parametrize(
    ("names", "until", "expected"),
    [
        (
            ["other.example.com"],
            90,
            "certificate is not valid for",
        ),
        (["127.0.0.1"], -1, "certificate has expired"),
        (["127.0.0.1"], 10.5, "the certificate expires in 10 days: it is for 127.0.0.1 (subject"),
    ],
    ids=["other names", "expired", "soon"],
)
async def test_certificate(
    tmp_path: Path, lines: Lines, names: list[str], until: float, expected: str
) -> None:
    """The result names the problem of a certificate, or that it expires soon."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    end = datetime.now(UTC) + timedelta(days=until)
    ca.issue_cert(*names, not_after=end, not_before=end - timedelta(days=30)).configure_cert(
        context
    )
    ca.cert_pem.write_to_path(str(tmp_path / "ca"))
    async with serve_reply(lambda _: web.Response(status=401), context) as url:
        await run_doctor("--ca-cert", str(tmp_path / "ca"), urls=[url])

    assert expected in plain(lines(), "tls")[0]


async def test_basic_is_off(lines: Lines) -> None:
    """If the cluster refuses Basic and grants a token, the advice is `--auth jwt`."""
    async with FakeCluster(basic=False) as fake:
        assert await run_doctor(urls=[fake.url]) == 5
        assert plain(lines(), "credentials")[0].endswith(
            "Basic authentication may be off: use --auth jwt"
        )
        assert await run_doctor("--auth", "jwt", urls=[fake.url]) == 0


async def test_wrong_password(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """A wrong password is sent once, as clusters lock users out, and never shown."""
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", "wrong-password")

    assert await run_doctor(urls=[cluster.url]) == 5
    printed = lines()
    assert (
        "admin@example.com, by the password: the cluster answered 401"
        in plain(printed, "credentials")[0]
    )
    assert len(cluster.requests) == 3  # two of which are without it
    assert not any(secret in line for line in printed for secret in SECRETS)


async def test_password_expired(cluster: FakeCluster, lines: Lines) -> None:
    """An expired password is named as such, and not sent again."""
    body = json.dumps({"error_code": "password_expired"})
    cluster.inject(times=2, status=401)
    cluster.inject(times=None, status=401, body=body)

    assert await run_doctor(urls=[cluster.url]) == 5
    assert "It has expired: set a new one" in plain(lines(), "credentials")[0]
    assert len(cluster.requests) == 3


async def test_followers(lines: Lines) -> None:
    """A redirect to a configured node passes; a redirect elsewhere has advice."""
    async with FakeCluster(nodes=2) as fake:
        assert await run_doctor(urls=fake.urls[::-1]) == 0
        assert "presumably the primary; the client follows" in plain(lines(), "http")[0]

        assert await run_doctor(urls=[fake.urls[1]]) == 5
        (line,) = plain(lines(), "http")
        assert "the cluster answered 307" in line
        assert "REDIS_ENTERPRISE_TRUSTED_HOSTS" in line

        await fake.stop_node(2)
        assert await run_doctor(urls=fake.urls) == 0
        assert plain(lines(), "tcp")[1].startswith("warning  tcp")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (web.Response(text="<html>", content_type="text/html"), "as a proxy or another web"),
        (web.Response(status=302, headers={"Location": "/login"}), "answers 302 as a proxy"),
        (web.Response(status=503), "answers 503: it may be starting"),
        (web.Response(status=400), "does. Begin the URL with https://"),
    ],
    ids=["html", "302", "503", "400"],
)
async def test_no_api(lines: Lines, answer: web.Response, expected: str) -> None:
    """A server that is not the REST API is recognized by its answer, and gets no password."""
    requests: list[web.Request] = []

    def reply(request: web.Request) -> web.Response:
        requests.append(request)
        return answer

    async with serve_reply(reply) as url:
        assert await run_doctor(urls=[url]) == 5
    assert expected in plain(lines(), "http")[0]
    assert {request.headers.get("Authorization") for request in requests} == {None}


Answer = tuple[int, bytes, dict[str, str]]
HTML = {"Content-Type": "text/html"}
TEXT = {"Content-Type": "text/plain"}
JSON = {"Content-Type": "application/json"}
BASIC = {"WWW-Authenticate": 'Basic realm="Restricted"'}
ENVOY = {"Server": "envoy"}
NGINX_401 = b"<html><head><title>401 Authorization Required</title></head></html>"
OTHER_SERVERS: dict[str, Answer] = {
    "go": (404, b"404 page not found\n", TEXT),
    "nginx": (404, b"<html><head><title>404 Not Found</title></head></html>", HTML),
    "gateway": (404, b'{"message": "no Route matched with those values"}', JSON),
    "an Envoy without a route": (404, b"", ENVOY),
    "app": (200, b'<!doctype html><div id="root"></div>', HTML),
    "login by 302": (302, b"", {"Location": "/login?next=/v1/nodes"}),
    "login by 307": (307, b"", {"Location": "https://sso.example.com/login"}),
    "basic, empty": (401, b"", BASIC),
    "basic, text": (401, b"Unauthorized\n", {**BASIC, **TEXT}),
    "basic, nginx": (401, NGINX_401, {**BASIC, **HTML}),
    "bearer": (401, b'{"message": "Unauthorized"}', {**JSON, "WWW-Authenticate": "Bearer"}),
    "firewall": (403, b"<html>Request blocked</html>", HTML),
    "JSON of something else": (200, b'{"status": "ok", "version": "1.2.3"}', JSON),
    "nodes of something else": (200, b'[{"ID": "f7476465", "Status": "ready"}]', JSON),
    "no nodes": (200, b"[]", JSON),
    "nothing": (204, b"", {}),
    "teapot": (418, b"", {}),
    "broken": (500, b"Internal Server Error", TEXT),
    "gateway timeout": (504, b"<html>504 Gateway Time-out</html>", HTML),
}


def answering(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    """Return an answer."""
    return web.Response(status=status, body=body, headers=headers)


@pytest.mark.parametrize(
    ("server_name", "auth"),
    [
        *((server_name, "basic") for server_name in OTHER_SERVERS),
        *((server_name, auth) for server_name in ("go", "bearer") for auth in ("jwt", "token")),
    ],
)
async def test_other_servers(
    server_name: str, auth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """Another web server is a failure, and gets no credentials of any kind."""
    options = ["--auth", auth]
    if auth == "token":
        monkeypatch.delenv("REDIS_ENTERPRISE_USER")
        monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD")
        (tmp_path / "token").write_text("hunter2-hunter2")
        (tmp_path / "token").chmod(0o600)
        options = ["--token-file", str(tmp_path / "token")]
    requests: list[web.Request] = []

    def reply(request: web.Request) -> web.Response:
        requests.append(request)
        return answering(*OTHER_SERVERS[server_name])

    async with serve_reply(reply) as url:
        assert await run_doctor(*options, urls=[url]) == 5
    assert {request.method for request in requests} == {"GET"}  # so no password in a body, either
    assert {request.headers.get("Authorization") for request in requests} == {None}
    assert len(requests) <= 3
    printed = lines()
    assert plain(printed, "http")[0].startswith("failure")
    assert ". " in plain(printed, "http")[0]
    assert plain(printed, "credentials")[0].startswith("failure  credentials  not sent")
    assert printed[-1].endswith(
        f"{len(requests)} request{'s' * (len(requests) > 1)} sent; exit code 5"
    )


async def test_one_that_hangs_up(lines: Lines) -> None:
    """A server that takes a request and closes the connection gets no credentials, either."""
    came: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(2**16))
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await run_doctor(urls=[f"http://127.0.0.1:{port}"]) == 5
    assert any(b"GET /v1/nodes " in each for each in came)
    assert not any(b"authorization" in each.lower() for each in came)
    assert "no usable answer from the cluster" in plain(lines(), "http")[0]


async def test_one_other_server_among_nodes(cluster: FakeCluster, lines: Lines) -> None:
    """Another web server among the nodes is a failure; only the cluster gets credentials."""
    requests: list[web.Request] = []

    def reply(request: web.Request) -> web.Response:
        requests.append(request)
        return answering(*OTHER_SERVERS["basic, nginx"])

    async with serve_reply(reply) as url:
        assert await run_doctor(urls=[url, cluster.url]) == 5
    assert {request.headers.get("Authorization") for request in requests} == {None}
    assert plain(lines(), "credentials") == [
        "ok       credentials  the cluster accepts admin@example.com, by the password"
    ]


@pytest.mark.parametrize("how", ["--url", "--trusted-host"])
@pytest.mark.parametrize("opened", [True, False], ids=["at once", "to credentials only"])
async def test_redirect_to_another_server(how: str, lines: Lines, *, opened: bool) -> None:
    """A redirect to a server that is not the REST API does not send it credentials."""
    others: list[web.Request] = []
    nodes: list[str | None] = []

    def other_reply(request: web.Request) -> web.Response:
        others.append(request)
        return answering(*OTHER_SERVERS["basic, text"])

    async with serve_reply(other_reply) as other:

        def reply(request: web.Request) -> web.Response:
            nodes.append(request.headers.get("Authorization"))
            if opened or nodes[-1] is not None:
                return answering(307, b"", {"Location": f"{other}/v1/nodes"})
            return answering(401, b"", ENVOY)

        async with serve_reply(reply) as url:
            named = other if how == "--url" else other.removeprefix("http://")
            assert await run_doctor(how, named, urls=[url]) == 5
    assert {request.headers.get("Authorization") for request in others} <= {None}
    assert opened is all(authorization is None for authorization in nodes)
    assert plain(lines(), "credentials")[0].startswith("failure")


async def test_trusted_host(lines: Lines) -> None:
    """A trusted host as the target of a redirect is checked without credentials first."""
    async with FakeCluster(nodes=2) as fake:
        host = fake.urls[0].removeprefix("http://")

        assert await run_doctor("--trusted-host", host, urls=[fake.urls[1]]) == 0
    first, second = plain(lines(), "http")
    assert "the client follows" in first
    assert "answers 401, as the REST API does" in second
    assert [seen.node for seen in fake.requests[:2]] == [2, 1]
    assert {seen.node for seen in fake.requests[2:]} == {1}


async def test_redirects_in_a_circle(lines: Lines) -> None:
    """Nodes that redirect in a circle get no credentials."""
    requests: list[str | None] = []
    urls: list[str] = []

    def reply(request: web.Request) -> web.Response:
        requests.append(request.headers.get("Authorization"))
        other = urls[1] if str(request.url.origin()) == urls[0] else urls[0]
        return answering(307, b"", {"Location": other})

    async with serve_reply(reply) as one, serve_reply(reply) as another:
        urls += one, another
        assert await run_doctor(urls=urls) == 5
    assert requests == [None, None]
    assert plain(lines(), "credentials")[0].startswith(
        "failure  credentials  not sent, and no further checks: no node is known to be the REST API"
    )


@pytest.mark.parametrize("version", ["7.4", "7.8", "7.22", "8.0", "8.2"])
async def test_versions(version: Version, lines: Lines) -> None:
    """A cluster of each version passes, with eight requests."""
    async with FakeCluster(version=version) as fake:
        assert await run_doctor(urls=[fake.url]) == 0
        assert len(fake.requests) == 8
    assert f"Redis Software {version}" in plain(lines(), "version")[0]


API = {
    "/v1/nodes": b'[{"uid": 1, "software_version": "8.0.20-68"}]',
    "/v1/nodes/status": b'{"1": {"role": "master"}}',
    "/v1/actions": b'{"actions": [], "state-machines": []}',
    "/v1/nodes/actions": b'{"actions": []}',
    "/v1/crdb_tasks": b"[]",
    "/v1/bdbs": b"[]",
    "/v2/actions": b"[]",
}
NOT_FOUND: Answer = (404, b'{"error_code": "not_found", "description": "no"}', JSON)


def cluster_of(
    opening: dict[str, Answer], known: Callable[[str], Answer | None] = lambda _: None
) -> Callable[[web.Request], web.Response]:
    """Return an API: `opening` answers without credentials, `known` or `API` with them."""

    def reply(request: web.Request) -> web.Response:
        if "Authorization" not in request.headers:
            return answering(*(opening.get(request.path) or opening[""]))
        found = known(request.path)
        if found is None:
            body = API.get(request.path)
            found = NOT_FOUND if body is None else (200, body, JSON)
        return answering(*found)

    return reply


PLAIN: Answer = (401, b"", {})
REFUSED: Answer = (401, b'{"error_code": "unauthorized", "description": "no"}', JSON)
DONE: Answer = (200, b'{"bootstrap_status": {"state": "completed"}}', JSON)


@pytest.mark.parametrize(
    ("opening", "requests"),
    [
        ({"": (401, NGINX_401, {**HTML, **ENVOY})}, 8),
        ({"": (401, b"", {"cluster-state-id": "42"})}, 8),
        ({"": REFUSED}, 8),
        ({"": NOT_FOUND}, 7),
        ({"": (200, API["/v1/nodes"], JSON)}, 7),
        ({"": PLAIN, "/v1/bootstrap": DONE}, 8),
        ({"": (404, b"", {}), "/v1/nodes": PLAIN, "/v1/bootstrap": PLAIN}, 9),
    ],
    ids=["envoy", "state id", "error_code", "404", "list of nodes", "bootstrap", "other routes"],
)
async def test_signs(opening: dict[str, Answer], requests: int, lines: Lines) -> None:
    """Each sign of the API is enough; without one, up to two more requests look for others."""
    async with serve_reply(cluster_of(opening)) as url:
        assert await run_doctor(urls=[url]) == 0
    assert f"{requests} requests sent" in lines()[-1]


async def test_bootstrap_without_answer(lines: Lines) -> None:
    """A server that answers 401 once, and then hangs up, is not the API."""
    requests: list[str] = []

    def reply(request: web.Request) -> web.Response:
        requests.append(request.path)
        if len(requests) > 1:
            assert request.transport is not None
            request.transport.abort()
        return answering(*PLAIN)

    async with serve_reply(reply) as url:
        assert await run_doctor(urls=[url]) == 5
    assert "answers 401, also for a path" in plain(lines(), "http")[0]


BEFORE: Answer = (200, b'{"bootstrap_status": {"state": "idle"}, "local_node_info": {}}', JSON)


@pytest.mark.parametrize(
    "nodes", [(503, b"", ENVOY), (503, b"<html>", HTML), PLAIN, REFUSED], ids=lambda it: str(it[:2])
)
@pytest.mark.parametrize(
    ("state", "expected"),
    [(b"idle", "idle"), (b"creating_cluster", "creating_cluster"), (b"error", "error")],
)
async def test_before_bootstrap(nodes: Answer, state: bytes, expected: str, lines: Lines) -> None:
    """A node that is in no cluster yet is a failure of its own."""
    bootstrap = (200, BEFORE[1].replace(b"idle", state), JSON)
    opening = {"": nodes, "/v1/bootstrap": bootstrap}

    async with serve_reply(cluster_of(opening, lambda _: nodes)) as url:
        assert await run_doctor(urls=[url]) == 5
    (line,) = [line for line in lines() if "of a node in no cluster" in line]
    assert f"its bootstrap is '{expected}'. Create a cluster" in line


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"bootstrap_status": "x"}', b"<html>", b"["])
async def test_bootstrap_of_something_else(body: bytes, lines: Lines) -> None:
    """Any other answer to /v1/bootstrap is no sign of the API."""
    async with serve_reply(cluster_of({"": PLAIN, "/v1/bootstrap": (200, body, {})})) as url:
        assert await run_doctor(urls=[url]) == 5
    assert plain(lines(), "credentials")[0].startswith("failure  credentials  not sent")


@pytest.mark.parametrize(
    "answer",
    [
        NOT_FOUND,
        (404, b"404 page not found", TEXT),
        (403, b'{"error_code": "forbidden"}', JSON),
        (500, b"", {}),
        (503, b'{"error_code": "no_quorum"}', JSON),
        (501, b"", {}),
        (302, b"", {"Location": "/login"}),
        (307, b"", {"Location": "http://other.example.com/"}),
        (200, b"<html>Welcome</html>", HTML),
        (200, b'{"status": "ok"}', JSON),
        (200, b"", {}),
        (204, b"", {}),
    ],
    ids=lambda it: str(it[:2]),
)
async def test_no_route_works(answer: Answer, lines: Lines) -> None:
    """The same unusable answer on every route is a failure."""
    async with serve_reply(cluster_of({"": REFUSED}, lambda _: answer)) as url:
        assert await run_doctor(urls=[url]) == 5
    assert "failure" in {line.split()[0] for line in lines()}


@pytest.mark.parametrize("answer", [NOT_FOUND, (403, b"", {})], ids=["404", "403"])
async def test_only_actions_work(answer: Answer, lines: Lines) -> None:
    """Waits need the list of actions only; any other missing list is a warning."""

    def known(path: str) -> Answer | None:
        return None if path == "/v1/actions" else answer

    async with serve_reply(cluster_of({"": REFUSED}, known)) as url:
        assert await run_doctor(urls=[url]) == 0
    assert "ok       permissions  may see actions" in lines()


async def test_empty_list_of_actions_by_404(lines: Lines) -> None:
    """The API's own 404 for the list of actions is a warning: an empty list has it, too."""

    def known(path: str) -> Answer | None:
        return NOT_FOUND if path == "/v1/actions" else None

    async with serve_reply(cluster_of({"": REFUSED}, known)) as url:
        assert await run_doctor(urls=[url]) == 0
    assert plain(lines(), "permissions")[0].startswith("warning")


async def test_nothing_visible(lines: Lines) -> None:
    """A user who can see nothing at all is a failure."""

    def known(path: str) -> Answer | None:
        return (403, b"", {}) if path == "/v1/nodes" else NOT_FOUND

    async with serve_reply(cluster_of({"": REFUSED}, known)) as url:
        assert await run_doctor(urls=[url]) == 5
    assert "the user can see none of this" in plain(lines(), "permissions")[-1]


@pytest.mark.parametrize("body", [b"", b"[", b"[1, {}]", b"{}", b"[" * 10**5, b"\xff\x00"])
async def test_hostile_bodies(lines: Lines, body: bytes) -> None:
    """Every check has a result, whatever is in the answers."""
    async with serve_reply(cluster_of({"": REFUSED}, lambda _: (200, body, JSON))) as url:
        await run_doctor(urls=[url])
    checks = {line[9:20].strip() for line in lines()[:-1]}
    assert checks >= {"http", "credentials", "version", "permissions"}


async def test_slow(cluster: FakeCluster, lines: Lines) -> None:
    """A step ends at its time limit."""
    cluster.inject(times=None, delay=3600)

    assert await run_doctor("--timeout", "3s", urls=[cluster.url]) == 5
    assert "no usable answer from the cluster: no answer in time" in plain(lines(), "http")[0]


async def test_clock(cluster: FakeCluster, lines: Lines) -> None:
    """A clock that is off by more than five seconds is a warning."""
    cluster.inject(status=401, headers={"Date": "Mon, 01 Jan 2001 00:00:00 GMT"})

    assert await run_doctor(urls=[cluster.url]) == 0
    assert " s behind ours. Synchronize both by NTP" in plain(lines(), "clock")[0]


async def test_denied(cluster: FakeCluster, lines: Lines) -> None:
    """A forbidden list of actions is a failure, whose advice names the permission."""
    cluster.inject(path="/v1/actions", status=403)
    cluster.inject(path="/v1/bdbs", status=400)  # to `fields=`, which is then left out

    assert await run_doctor(urls=[cluster.url]) == 5
    first, *_, last, _ = plain(lines(), "permissions")
    assert first.startswith("failure")
    assert first.endswith("the permission view_status_of_cluster_action")
    assert last == "ok       permissions  may see databases"


async def test_lookup(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    """A name that does not resolve is a failure, and so is a lookup that hangs."""

    async def resolve(host: str) -> list[str]:
        if host == "slow.example.com":
            await asyncio.sleep(3600)
        raise OSError("no such name")

    monkeypatch.setattr(node_checks, "resolve", resolve)
    urls = ["https://n1.example.com:9443", "https://slow.example.com:9443"]

    assert await run_doctor(urls=urls) == 5
    first, second = plain(lines(), "dns")
    assert "n1.example.com does not resolve: no such name" in first
    assert "does not resolve: no answer within 10 s" in second


async def test_no_tls(cluster: FakeCluster, lines: Lines) -> None:
    """A server without TLS is a failure of the handshake, not of the certificate."""
    url = cluster.url.replace("http:", "https:")

    assert await run_doctor(urls=[url]) == 5
    assert (
        "Check the port (9443), and whether the URL must begin with http://"
        in plain(lines(), "tls")[0]
    )


async def test_refused_by_tls(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """A refusal of the client certificate may come as late as the answer."""

    async def refuse(*_: object) -> None:
        raise ClientCertificateRefused("GET", "/v1/nodes", reason="CERTIFICATE_REQUIRED")

    monkeypatch.setattr(Transport, "send_to_node", refuse)

    assert await run_doctor(urls=[cluster.url]) == 5
    assert any("does not accept the client certificate" in line for line in lines())


async def test_forbidden_list_of_nodes(cluster: FakeCluster, lines: Lines) -> None:
    """A user who may not list the nodes passes the check of credentials."""
    cluster.inject(path="/v1/nodes", status=401)
    cluster.inject(path="/v1/nodes", status=403)

    assert await run_doctor(urls=[cluster.url]) == 0
    printed = plain(lines(), "credentials", "version")
    assert printed[0].startswith("ok")
    assert printed[1].endswith("the permission view_all_nodes_info")


async def test_token_and_no_credentials(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """The result of the credentials names a token, and no credentials."""
    monkeypatch.delenv("REDIS_ENTERPRISE_USER")
    (tmp_path / "token").write_text("hunter2-hunter2")
    (tmp_path / "token").chmod(0o600)

    assert await run_doctor("--token-file", str(tmp_path / "token"), urls=[cluster.url]) == 5
    printed = lines()
    assert (
        "the token: the cluster answered 401. Check the token" in plain(printed, "credentials")[0]
    )
    assert not any(secret in line for line in printed for secret in SECRETS)

    monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD")
    (tmp_path / "pem").write_text(client_pem())
    assert await run_doctor("--client-cert", str(tmp_path / "pem"), urls=[cluster.url]) == 5
    assert "the client certificate: the cluster answered 401" in plain(lines(), "credentials")[0]
    assert await run_doctor(urls=[cluster.url]) == 2
    assert "no user is named" in plain(lines(), "settings")[0]


def client_pem() -> str:
    """Return the key and the certificate of a client, as one PEM."""
    issued = trustme.CA().issue_cert("ops@example.com")
    return issued.private_key_and_cert_chain_pem.bytes().decode()


def serve_reply(
    reply: Callable[[web.Request], web.Response], context: ssl.SSLContext | None = None
) -> AbstractAsyncContextManager[str]:
    """Serve `reply` on every path; yield the URL."""
    from contextlib import asynccontextmanager  # noqa: PLC0415

    @asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        async def handler(request: web.BaseRequest) -> web.Response:
            answer = reply(request)  # type: ignore[arg-type]
            body = answer.body if isinstance(answer.body, bytes) else None
            headers = {k: v for k, v in answer.headers.items() if k != "Content-Length"}
            return web.Response(status=answer.status, body=body, headers=headers)

        runner = web.ServerRunner(web.Server(handler))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        scheme = "http" if context is None else "https"
        try:
            yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    return serve()
