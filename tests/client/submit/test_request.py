"""Tests of `_client.submit.request`."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from redis_enterprise_actions import RequestError, RequestRejected, UsageError
from redis_enterprise_actions._client.submit.request import build_request, is_dry_run
from redis_enterprise_actions.testing.state.databases import DATABASE_SECRET
from tests.client.http.test_redaction import SECRET_BODIES
from tests.client.submit.handles import BDB, rule_of
from tests.recorder import RecordingServer
from tests.secrecy import leaks_of, secrets_in


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/cluster/certificates"),
        ("PUT", "/v1/cluster/update_cert"),
        ("POST", "/v1/cluster/certificates/rotate"),
    ],
)
@pytest.mark.parametrize(
    ("own", "client", "limit"), [(None, 30, 900), (None, 1200, 1200), (60, 30, 60), (60, 1200, 60)]
)
def test_documented_timeout(
    method: str, path: str, own: float | None, client: float, limit: float
) -> None:
    """A long call has the documented limit, unless the client's is longer or it has one of its own.

    The documented limit is that of the cluster, so an answer may take so long.
    """
    request = build_request(
        method, path, None, None, None, request_timeout=own, client_timeout=client
    )

    assert request.call.timeout == limit


@pytest.mark.parametrize(("own", "limit"), [(None, 30), (60, 60), (5, 5)])
def test_timeout(own: float | None, limit: float) -> None:
    """Any other call has the client's limit, unless it has one of its own."""
    request = build_request(
        "POST", f"{BDB}/upgrade", None, None, None, request_timeout=own, client_timeout=30
    )

    assert request.call.timeout == limit


@pytest.mark.parametrize(
    "path",
    [
        "/v1/bdbs/1/../2",
        "/v1/bdbs/1/..",
        "/v1/./bdbs",
        "/v1/bdbs/%2e%2e/users",
        "/v1/bdbs/%2E./users",
        "/v1/bdbs/.%2e",
        "/v1/bdbs/%2e/1",
        "/v1/bdbs/..%2fusers",
        "/v1/crdbs/g%2Fpurge",
        "/v1/bdbs/1%2fflush",
        "/v1/nodes/1%2Factions%2Fremove",
        "/v1/bdbs/x%2F..",
        "/v1/bdbs/x%2F.%2Fy",
        "/v1/bdbs/%2e%2E%2fusers",
        "/v1/bdbs/%252e%252e/users",
        "/v1/bdbs/..%252fusers",
        "/v1/bdbs/%c0%ae%c0%ae/users",
        "/v1/bdbs/%e0%80%ae/users",
        "/v1/bdbs/..%5cusers",
        "/v1/bdbs/x%5Cy",
        "/v1/bdbs/x\\y",
        "/v1/bdbs/x%00",
        "/v1/bdbs/x%0d%0aHost:y",
        "/v1/bdbs/x%7F",
        "/v1/bdbs/x%C2%85",
        "/v1/bdbs/x\n",
        "/v1/bdbs/x\0",
        "/v1/%62dbs/1",
        "/v1/bdbs/%31",
        "/v1/bdbs/1%",
        "/v1/bdbs/1%2",
        "/v1/bdbs/1%zz",
        "/v1//bdbs",
        "/v1/bdbs/",
        "/v1/bdbs?x=1",
        "/v1/bdbs#x",
        "/V1/bdbs",
    ],
)
def test_refused_paths(path: str) -> None:
    """A path that a server may take for another one is refused, as rules apply to what it says."""
    with pytest.raises(UsageError, match="is not a path of the API"):
        build_request("POST", path, None, None, None, request_timeout=None, client_timeout=30)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/bdbs",
        "/v1/crdb_tasks/a%20c%3A%40/actions/cancel",
        "/v1/crdb_tasks/t%C3%A4glich/actions/cancel",
        "/v1/crdb_tasks/100%25/actions/cancel",
        "/v1/x/...",
        "/v1/x/.a/..b/c../d.e",
        "/v1/x/a...",
    ],
)
def test_accepted_paths(path: str) -> None:
    """A path may have encoded characters that stand for nothing else, and dots in names."""
    request = build_request("POST", path, None, None, None, request_timeout=None, client_timeout=30)

    assert request.call.path == path


class TestIsDryRun:
    """Places from which the API reads `dry_run` and similar settings."""

    QUERY = (
        ("POST", "/v1/bdbs", "dry_run"),
        ("POST", "/v2/bdbs", "dry_run"),
        ("PUT", BDB, "dry_run"),
        *(
            ("PUT", f"{BDB}/actions/{action}", name)
            for action in ("rebalance", "revamp")
            for name in ("dry_run", "only_failovers", "max_operations")
        ),
        ("POST", "/v1/crdbs", "dry_run"),
        ("POST", "/v1/crdbs/g/updates", "dry_run"),
    )
    BODY = (
        *(
            ("POST", f"/v1/shards{shard}/actions/{action}", "dry_run")
            for shard in ("", "/3")
            for action in ("migrate", "failover")
        ),
    )

    @pytest.mark.parametrize(("method", "path", "name"), QUERY)
    @pytest.mark.parametrize("value", [True, False, 1, "yes", None])
    def test_query_setting(self, method: str, path: str, name: str, value: object) -> None:
        """A setting of the query is refused in the body, and the error shows the right spelling."""
        call = rule_of(method, path)
        with pytest.raises(UsageError, match=rf"params={{'{name}': .*--param {name}="):
            is_dry_run(call, {name: value, "x": 1}, None)

        on = name == "dry_run" and value in {True, "yes"}
        assert is_dry_run(call, {"x": 1}, {name: value}) is on

    @pytest.mark.parametrize(("method", "path", "name"), BODY)
    def test_body_setting(self, method: str, path: str, name: str) -> None:
        """A setting of the body is refused in the query, and the error shows the right spelling."""
        call = rule_of(method, path)
        with pytest.raises(UsageError, match=rf"json={{'{name}': .*--data"):
            is_dry_run(call, None, {name: True})

        assert is_dry_run(call, {name: True}, None)
        assert not is_dry_run(call, {name: False}, None)
        assert not is_dry_run(call, {name: "true"}, None)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", f"{BDB}/upgrade"),
            ("DELETE", BDB),
            ("PUT", f"{BDB}/flush"),
            ("POST", "/v1/nodes/1/actions/remove"),
            ("DELETE", "/v1/crdbs/g"),
        ],
    )
    @pytest.mark.parametrize("value", [True, "true", "", 1])
    def test_no_dry_run(self, method: str, path: str, value: object) -> None:
        """A dry run is refused for a call that has none, as the API would execute the call."""
        call = rule_of(method, path)

        for body, query in (({"dry_run": value}, None), (None, {"dry_run": value})):
            with pytest.raises(UsageError, match="has no dry run of this call"):
                is_dry_run(call, body, query)
        assert not is_dry_run(call, {"dry_run": False}, {"dry_run": "false"})
        assert not is_dry_run(call, {"dry_run": None}, None)

    def test_unknown_call(self) -> None:
        """A setting of an unknown call is sent, and the call counts as one that starts work."""
        assert not is_dry_run(rule_of("POST", "/v1/x"), {"dry_run": True}, {"dry_run": True})

    @pytest.mark.parametrize("value", ["", "true", "True", "1", "YES"])
    def test_switched_on(self, value: str) -> None:
        """A dry run is switched on by the bare name, or by a word for true."""
        assert is_dry_run(rule_of("PUT", BDB), [], {"dry_run": value})


@dataclass
class Body:
    """Body of a call as a dataclass."""

    authentication_redis_pass: str
    dry_run: bool


class BodyStruct(msgspec.Struct):
    """Body of a call as a Struct."""

    authentication_redis_pass: str
    dry_run: bool


class TestSecrets:
    """Secrets in the body of a request."""

    @pytest.mark.enable_socket
    @pytest.mark.parametrize(
        ("status", "body", "secret"),
        [
            (status, *SECRET_BODIES[row])
            for status, row in ((400, 0), (404, 1), (406, 2), (409, 8), (500, 9), (503, 11))
        ],
        ids=[400, 404, 406, 409, 500, 503],
    )
    async def test_errors(self, status: int, body: dict[str, Any], secret: str) -> None:
        """An error that quotes the body has no secret: message, attributes, pickle and causes."""
        text = json.dumps({"error_code": "bad", "description": f"not this: {body}, sorry"})
        async with RecordingServer(PUT=[(status, text)]) as server, server.client() as client:
            with pytest.raises(RequestError) as caught:
                await client.databases.update(1, body)
        error = caught.value

        assert secret not in f"{error!s} {error!r} {vars(error)} {pickle.dumps(error)!r}"
        assert "not this: " in str(error)
        assert "***" in str(error)
        assert "sorry" in str(error)
        assert leaks_of(error) == []

    @pytest.mark.enable_socket
    async def test_error_page(self) -> None:
        """The text of a proxy's error page is redacted."""
        page = f"<html><p>no {SECRET} here</p></html>"
        async with RecordingServer(POST=[(406, page)]) as server, server.client() as client:
            with pytest.raises(RequestRejected, match=r"406: no \*\*\* here"):
                await client.databases.create({"authentication_redis_pass": SECRET})

    @pytest.mark.enable_socket
    async def test_short_secret(self) -> None:
        """A secret that is too short to be distinguished from other text is not redacted."""
        text = json.dumps({"description": "a name is needed"})
        async with RecordingServer(POST=[(406, text)]) as server, server.client() as client:
            with pytest.raises(RequestRejected, match="a name is needed"):
                await client.databases.create({"password": "a", "token": "", "url": "a://b:c@d"})

    async def test_operation_repr(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """The repr of an operation has no secret, although its answer has."""
        cluster.add_bdb(1)
        operation = await client.databases.update(1, {"authentication_redis_pass": SECRET})

        assert isinstance(operation.answer, dict)
        assert DATABASE_SECRET in operation.answer.values()
        assert secrets_in(f"{operation!r} {operation!s} {operation.ref}") == []

    @pytest.mark.parametrize("shape", [dict, Body, BodyStruct])
    def test_shapes(self, shape: Callable[..., object]) -> None:
        """Secrets are found in every object that can be encoded, and so is a dry run."""
        body = shape(authentication_redis_pass=SECRET, dry_run=True)
        request = build_request(
            "POST", "/v1/x", body, None, None, request_timeout=None, client_timeout=30
        )

        assert [secret.reveal() for secret in request.secrets] == [SECRET]
        with pytest.raises(UsageError, match="from the query of this call"):
            build_request(
                "PUT", "/v1/bdbs/1", body, None, None, request_timeout=None, client_timeout=30
            )

    def test_request_repr(self) -> None:
        """The repr of a request has no secret."""
        body = {"authentication_redis_pass": SECRET}
        request = build_request(
            "PUT", "/v1/bdbs/1", body, None, None, request_timeout=None, client_timeout=30
        )

        assert SECRET not in f"{request!r} {request.call!r} {request.secrets!r}"
        assert [secret.reveal() for secret in request.secrets] == [SECRET]
