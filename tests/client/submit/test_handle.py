"""Facts about `_handle`: the table of calls, and what is followed after each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import (
    NothingToFollow,
    Outcome,
    Phase,
    Recorder,
    RequestError,
    RequestRejected,
    UsageError,
)
from redis_enterprise_actions._client.submit.handle import (
    CALLS,
    Follow,
    Handle,
    error_in,
    handle_of,
    is_dry_run,
    problem_with,
    target,
)
from redis_enterprise_actions._client.wire.databases import failure_of, read_database
from redis_enterprise_actions._model.reference import AFTER, GONE, Track
from tests.conftest import examples
from tests.recorder import Recorder as Server


if TYPE_CHECKING:
    from redis_enterprise_actions._model.reference import Reference

pytestmark = pytest.mark.core

V74: Final = ("7.4", "7.8", "7.22", "8.0", "latest")  # and all that came after it
V78: Final = V74[1:]
V722: Final = V74[2:]
V80: Final = V74[3:]
UP_TO_722: Final = V74[:3]
NODE: Final = "/v1/nodes/2/actions"
BDB: Final = "/v1/bdbs/7"

# Section by section of the vendor's pages, each call that starts long work: the versions that have
# it, and what is followed where its answer is `{}`. `done` is what the API documents as done with
# its answer; `no` is refused in words.
DOCUMENTED: Final = (
    ("POST", "/v1/bdbs", V74, "no"),
    ("POST", "/v2/bdbs", V74, "no"),
    ("PUT", BDB, V74, "bdb:7@after"),
    ("PUT", f"{BDB}/flush", V74, "bdb:7@after"),
    ("PUT", f"{BDB}/reset_admin_pass", V74, "bdb:7@after"),
    ("POST", f"{BDB}/upgrade", V74, "bdb:7@after"),
    ("DELETE", BDB, V74, "bdb:7@gone,after"),
    ("POST", f"{BDB}/modules/upgrade", V74, "bdb:7@after"),
    ("POST", "/v1/modules/upgrade/bdb/7", UP_TO_722, "bdb:7@after"),
    ("POST", f"{BDB}/modules/config", V74, "bdb:7@after"),
    ("POST", "/v1/modules/config/bdb/7", V74, "bdb:7@after"),
    ("PUT", f"{BDB}/actions/rebalance", V78, "bdb:7@after"),
    ("PUT", f"{BDB}/actions/revamp", V722, "bdb:7@after"),
    ("POST", f"{BDB}/actions/recover", V74, "bdb:7@after"),
    ("POST", f"{BDB}/actions/retry", V74, "bdb:7@after"),
    ("POST", f"{BDB}/actions/stop_traffic", V78, "bdb:7@after"),
    ("POST", f"{BDB}/actions/resume_traffic", V78, "bdb:7@after"),
    ("POST", f"{BDB}/actions/export", V74, "export:7@idle,,1"),
    ("POST", f"{BDB}/actions/import", V74, "import:7@idle,,1"),
    ("PUT", f"{BDB}/actions/export_reset_status", V74, "bdb:7@after"),
    ("PUT", f"{BDB}/actions/import_reset_status", V74, "bdb:7@after"),
    ("PUT", f"{BDB}/actions/backup_reset_status", V74, "bdb:7@after"),
    ("POST", "/v1/shards/actions/migrate", V74, "no"),
    ("POST", "/v1/shards/3/actions/migrate", V74, "no"),
    ("POST", "/v1/shards/actions/failover", V78, "no"),
    ("POST", "/v1/shards/3/actions/failover", V78, "no"),
    ("POST", f"{NODE}/maintenance_on", V74, "node:2/maintenance_on@after"),
    ("POST", f"{NODE}/maintenance_off", V74, "node:2/maintenance_off@after"),
    ("POST", f"{NODE}/remove", V74, "node:2/remove@after"),
    ("POST", f"{NODE}/enslave_node", V74, "node:2/enslave_node@after"),
    ("DELETE", f"{NODE}/maintenance_on", V74, "node:2/maintenance_on@after"),
    ("POST", "/v1/nodes/2", V74, "no"),
    ("POST", "/v1/cluster/actions/change_master", V74, "cluster:change_master@after"),
    ("DELETE", "/v1/cluster/actions/change_master", V74, "cluster:change_master@after"),
    ("POST", "/v1/bootstrap/create_cluster", V74, "no"),
    ("POST", "/v1/bootstrap/join_cluster", V74, "no"),
    ("POST", "/v1/bootstrap/recover_cluster", V74, "no"),
    ("POST", "/v1/crdbs", V74, "crdb:sent"),
    ("PATCH", "/v1/crdbs/g", V74, "crdb:sent"),
    ("DELETE", "/v1/crdbs/g", V74, "crdb:sent"),
    ("POST", "/v1/crdbs/g/updates", V74, "crdb:sent"),
    ("PUT", "/v1/crdbs/g/flush", V74, "crdb:sent"),
    ("PUT", "/v1/crdbs/g/purge", V74, "no"),
    ("POST", "/v1/crdbs/g/upgrade", V80, "crdb:sent"),
    ("POST", "/v1/crdb_tasks/t1/actions/cancel", V74, "crdb:t1"),
    *(
        (method, f"/v1/{kind}{'' if method == 'POST' else '/5'}", V74, "done")
        for kind in ("users", "roles", "redis_acls", "ldap_mappings")
        for method in ("POST", "PUT", "DELETE")
    ),
    ("POST", "/v2/modules", UP_TO_722, "no"),
    ("DELETE", "/v2/modules/ab12", UP_TO_722, "no"),
    ("POST", "/v2/modules/user-defined", V80, "done"),
    ("PUT", "/v1/cluster/certificates", V74, "done"),
    ("POST", "/v1/cluster/certificates/rotate", V74, "done"),
    ("PUT", "/v1/cluster/update_cert", V74, "done"),
    ("POST", "/v1/services", V78, "no"),
    ("POST", "/v1/local/services", V78, "no"),
)
WORDS: Final = (
    *("bdbs", "nodes", "cluster", "actions", "crdbs", "users", "shards", "modules"),
    *("certificates", "1", "2", "x"),
)
OTHERS: Final = (
    ("PUT", "/v1/cluster"),
    ("PUT", "/v1/cluster/policy"),
    ("PUT", "/v1/nodes/2"),
    ("PUT", "/v1/users/password"),
    ("POST", "/v1/users/authorize"),
    ("PATCH", "/v1/bdbs"),
    ("PUT", "/v1/crdbs_like"),
    ("POST", "/v3/what/ever"),
)


def before_of(ref: Reference | None) -> Reference | None:
    """Return what a path tells of what it starts, as it is known before the call."""
    runs = {
        Track.BDB: f"{GONE},{AFTER}" if ref is not None and ref.gone else AFTER,
        **dict.fromkeys((Track.EXPORT, Track.IMPORT), "idle,,1"),
        **dict.fromkeys((Track.NODE, Track.CLUSTER), AFTER),
    }
    return None if ref is None else type(ref)(ref.track, ref.uid, runs.get(ref.track, ""))


def handle(
    method: str, path: str, answer: object, status: int = 200, *, dry_run: bool = False
) -> Handle:
    """Return what is followed after a call, if nothing went on before it."""
    about = target(method, path)
    before = before_of(about.ref)
    if about.call.follow is Follow.CRDB and not path.endswith("purge"):
        before = type(before_of(target("PUT", BDB).ref))(Track.CRDB, "sent")  # type: ignore[misc]
    return handle_of(about, before, status, answer, dry_run=dry_run)


def said(found: Handle) -> str:
    """Return a handle in one word."""
    if found.ref is not None:
        return str(found.ref)
    return "done" if found.problem is None else "no"


class TestTable:
    """Each documented call, on each version that has it."""

    @pytest.mark.parametrize(
        ("method", "path", "version", "followed"),
        [
            (method, path, version, followed)
            for method, path, versions, followed in DOCUMENTED
            for version in versions
        ],
    )
    def test_documented(self, method: str, path: str, version: str, followed: str) -> None:
        """It is followed, or known to be done with its answer, or refused in words."""
        for answer in ({}, None, [], "ok", True, {"action_uid": None}, {"action_uid": ""}):
            assert said(handle(method, path, answer)) == followed

        assert said(handle(method, path, {"action_uid": "a1"})).startswith("action:a1") or (
            target(method, path).call.follow
            in {Follow.CANCELLED, Follow.TASK, Follow.TRANSFER, Follow.CRDB}
        )
        assert version in V74

    def test_each_row(self) -> None:
        """Each row of the table is that of one call above at least."""
        rows = {target(method, path).call for method, path, *_ in DOCUMENTED}

        assert rows >= set(CALLS)

    @pytest.mark.parametrize(("method", "path"), OTHERS)
    def test_others(self, method: str, path: str) -> None:
        """Of any other call nothing is known: without a handle it is never complete."""
        assert said(handle(method, path, {})) == "no"
        assert said(handle(method, path, {"action_uid": "a1"})) == "action:a1"
        assert said(handle(method, path, {"task_id": "t1"})) == "action:t1"

    @settings(max_examples=examples(300))
    @given(
        st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
        st.lists(
            st.sampled_from(
                [
                    "bdbs",
                    "nodes",
                    "cluster",
                    "actions",
                    "crdbs",
                    "users",
                    "shards",
                    "modules",
                    "1",
                    "2",
                    "certificates",
                    "x",
                ]
            ),
            min_size=1,
            max_size=5,
        ),
        st.sampled_from([None, {}, [], {"status": "active"}, {"message": "accepted"}]),
    )
    def test_any_path(self, method: str, words: list[str], answer: object) -> None:
        """No call is complete by default: those that are, are in the table."""
        path = "/v1/" + "/".join(words)
        if said(handle(method, path, answer)) == "done":
            assert target(method, path).call.follow in {Follow.IF_ANY, Follow.AT_ONCE}


class TestAnswers:
    """What is read off an answer."""

    @pytest.mark.parametrize(
        ("method", "path", "answer", "followed"),
        [
            ("POST", f"{BDB}/upgrade", {"action_uid": "a1"}, "action:a1"),
            ("PUT", BDB, {"uid": 7, "name": "x", "action_uid": "a1"}, "action:a1"),
            ("PUT", BDB, [{"uid": 7, "action_uid": "a1"}], "action:a1"),
            ("PUT", BDB, {"uid": 7, "action_uid": 12}, "action:12"),
            ("PUT", BDB, {"uid": 7, "action_uid": True}, "bdb:7@after"),
            ("PUT", BDB, {"uid": 7, "action_uid": ".."}, "bdb:7@after"),
            ("PUT", BDB, {"action_uid": {"action_uid": "a1"}}, "action:a1"),
            ("POST", "/v2/bdbs", {"bdb": {"uid": 1, "action_uid": "a1"}}, "action:a1"),
            ("DELETE", BDB, {"action_uid": "a1"}, "action:a1@bdb:7"),
            ("DELETE", BDB, {"uid": 7, "status": "delete-pending"}, "bdb:7@gone,after"),
            ("DELETE", BDB, {"task_id": "t1"}, "action:t1@bdb:7"),
            ("PUT", BDB, {"action_uid": "  "}, "bdb:7@after"),
            ("PUT", BDB, {"action_uid": " a1 "}, "action:a1"),
            (
                "POST",
                "/v1/shards/actions/migrate",
                [{"action_uid": "a"}, {"action_uid": "b"}],
                "no",
            ),
            ("PUT", BDB, [{"action_uid": "a"}, {"action_uid": "a"}], "action:a"),
            ("POST", "/v1/shards/actions/migrate", [{"action_uid": "a1"}], "action:a1"),
            ("POST", "/v1/shards/actions/migrate", {"description": "moved"}, "no"),
            # A database that is created is followed by its uid, however it stands.
            ("POST", "/v1/bdbs", {"uid": 5, "status": "pending"}, "bdb:5@after"),
            ("POST", "/v1/bdbs", {"uid": "5", "status": "active"}, "bdb:5@after"),
            ("POST", "/v1/bdbs", [{"uid": 5}], "bdb:5@after"),
            ("POST", "/v2/bdbs", {"bdb": {"uid": 5}}, "bdb:5@after"),
            ("POST", "/v1/bdbs", {"uid": "five"}, "no"),
            ("POST", "/v1/bdbs", {"uid": -5}, "no"),
            ("POST", "/v1/bdbs", [{"uid": 5}, {"uid": 6}], "no"),
            # Only a PUT that shows the settled database may have had nothing to do.
            ("PUT", BDB, {"uid": 7, "status": "active"}, "bdb:7@unchanged"),
            ("PUT", BDB, {"status": "Active", "background_op": []}, "bdb:7@unchanged"),
            ("PUT", BDB, {"bdb": {"uid": "7", "status": "active"}}, "bdb:7@unchanged"),
            ("PUT", BDB, {"uid": 8, "status": "active"}, "bdb:7@after"),
            ("PUT", BDB, {"uid": 7, "status": "active-change-pending"}, "bdb:7@after"),
            ("PUT", BDB, {"uid": 7}, "bdb:7@after"),
            (
                "PUT",
                BDB,
                {"status": "active", "background_op": [{"status": "pending"}]},
                "bdb:7@after",
            ),
            (
                "PUT",
                BDB,
                {"status": "active", "background_op": [{"status": "failed"}]},
                "bdb:7@after",
            ),
            ("PUT", f"{BDB}/flush", {"uid": 7, "status": "active"}, "bdb:7@after"),
            ("POST", f"{NODE}/remove", {"status": "queued", "task_id": "t1"}, "node:2/remove@t1"),
            ("POST", f"{NODE}/remove", {"task_id": 12}, "node:2/remove@12"),
            ("POST", f"{NODE}/remove", [{"task_id": "t1"}], "node:2/remove@t1"),
            ("POST", f"{NODE}/remove", {"action_uid": "a1", "task_id": "t1"}, "action:a1"),
            ("DELETE", f"{NODE}/remove", {"task_id": "t1"}, "node:2/remove@after"),
            (
                "DELETE",
                f"{NODE}/remove",
                [{"action_uid": "a"}, {"action_uid": "b"}],
                "node:2/remove@after",
            ),
            ("POST", "/v1/crdbs", {"id": "c1", "status": "queued"}, "crdb:c1"),
            ("POST", "/v1/crdbs", {"id": 12}, "crdb:12"),
            ("PUT", "/v1/crdbs/g/purge", {"id": "c1"}, "crdb:c1"),
            ("POST", "/v1/users", {"uid": 4, "action_uid": "a1"}, "action:a1"),
            ("POST", "/v1/users", {"uid": 4, "name": "x"}, "done"),
        ],
        ids=lambda value: json.dumps(value) if isinstance(value, dict | list) else str(value),
    )
    def test_shapes(self, method: str, path: str, answer: object, followed: str) -> None:
        """A handle, in whatever form, goes before all that is known of the call."""
        assert said(handle(method, path, answer)) == followed

    @pytest.mark.parametrize(
        ("method", "path", "answer", "followed"),
        [
            ("PUT", BDB, {"uid": 7, "status": "active"}, "bdb:7@after"),
            ("POST", "/v1/users", {"uid": 4}, "no"),
            ("PUT", "/v1/cluster/certificates", None, "no"),
            ("POST", "/v1/bdbs", {"uid": 5}, "bdb:5@after"),
        ],
    )
    def test_accepted(self, method: str, path: str, answer: object, followed: str) -> None:
        """202 says that it is not done; 201 is a success like 200."""
        assert said(handle(method, path, answer, 202)) == followed
        assert handle(method, path, answer, 201) == handle(method, path, answer, 200)

    def test_known_failure(self) -> None:
        """A database that had failed before the call, and is shown so again, may be unchanged."""
        shown = {"status": "active", "background_op": [{"name": "x", "status": "failed"}]}
        about = target("PUT", BDB)
        assert about.ref is not None
        mark = failure_of(read_database(json.dumps(shown).encode(), BDB))
        for known, run in ((mark, f"unchanged,{mark}"), ("y", "after,y")):
            before = type(about.ref)(Track.BDB, "7", f"{AFTER},{known}")

            assert said(handle_of(about, before, 200, shown, dry_run=False)) == f"bdb:7@{run}"

    @pytest.mark.parametrize("call", [("PUT", BDB), ("POST", "/v1/bdbs"), ("POST", "/v1/shards")])
    def test_dry_run(self, call: tuple[str, str]) -> None:
        """A dry run is done with its answer, unless that has a handle."""
        shown = {"uid": 7, "status": "pending"}

        assert said(handle(*call, shown, dry_run=True)) == "done"
        assert said(handle(*call, {"action_uid": "a1"}, dry_run=True)) == "action:a1"

    def test_dry_run_of_a_crdb(self) -> None:
        """A dry run of an Active-Active database is a task, which has its verdict."""
        assert said(handle("POST", "/v1/crdbs", {"id": "c1"}, dry_run=True)) == "crdb:c1"
        assert said(handle("POST", "/v1/crdbs", {}, dry_run=True)) == "crdb:sent"

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            ({"error_code": "busy", "description": "x"}, ("busy", "x")),
            ({"error_code": "busy"}, ("busy", None)),
            ([{"error_code": "busy", "message": "x"}], ("busy", "x")),
            ({"title": "Conflict", "status": 409, "detail": "x"}, (None, "x")),
            ({"title": "Conflict", "status": "409"}, (None, "Conflict")),
            ({"error": "no room"}, (None, "no room")),
            ({"error": "", "status": "ok"}, None),
            ({"error": {"code": 5}}, (None, '{"code":5}')),
            ({"errors": ["a", "b"]}, (None, '["a","b"]')),
            ({"errors": []}, None),
            ({"error": 5}, None),
            ({"error_code": 5}, ("5", None)),
            ({"error_code": " "}, None),
            ({"bdb": {"error_code": "busy"}}, ("busy", None)),
            ([{"error_code": "busy"}, {"error_code": "other"}], ("busy", None)),
            ({"title": "x"}, None),
            ({"message": "accepted"}, None),
            ({"error_code": "x", "action_uid": "a1"}, None),
            ({"error_code": "x", "uid": 1}, ("x", None)),
            ({}, None),
            (None, None),
        ],
        ids=str,
    )
    def test_errors(self, answer: object, error: tuple[str | None, str | None] | None) -> None:
        """An error object is one, whatever the status says."""
        assert error_in(answer) == error


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
        call = target(method, path).call
        with pytest.raises(UsageError, match=rf"params={{'{name}': .*--param {name}="):
            is_dry_run(call, {name: value, "x": 1}, None)

        on = name == "dry_run" and value in {True, "yes"}
        assert is_dry_run(call, {"x": 1}, {name: value}) is on

    @pytest.mark.parametrize(("method", "path", "name"), BODY)
    def test_in_the_body(self, method: str, path: str, name: str) -> None:
        """... and the other way round."""
        call = target(method, path).call
        with pytest.raises(UsageError, match=rf"json={{'{name}': .*--data"):
            is_dry_run(call, None, {name: True})

        assert is_dry_run(call, {name: True}, None)
        assert not is_dry_run(call, {name: False}, None)
        assert not is_dry_run(call, {name: "true"}, None)

    @pytest.mark.parametrize(("method", "path"), [("POST", f"{BDB}/upgrade"), ("POST", "/v1/x")])
    def test_nowhere(self, method: str, path: str) -> None:
        """A call that is not documented to have a dry run is made in earnest."""
        call = target(method, path).call

        assert not is_dry_run(call, {"dry_run": True}, {"dry_run": True})

    @pytest.mark.parametrize("value", ["", "true", "True", "1", "YES"])
    def test_switched_on(self, value: str) -> None:
        """A query's value switches it on by itself, or in words."""
        assert is_dry_run(target("PUT", BDB).call, [], {"dry_run": value})


@pytest.mark.enable_socket
class TestNothingToFollow:
    """An answer that names nothing, over a connection."""

    PATH = "/v1/cluster/policy"

    async def test_raised(self) -> None:
        """Waiting raises `NothingToFollow`, and so does watching; there is a record of it."""
        recorder = Recorder()
        async with Server(PUT=[(200, "{}")]) as server, server.client() as client:
            operation = await client.submit("PUT", self.PATH)
            assert (operation.ref, operation.done) == (None, False)
            assert operation.problem is not None
            for wait in (operation.wait(recorder=recorder), anext(aiter(operation))):
                with pytest.raises(NothingToFollow, match="names nothing to follow") as caught:
                    await wait
                assert caught.value.uid == f"PUT {self.PATH}"
                assert caught.value.reason == operation.problem

        (record,) = recorder.records()
        assert (record.outcome, record.polls) == (Outcome.NOT_FOLLOWED, 0)
        assert record.message == str(caught.value)
        assert caught.value.record is not None
        assert repr(operation) == f"<Operation PUT {self.PATH}: answered>"

    async def test_accepted(self) -> None:
        """Unless it was said that the answer will do."""
        async with Server(PUT=[(200, "{}")]) as server, server.client() as client:
            operation = await client.submit("PUT", self.PATH, untracked="completed")

            assert operation.done
            assert (await operation).phase is Phase.COMPLETED

    async def test_several(self) -> None:
        """Several actions are known to go on, so that no answer will do."""
        body = '[{"action_uid": "a"}, {"action_uid": "b"}]'
        async with Server(PUT=[(200, body)]) as server, server.client() as client:
            operation = await client.submit("PUT", self.PATH, untracked="completed")

            assert not operation.done
            with pytest.raises(NothingToFollow, match="several actions"):
                await operation

    async def test_bad_choice(self) -> None:
        """Anything else that is said is refused."""
        async with Server() as server, server.client() as client:
            with pytest.raises(UsageError, match="untracked="):
                await client.submit("PUT", self.PATH, untracked="maybe")  # type: ignore[arg-type]

            assert server.calls == []

    @pytest.mark.parametrize("status", [200, 201, 202])
    async def test_error_inside(self, status: int) -> None:
        """An error object in a success is an error, and shows nothing of what was sent."""
        body = '{"error_code": "no_hunter2-hunter2", "description": "no room for hunter2-hunter2"}'
        async with Server(PUT=[(status, body)]) as server, server.client() as client:
            with pytest.raises(RequestRejected, match=r"no_\*\*\*: no room for \*\*\*") as caught:
                await client.submit("PUT", BDB, {"password": "hunter2-hunter2"})

        assert (caught.value.status, caught.value.error_code) == (status, "no_***")

    @pytest.mark.parametrize("status", [406, 500])
    async def test_code_with_a_secret(self, status: int) -> None:
        """What a refusal repeats of the body is not shown, be it in the code."""
        body = '{"error_code": "hunter2-hunter2", "description": "x"}'
        async with Server(PUT=[(status, body)]) as server, server.client() as client:
            with pytest.raises(RequestError) as caught:
                await client.submit("PUT", BDB, {"password": "hunter2-hunter2"})

        assert "hunter2" not in f"{caught.value} {vars(caught.value)}"

    @pytest.mark.parametrize("call", ["create_cluster", "join_cluster", "recover_cluster"])
    async def test_bootstrap(self, call: str) -> None:
        """A bootstrap goes on after its answer: what is to be asked is said in words."""
        path = f"/v1/bootstrap/{call}"
        async with Server(POST=[(200, "")]) as server, server.client() as client:
            operation = await client.submit("POST", path)

            with pytest.raises(NothingToFollow, match="GET /v1/bootstrap"):
                await operation
            with pytest.raises(NothingToFollow):  # as it would not be true
                await (await client.submit("POST", path, untracked="completed"))
        assert "GET /v1/bootstrap" in (problem_with("POST", path) or "")
        assert problem_with("PUT", BDB) is None
