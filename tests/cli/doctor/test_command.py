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

from redis_enterprise_actions import ClientCertificateRefused
from redis_enterprise_actions._cli.arguments import parse_arguments
from redis_enterprise_actions._cli.doctor import command
from redis_enterprise_actions._cli.doctor.command import doctor
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
    """Who asks, as the environment says it."""
    monkeypatch.setenv("REDIS_ENTERPRISE_USER", USER[0])
    monkeypatch.setenv("REDIS_ENTERPRISE_PASSWORD", USER[1])


async def examined(*options: str, urls: list[str]) -> int:
    """Run the command on this loop; return its exit code."""
    given = [word for url in urls for word in ("--url", url)]
    work = doctor(parse_arguments(["doctor", *given, *options]))
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
ok       http         URL: answers 401, as the REST API does
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
    assert doctor(parse_arguments(["doctor"])) == 2
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
    assert len(cluster.requests) == 4  # two of which are without it
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
    assert {request.headers.get("Authorization") for request in asked} == {None}


Answer = tuple[int, bytes, dict[str, str]]
HTML = {"Content-Type": "text/html"}
TEXT = {"Content-Type": "text/plain"}
JSON = {"Content-Type": "application/json"}
BASIC = {"WWW-Authenticate": 'Basic realm="Restricted"'}
ENVOY = {"Server": "envoy"}
NGINX_401 = b"<html><head><title>401 Authorization Required</title></head></html>"
STRANGERS: dict[str, Answer] = {
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
    ("stranger", "auth"),
    [
        *((stranger, "basic") for stranger in STRANGERS),
        *((stranger, auth) for stranger in ("go", "bearer") for auth in ("jwt", "token")),
    ],
)
async def test_strangers(
    stranger: str, auth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    """Another web server is called that, gets no credentials of any kind, and ends with 5."""
    options = ["--auth", auth]
    if auth == "token":
        monkeypatch.delenv("REDIS_ENTERPRISE_USER")
        monkeypatch.delenv("REDIS_ENTERPRISE_PASSWORD")
        (tmp_path / "token").write_text("hunter2-hunter2")
        (tmp_path / "token").chmod(0o600)
        options = ["--token-file", str(tmp_path / "token")]
    asked: list[web.Request] = []

    def reply(request: web.Request) -> web.Response:
        asked.append(request)
        return answering(*STRANGERS[stranger])

    async with served(reply) as url:
        assert await examined(*options, urls=[url]) == 5
    assert {request.method for request in asked} == {"GET"}  # so no password in a body, either
    assert {request.headers.get("Authorization") for request in asked} == {None}
    assert len(asked) <= 3
    said = lines()
    assert plain(said, "http")[0].startswith("failure")
    assert ". To do: " in plain(said, "http")[0]
    assert plain(said, "credentials")[0].startswith("failure  credentials  not sent")
    assert said[-1].endswith(f"{len(asked)} request{'s' * (len(asked) > 1)} sent; exit code 5")


async def test_one_that_hangs_up(lines: Lines) -> None:
    """A server that takes a request and closes the connection gets no credentials, either."""
    came: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(2**16))
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await examined(urls=[f"http://127.0.0.1:{port}"]) == 5
    assert any(b"GET /v1/nodes " in each for each in came)
    assert not any(b"authorization" in each.lower() for each in came)
    assert "no answer that can be used" in plain(lines(), "http")[0]


async def test_one_of_several_is_a_stranger(cluster: FakeCluster, lines: Lines) -> None:
    """A stranger among the nodes is a failure; the cluster is asked, and the stranger is not."""
    asked: list[web.Request] = []

    def reply(request: web.Request) -> web.Response:
        asked.append(request)
        return answering(*STRANGERS["basic, nginx"])

    async with served(reply) as url:
        assert await examined(urls=[url, cluster.url]) == 5
    assert {request.headers.get("Authorization") for request in asked} == {None}
    assert plain(lines(), "credentials") == [
        "ok       credentials  the cluster accepts admin@example.com, by the password"
    ]


@pytest.mark.parametrize("how", ["--url", "--trusted-host"])
@pytest.mark.parametrize("opened", [True, False], ids=["at once", "to credentials only"])
async def test_redirected_to_a_stranger(how: str, lines: Lines, *, opened: bool) -> None:
    """A redirect leads no credentials to a node that does not answer as the API does."""
    strangers: list[web.Request] = []
    nodes: list[str | None] = []

    def strange(request: web.Request) -> web.Response:
        strangers.append(request)
        return answering(*STRANGERS["basic, text"])

    async with served(strange) as other:

        def reply(request: web.Request) -> web.Response:
            nodes.append(request.headers.get("Authorization"))
            if opened or nodes[-1] is not None:
                return answering(307, b"", {"Location": f"{other}/v1/nodes"})
            return answering(401, b"", ENVOY)

        async with served(reply) as url:
            named = other if how == "--url" else other.removeprefix("http://")
            assert await examined(how, named, urls=[url]) == 5
    assert {request.headers.get("Authorization") for request in strangers} <= {None}
    assert opened is all(proof is None for proof in nodes)
    assert plain(lines(), "credentials")[0].startswith("failure")


async def test_trusted_host(lines: Lines) -> None:
    """A trusted host that is redirected to is looked at without credentials, too, and asked."""
    async with FakeCluster(nodes=2) as fake:
        host = fake.urls[0].removeprefix("http://")

        assert await examined("--trusted-host", host, urls=[fake.urls[1]]) == 0
    first, second = plain(lines(), "http")
    assert "is followed" in first
    assert "answers 401, as the REST API does" in second
    assert [seen.node for seen in fake.requests[:2]] == [2, 1]
    assert {seen.node for seen in fake.requests[2:]} == {1}


async def test_redirects_in_a_circle(lines: Lines) -> None:
    """Nodes that only send us to each other are none that credentials are sent to."""
    asked: list[str | None] = []
    urls: list[str] = []

    def reply(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Authorization"))
        other = urls[1] if str(request.url.origin()) == urls[0] else urls[0]
        return answering(307, b"", {"Location": other})

    async with served(reply) as one, served(reply) as another:
        urls += one, another
        assert await examined(urls=urls) == 5
    assert asked == [None, None]
    assert plain(lines(), "credentials")[0].startswith("failure  credentials  not sent")


@pytest.mark.parametrize("version", ["7.4", "7.8", "7.22", "8.0"])
async def test_versions(version: Version, lines: Lines) -> None:
    """A cluster of each version is well, with one request more than there are questions."""
    async with FakeCluster(version=version) as fake:
        assert await examined(urls=[fake.url]) == 0
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
    """Return an API that answers so without credentials, "" for all, and else as clusters do."""

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
        ({"": NOT_FOUND}, 8),
        ({"": (200, API["/v1/nodes"], JSON)}, 8),
        ({"": PLAIN, "/v1/bootstrap": DONE}, 9),
        ({"": (404, b"", {}), "/v1/nodes": PLAIN, "/v1/bootstrap": PLAIN}, 10),
    ],
    ids=["envoy", "state id", "error_code", "404", "list of nodes", "bootstrap", "other routes"],
)
async def test_signs(opening: dict[str, Answer], requests: int, lines: Lines) -> None:
    """Each sign of the API is enough, and further ones are looked for where there is none."""
    async with served(cluster_of(opening)) as url:
        assert await examined(urls=[url]) == 0
    assert f"{requests} requests sent" in lines()[-1]


async def test_no_word_of_bootstrap(lines: Lines) -> None:
    """A server that answers 401 once, and then no more, has shown nothing of the API."""
    asked: list[str] = []

    def reply(request: web.Request) -> web.Response:
        asked.append(request.path)
        if len(asked) > 1:
            assert request.transport is not None
            request.transport.abort()
        return answering(*PLAIN)

    async with served(reply) as url:
        assert await examined(urls=[url]) == 5
    assert "answers 401, also where" in plain(lines(), "http")[0]


BEFORE: Answer = (200, b'{"bootstrap_status": {"state": "idle"}, "local_node_info": {}}', JSON)


@pytest.mark.parametrize(
    "nodes", [(503, b"", ENVOY), (503, b"<html>", HTML), PLAIN, REFUSED], ids=lambda it: str(it[:2])
)
@pytest.mark.parametrize(
    ("state", "said"),
    [(b"idle", "idle"), (b"creating_cluster", "creating_cluster"), (b"error", "error")],
)
async def test_before_bootstrap(nodes: Answer, state: bytes, said: str, lines: Lines) -> None:
    """A node that is in no cluster yet is the API, but nothing can be asked: that is told."""
    bootstrap = (200, BEFORE[1].replace(b"idle", state), JSON)
    opening = {"": nodes, "/v1/bootstrap": bootstrap}

    async with served(cluster_of(opening, lambda _: nodes)) as url:
        assert await examined(urls=[url]) == 5
    (told,) = [line for line in lines() if "in no cluster yet" in line]
    assert f"its bootstrap is '{said}'. To do: create a cluster" in told


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"bootstrap_status": "x"}', b"<html>", b"["])
async def test_bootstrap_of_something_else(body: bytes, lines: Lines) -> None:
    """Another answer to /v1/bootstrap is no sign of the API."""
    async with served(cluster_of({"": PLAIN, "/v1/bootstrap": (200, body, {})})) as url:
        assert await examined(urls=[url]) == 5
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
async def test_nothing_works(answer: Answer, lines: Lines) -> None:
    """Where every route gives a known user such an answer, that is a failure."""
    async with served(cluster_of({"": REFUSED}, lambda _: answer)) as url:
        assert await examined(urls=[url]) == 5
    assert "failure" in {line.split()[0] for line in lines()}


@pytest.mark.parametrize("answer", [NOT_FOUND, (403, b"", {})], ids=["404", "403"])
async def test_little_works(answer: Answer, lines: Lines) -> None:
    """Actions are all that waits need; that nothing else can be seen is worth warnings."""

    def known(path: str) -> Answer | None:
        return None if path == "/v1/actions" else answer

    async with served(cluster_of({"": REFUSED}, known)) as url:
        assert await examined(urls=[url]) == 0
    assert "ok       permissions  may see actions" in lines()


async def test_empty_list_of_actions_by_404(lines: Lines) -> None:
    """A list of actions that is answered 404, as is documented for one without any, is no end."""

    def known(path: str) -> Answer | None:
        return NOT_FOUND if path == "/v1/actions" else None

    async with served(cluster_of({"": REFUSED}, known)) as url:
        assert await examined(urls=[url]) == 0
    assert plain(lines(), "permissions")[0].startswith("warning")


async def test_forbidden_and_not_there(lines: Lines) -> None:
    """Where the nodes may not be seen and all else is not there, nothing can be done."""

    def known(path: str) -> Answer | None:
        return (403, b"", {}) if path == "/v1/nodes" else NOT_FOUND

    async with served(cluster_of({"": REFUSED}, known)) as url:
        assert await examined(urls=[url]) == 5
    assert "none of this can be seen" in plain(lines(), "permissions")[-1]


@pytest.mark.parametrize("body", [b"", b"[", b"[1, {}]", b"{}", b"[" * 10**5, b"\xff\x00"])
async def test_hostile_bodies(lines: Lines, body: bytes) -> None:
    """Whatever is in the answers, every check is told of."""
    async with served(cluster_of({"": REFUSED}, lambda _: (200, body, JSON))) as url:
        await examined(urls=[url])
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

    monkeypatch.setattr(command, "resolve", look_up)
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

    monkeypatch.setattr(Transport, "send_to_node", refuse)

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
        try:
            yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    return serving()
