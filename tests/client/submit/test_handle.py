"""Tests of `_client.submit.handle`."""

from __future__ import annotations

import json

import pytest

from redis_enterprise_actions import (
    NothingToFollow,
    Outcome,
    Phase,
    Recorder,
    RequestError,
    RequestRejected,
    UsageError,
)
from redis_enterprise_actions._client.submit.calls import Follow
from redis_enterprise_actions._client.submit.handle import Handle, embedded_error, read_handle
from redis_enterprise_actions._client.wire.databases import failure_marks, read_database
from redis_enterprise_actions._model.reference import AFTER, Reference, ReferenceKind
from tests.client.submit.handles import BDB, NODE, handle_of, summary
from tests.recorder import RecordingServer as Server


pytestmark = pytest.mark.core


UUID = "6f3c0c1e-0a4b-4f43-9b1c-5d7e2a90c0de"


class TestAnswers:
    """Handles that are read from an answer."""

    @pytest.mark.parametrize(
        ("method", "path", "answer", "expected"),
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
            # A created database is followed by its uid, whatever its status.
            ("POST", "/v1/bdbs", {"uid": 5, "status": "pending"}, "bdb:5@after"),
            ("POST", "/v1/bdbs", {"uid": "5", "status": "active"}, "bdb:5@after"),
            ("POST", "/v1/bdbs", [{"uid": 5}], "bdb:5@after"),
            ("POST", "/v2/bdbs", {"bdb": {"uid": 5}}, "bdb:5@after"),
            ("POST", "/v1/bdbs", {"uid": "five"}, "no"),
            ("POST", "/v1/bdbs", {"uid": -5}, "no"),
            ("POST", "/v1/bdbs", [{"uid": 5}, {"uid": 6}], "no"),
            # Only a PUT that answers with the settled database may have had no effect.
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
            ("POST", "/v1/users", {"action_uid": UUID.upper()}, f"action:{UUID}"),
            ("POST", "/v1/users", {"action_uid": "x" * 1001}, "done"),
            ("POST", "/v1/shards/actions/failover", {"task_id": UUID.upper()}, f"action:{UUID}"),
            ("POST", "/v1/users", {"uid": 4, "name": "x"}, "done"),
        ],
        ids=lambda value: json.dumps(value) if isinstance(value, dict | list) else str(value),
    )
    def test_shapes(self, method: str, path: str, answer: object, expected: str) -> None:
        """A handle in the answer, in any shape, takes precedence over the rule of the call."""
        assert summary(handle_of(method, path, answer)) == expected

    @pytest.mark.parametrize(
        ("method", "path", "answer", "expected"),
        [
            ("PUT", BDB, {"uid": 7, "status": "active"}, "bdb:7@after"),
            ("POST", "/v1/users", {"uid": 4}, "no"),
            ("PUT", "/v1/cluster/certificates", None, "no"),
            ("POST", "/v1/bdbs", {"uid": 5}, "bdb:5@after"),
        ],
    )
    def test_accepted(self, method: str, path: str, answer: object, expected: str) -> None:
        """202 says that the work is not done; 201 is a success like 200."""
        assert summary(handle_of(method, path, answer, 202)) == expected
        assert handle_of(method, path, answer, 201) == handle_of(method, path, answer, 200)

    def test_known_failure(self) -> None:
        """A database that shows the failure from before the call again may be unchanged."""
        database = {"status": "active", "background_op": [{"name": "x", "status": "failed"}]}
        mark = failure_marks(read_database(json.dumps(database).encode(), BDB))
        for known, run in ((mark, f"unchanged,{mark}"), ("y", "after,y")):
            before = Reference(ReferenceKind.BDB, "7", f"{AFTER},{known}")
            handle = read_handle(Follow.CHANGED, before, 200, database, dry_run=False)

            assert summary(handle) == f"bdb:7@{run}"

    @pytest.mark.parametrize("call", [("PUT", BDB), ("POST", "/v1/bdbs"), ("POST", "/v1/shards")])
    def test_dry_run(self, call: tuple[str, str]) -> None:
        """A dry run is done when answered, unless the answer has a handle."""
        database = {"uid": 7, "status": "pending"}

        assert summary(handle_of(*call, database, dry_run=True)) == "done"
        assert summary(handle_of(*call, {"action_uid": "a1"}, dry_run=True)) == "action:a1"

    def test_dry_run_of_a_crdb(self) -> None:
        """A dry run of an Active-Active database is a task, whose result is the verdict."""
        assert summary(handle_of("POST", "/v1/crdbs", {"id": "c1"}, dry_run=True)) == "crdb:c1"
        assert summary(handle_of("POST", "/v1/crdbs", {}, dry_run=True)) == "crdb:sent"

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
            ({"errors": ["a", "b"]}, (None, "a; b")),
            ({"errors": []}, None),
            ({"error": 5}, None),
            ({"error_code": 5}, ("5", None)),
            ({"error_code": " "}, None),
            ({"bdb": {"error_code": "busy"}}, ("busy", None)),
            ([{"error_code": "busy"}, {"error_code": "other"}], ("busy", None)),
            ({"title": "x"}, None),
            ({"message": "accepted"}, None),
            ({"error_code": "x", "action_uid": "a1"}, None),
            ({"error_code": "x", "uid": 1}, ("x", '{"uid":1}')),
            ({}, None),
            (None, None),
        ],
        ids=str,
    )
    def test_errors(self, answer: object, error: tuple[str | None, str | None] | None) -> None:
        """An error object is an error, whatever the status is."""
        assert embedded_error(answer) == error

    def test_repr(self) -> None:
        """The repr of a handle does not show the answer, which may hold secrets."""
        handle = Handle(Reference(ReferenceKind.ACTION, "a1"), {"password": "hunter2-hunter2"})

        assert repr(handle) == "<Handle action:a1>"

    def test_hostile_repr(self) -> None:
        """The repr of a handle is one printable line, whatever the cluster names."""
        assert repr(Handle(Reference(ReferenceKind.ACTION, "a\n\x1bb"))) == "<Handle action:a  b>"


@pytest.mark.enable_socket
class TestNothingToFollow:
    """Answers without a handle, over a connection."""

    PATH = "/v1/cluster/policy"

    async def test_raised(self) -> None:
        """Waiting and watching raise `NothingToFollow`, and the wait has a record."""
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
        """With `untracked="completed"` the answer counts as the end."""
        async with Server(PUT=[(200, "{}")]) as server, server.client() as client:
            operation = await client.submit("PUT", self.PATH, untracked="completed")

            assert operation.done
            assert (await operation).phase is Phase.COMPLETED

    async def test_several(self) -> None:
        """Several actions are still running, so that the answer cannot count as the end."""
        body = '[{"action_uid": "a"}, {"action_uid": "b"}]'
        async with Server(PUT=[(200, body)]) as server, server.client() as client:
            operation = await client.submit("PUT", self.PATH, untracked="completed")

            assert not operation.done
            with pytest.raises(NothingToFollow, match="several actions"):
                await operation

    async def test_bad_choice(self) -> None:
        """Any other value of `untracked` is refused."""
        async with Server() as server, server.client() as client:
            with pytest.raises(UsageError, match="untracked="):
                await client.submit("PUT", self.PATH, untracked="maybe")  # type: ignore[arg-type]

            assert server.calls == []

    @pytest.mark.parametrize("status", [200, 201, 202])
    async def test_error_inside(self, status: int) -> None:
        """An error object in a success is an error, and shows nothing of the request's body."""
        body = '{"error_code": "no_hunter2-hunter2", "description": "no room for hunter2-hunter2"}'
        async with Server(PUT=[(status, body)]) as server, server.client() as client:
            with pytest.raises(RequestRejected, match=r"no_\*\*\*: no room for \*\*\*") as caught:
                await client.submit("PUT", BDB, {"password": "hunter2-hunter2"})

        assert (caught.value.status, caught.value.error_code) == (status, "no_***")

    @pytest.mark.parametrize("status", [406, 500])
    async def test_code_with_a_secret(self, status: int) -> None:
        """An error code that repeats a secret of the body is redacted."""
        body = '{"error_code": "hunter2-hunter2", "description": "x"}'
        async with Server(PUT=[(status, body)]) as server, server.client() as client:
            with pytest.raises(RequestError) as caught:
                await client.submit("PUT", BDB, {"password": "hunter2-hunter2"})

        assert "hunter2" not in f"{caught.value} {vars(caught.value)}"
