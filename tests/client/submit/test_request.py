"""Tests of `_client.submit.request`."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import RequestError, RequestRejected, UsageError
from redis_enterprise_actions._client.submit.request import build_request, is_dry_run
from redis_enterprise_actions.testing.cluster import DATABASE_SECRET
from tests.client.submit.handles import BDB, rule_of
from tests.conftest import examples
from tests.recorder import RecordingServer
from tests.secrecy import leaks_of, secrets_in


if TYPE_CHECKING:
    from redis_enterprise_actions import ActionsClient
    from redis_enterprise_actions.testing import FakeCluster

pytestmark = pytest.mark.core

SECRET = "hunter2-hunter2"


class TestSettings:
    """Where a call takes `dry_run` and its like."""

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
    def test_in_the_query(self, method: str, path: str, name: str, value: object) -> None:
        """What the API reads from the query is refused in the body, with the right spelling."""
        call = rule_of(method, path)
        with pytest.raises(UsageError, match=rf"params={{'{name}': .*--param {name}="):
            is_dry_run(call, {name: value, "x": 1}, None)

        on = name == "dry_run" and value in {True, "yes"}
        assert is_dry_run(call, {"x": 1}, {name: value}) is on

    @pytest.mark.parametrize(("method", "path", "name"), BODY)
    def test_in_the_body(self, method: str, path: str, name: str) -> None:
        """... and the other way round."""
        call = rule_of(method, path)
        with pytest.raises(UsageError, match=rf"json={{'{name}': .*--data"):
            is_dry_run(call, None, {name: True})

        assert is_dry_run(call, {name: True}, None)
        assert not is_dry_run(call, {name: False}, None)
        assert not is_dry_run(call, {name: "true"}, None)

    @pytest.mark.parametrize(("method", "path"), [("POST", f"{BDB}/upgrade"), ("POST", "/v1/x")])
    def test_nowhere(self, method: str, path: str) -> None:
        """A call that is not documented to have a dry run is made in earnest."""
        call = rule_of(method, path)

        assert not is_dry_run(call, {"dry_run": True}, {"dry_run": True})

    @pytest.mark.parametrize("value", ["", "true", "True", "1", "YES"])
    def test_switched_on(self, value: str) -> None:
        """A query's value switches it on by itself, or in words."""
        assert is_dry_run(rule_of("PUT", BDB), [], {"dry_run": value})


# Bodies that hold a secret, and what it is.
SECRET_BODIES: list[tuple[dict[str, Any], str]] = [
    ({"authentication_redis_pass": SECRET}, SECRET),
    ({"Password": SECRET}, SECRET),
    ({"a": {"b": [{"secret_access_key": SECRET}]}}, SECRET),
    ({"export_location": {"access_key_id": SECRET}}, SECRET),
    ({"export_location": {"account_key": SECRET}}, SECRET),
    ({"export_location": {"key": SECRET}}, SECRET),
    ({"sas_token": (SECRET,)}, SECRET),
    ({"credentials": {"name": {"of": SECRET}}}, SECRET),
    ({"private_key": SECRET}, SECRET),
    ({"export_location": {"url": f"sftp://ops:{SECRET}@host/x"}}, SECRET),
    ({"replica_sources": [{"uri": f"redis://:{SECRET}@host:1"}]}, SECRET),
    ({"a_password": SECRET[:4], "b_password": SECRET}, SECRET[4:8]),
]


class TestSecrets:
    """What a call sends is shown by nothing."""

    @pytest.mark.parametrize(
        ("body", "secret"), SECRET_BODIES, ids=[json.dumps(body) for body, _ in SECRET_BODIES]
    )
    def test_scrubbed(self, body: dict[str, Any], secret: str) -> None:
        """Not where the cluster says it again: stars stand for it, and the other words stay."""
        made = build_request("PUT", "/v1/bdbs/1", body, None, None, request_timeout=None)
        said = made.redacted(f"not this: {body}, sorry")

        assert said is not None
        assert secret not in said
        assert said.startswith("not this: ")
        assert "***" in said
        assert said.endswith("sorry")

    @pytest.mark.enable_socket
    @pytest.mark.parametrize(
        ("status", "body", "secret"),
        [
            (status, *SECRET_BODIES[row])
            for status, row in ((400, 0), (406, 2), (409, 8), (500, 9), (503, 11))
        ],
        ids=[400, 406, 409, 500, 503],
    )
    async def test_errors(self, status: int, body: dict[str, Any], secret: str) -> None:
        """Not by an error whose words the cluster has from us, nor by what hangs on it."""
        said = json.dumps({"error_code": "bad", "description": f"not this: {body}, sorry"})
        async with RecordingServer(PUT=[(status, said)]) as server, server.client() as client:
            with pytest.raises(RequestError) as caught:
                await client.update_bdb(1, body)
        error = caught.value

        assert secret not in f"{error!s} {error!r} {vars(error)} {pickle.dumps(error)!r}"
        assert "not this: " in str(error)
        assert "***" in str(error)
        assert "sorry" in str(error)
        assert leaks_of(error) == []

    @pytest.mark.enable_socket
    async def test_pages(self) -> None:
        """Nor where the words are a page of a proxy's."""
        page = f"<html><p>no {SECRET} here</p></html>"
        async with RecordingServer(POST=[(406, page)]) as server, server.client() as client:
            with pytest.raises(RequestRejected, match=r"406: no \*\*\* here"):
                await client.create_bdb({"authentication_redis_pass": SECRET})

    @pytest.mark.enable_socket
    async def test_short(self) -> None:
        """What is too short to be told from other text is left, or nothing could be read."""
        said = json.dumps({"description": "a name is needed"})
        async with RecordingServer(POST=[(406, said)]) as server, server.client() as client:
            with pytest.raises(RequestRejected, match="a name is needed"):
                await client.create_bdb({"password": "a", "token": "", "url": "a://b:c@d"})

    async def test_operation(self, cluster: FakeCluster, client: ActionsClient) -> None:
        """Nor by an operation, although its answer has the database with all that it holds."""
        cluster.add_bdb(1)
        operation = await client.update_bdb(1, {"authentication_redis_pass": SECRET})

        assert isinstance(operation.answer, dict)
        assert DATABASE_SECRET in operation.answer.values()
        assert secrets_in(f"{operation!r} {operation!s} {operation.ref}") == []

    def test_orders(self) -> None:
        """Nor by what is on its way."""
        body = {"authentication_redis_pass": SECRET}
        made = build_request("PUT", "/v1/bdbs/1", body, None, None, request_timeout=None)

        assert SECRET not in f"{made!r} {made.call!r} {made.secrets!r}"
        assert [secret.reveal() for secret in made.secrets] == [SECRET]

    @settings(max_examples=examples(100))
    @given(
        st.lists(st.text("abc", min_size=4, max_size=8), max_size=4).flatmap(
            lambda secrets: st.tuples(
                st.just(secrets),
                st.lists(st.sampled_from([*secrets, " ", "no"])).map("".join),
            )
        )
    )
    def test_any(self, drawn: tuple[list[str], str]) -> None:
        """Whatever the secrets are, and wherever they stand, none of them is left."""
        secrets, text = drawn
        made = build_request(
            "PUT", "/v1/x", {"password": secrets}, None, None, request_timeout=None
        )
        left = made.redacted(text) or ""

        assert [secret for secret in secrets if secret in left] == []
