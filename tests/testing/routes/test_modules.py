"""Tests of `testing.routes.modules` and `testing.state.modules`, over HTTP.

They use no code of the client.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest

from redis_enterprise_actions.testing import FakeCluster, Plan
from redis_enterprise_actions.testing.state.modules import parse_package
from tests.http_client import HttpClient, http_client
from tests.testing.versions import before, since


if TYPE_CHECKING:
    from redis_enterprise_actions.testing import Version

pytestmark = [pytest.mark.enable_socket, pytest.mark.contract]

REJSON: Final = "rejson.Linux-ubuntu18.04-x86_64.2.0.8.zip"
UPLOAD: Final = "/v2/modules"
USER_DEFINED: Final = "/v2/modules/user-defined"
ARTIFACTS: Final = "/v2/local/modules/user-defined/artifacts"
MODULE: Final[dict[str, Any]] = {
    "module_name": "TestModule",
    "version": 1,
    "semantic_version": "0.0.1",
    "display_name": "test module",
    "commands": [{"command_name": "test.get", "command_arity": -1}],
    "command_line_args": "",
    "capabilities": ["types"],
    "min_redis_version": "2.1",
}


def form(
    content: bytes = b"PK", *, file_name: str | None = REJSON, field: str = "module"
) -> aiohttp.FormData:
    """Return a form with a file, after another field."""
    data = aiohttp.FormData(default_to_multipart=True)
    data.add_field("comment", "x")
    file = content.decode() if file_name is None else io.BytesIO(content)
    data.add_field(field, file, filename=file_name, content_type="application/zip")
    return data


async def upload(
    call: HttpClient, content: bytes = b"PK", *, path: str = UPLOAD, file_name: str = REJSON
) -> Any:  # noqa: ANN401 - JSON
    """Upload a package; return the answer of a 200."""
    return await call.ok("POST", path, data=form(content, file_name=file_name))


async def listed(call: HttpClient) -> list[tuple[str, int]]:
    """Return the names and versions of the modules that are listed."""
    modules = await call.ok("GET", "/v1/modules")
    return [(module["module_name"], module["version"]) for module in modules]


@pytest.mark.parametrize(
    ("file_name", "package"),
    [
        (REJSON, ("rejson", 20008, "2.0.8")),
        ("rg.1.2.1.zip", ("rg", 10201, "1.2.1")),
        ("custom-module.so", ("custom-module", 1, "0.0.1")),
        ("custom.linux.zip", ("custom", 1, "0.0.1")),
        ("custom.12345678.0.1.zip", ("custom", 1, "0.0.1")),
        ("rejson.zip.exe", None),
        (".zip", None),
        ("rejson", None),
        ("", None),
    ],
)
def test_package(file_name: str, package: tuple[str, int, str] | None) -> None:
    """A package's name holds the name and the version of its module."""
    parsed = parse_package(file_name)

    found = parsed and (parsed.module_name, parsed.version, parsed.semantic_version)
    assert found == package


class TestUpload:
    """POST /v2/modules and DELETE /v2/modules/UID, up to 7.22."""

    @pytest.mark.parametrize("version", before("8.0"))
    async def test_upload(self, version: Version) -> None:
        """An upload is a task, and the module is listed when that has completed."""
        async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
            content = b"PK" * 2**20  # more than aiohttp reads at once
            module = await upload(call, content)
            uid = module.pop("action_uid")

            assert re.fullmatch("[0-9a-f]{32}", module["uid"])
            assert (module["module_name"], module["version"]) == ("rejson", 20008)
            assert module["sha256"] == hashlib.sha256(content).hexdigest()
            task = await call.ok("GET", f"/v1/actions/{uid}")
            assert (task["name"], task["status"]) == ("module_installation", "running")
            assert task["module_uid"] == module["uid"]
            assert "node_uid" not in task
            assert await listed(call) == []
            assert (await call("GET", f"/v1/modules/{module['uid']}"))[0] == 404
            await asyncio.sleep(10)
            assert (await call.ok("GET", f"/v1/actions/{uid}"))["status"] == "completed"
            assert await listed(call) == [("rejson", 20008)]
            assert await call.ok("GET", f"/v1/modules/{module['uid']}") == module

    async def test_delete(self) -> None:
        """A deletion is a task, too, and one at a time."""
        async with FakeCluster(version="7.22") as cluster, http_client(cluster) as call:
            cluster.plan("POST", UPLOAD, Plan(duration=0))
            uid = (await upload(call))["uid"]
            answer = await call.ok("DELETE", f"{UPLOAD}/{uid}")
            assert answer == await call.ok("DELETE", f"{UPLOAD}/{uid}")

            assert answer.keys() == {"action_uid"}
            assert await listed(call) == [("rejson", 20008)]
            task = await call.ok("GET", f"/v1/actions/{answer['action_uid']}")
            assert (task["status"], task["module_uid"]) == ("running", uid)
            await asyncio.sleep(10)
            assert await listed(call) == []
            refused = await call.refused("DELETE", f"{UPLOAD}/{uid}")
            assert refused == (404, "module_delete_failed")
            assert (await upload(call))["uid"] != uid

    async def test_failed(self) -> None:
        """A module whose installation fails is not there; one whose deletion fails stays."""
        async with FakeCluster(version="7.22") as cluster, http_client(cluster) as call:
            failed = Plan(duration=5, outcome="failed", error_code="no_space")
            cluster.plan("POST", UPLOAD, failed)
            action = (await upload(call))["action_uid"]
            await asyncio.sleep(6)
            assert (await call.ok("GET", f"/v1/actions/{action}"))["error_code"] == "no_space"
            assert await listed(call) == []
            module = await upload(call)
            await asyncio.sleep(10)
            cluster.plan("DELETE", UPLOAD, failed)
            path = f"{UPLOAD}/{module['uid']}"
            first = await call.ok("DELETE", path)
            await asyncio.sleep(6)
            assert await listed(call) == [("rejson", 20008)]
            assert await call.ok("DELETE", path) != first

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({}, "no_module"),
            ({"json": {}}, "no_module"),
            ({"data": form(field="file")}, "no_module"),
            ({"data": form(file_name=None)}, "no_module"),
            ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "no_module"),
            ({"data": form(b"")}, "invalid_module"),
            ({"data": form(file_name="rejson.txt")}, "invalid_module"),
        ],
        ids=["empty", "json", "field", "no file", "no boundary", "empty file", "name"],
    )
    async def test_refused(self, options: dict[str, Any], code: str) -> None:
        """An upload without a package is answered 400, and starts nothing."""
        async with FakeCluster(version="7.22") as cluster, http_client(cluster) as call:
            assert await call.refused("POST", UPLOAD, **options) == (400, code)
            assert not cluster.actions

    async def test_exists(self) -> None:
        """A module that is there, or being installed, cannot be uploaded again."""
        async with FakeCluster(version="7.22") as cluster, http_client(cluster) as call:
            for _ in range(2):
                if not cluster.actions:
                    await upload(call)
                refused = await call.refused("POST", UPLOAD, data=form())
                assert refused == (400, "module_exists")
                await asyncio.sleep(11)
            await upload(call, file_name="rejson.2.0.9.zip")

    @pytest.mark.parametrize("version", since("8.0"))
    async def test_gone(self, version: Version) -> None:
        """There is no such route from 8.0 on."""
        async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
            assert await call("POST", UPLOAD, data=form()) == (404, "404: Not Found")
            assert await call("DELETE", f"{UPLOAD}/1") == (404, "404: Not Found")


class TestUserDefined:
    """User-defined modules, from 8.0 on."""

    @pytest.mark.parametrize("version", since("8.0"))
    async def test_define(self, version: Version) -> None:
        """A user-defined module is there with the answer, and starts no action."""
        async with FakeCluster(version=version) as cluster, http_client(cluster) as call:
            cluster.allow_modules_upload = True
            module = await call.ok("POST", USER_DEFINED, MODULE)

            assert re.fullmatch("[0-9a-f]{32}", module["uid"])
            assert module == MODULE | {"uid": module["uid"], "is_bundled": False}
            assert await call.ok("GET", "/v1/modules") == [module]
            assert not cluster.actions
            refused = await call.refused("POST", USER_DEFINED, MODULE)
            assert refused == (406, "module_exists")
            assert await call.ok("DELETE", f"{USER_DEFINED}/{module['uid']}") == ""
            assert await listed(call) == []

    @pytest.mark.parametrize(
        "body",
        [
            {},
            None,
            [],
            *({key: MODULE[key] for key in MODULE if key != missing} for missing in MODULE),
            MODULE | {"version": "1"},
            MODULE | {"version": True},
            MODULE | {"commands": {}},
        ],
    )
    async def test_invalid(self, cluster: FakeCluster, call: HttpClient, body: object) -> None:
        """A module without what is required is answered 406."""
        assert await call.refused("POST", USER_DEFINED, body) == (406, "invalid_module")

    async def test_unknown(self, cluster: FakeCluster, call: HttpClient) -> None:
        """An unknown module, or artifact, cannot be deleted."""
        for path in (f"{USER_DEFINED}/1", f"{ARTIFACTS}/x/1", f"{ARTIFACTS}/x/y"):
            assert await call.refused("DELETE", path) == (404, "module_delete_failed")
        assert await call.refused("GET", "/v1/modules/1") == (404, "module_not_exist")

    async def test_artifacts(self, three: FakeCluster, call3: HttpClient) -> None:
        """An artifact is stored on the node that is asked, without a redirect."""
        data = form(file_name="TestModule.1.0.0.zip")
        assert await call3.ok("POST", ARTIFACTS, node=2, data=data) == ""

        artifact = {"module_name": "TestModule", "version": 10000, "dependencies": []}
        assert await call3.ok("GET", ARTIFACTS, node=2) == [artifact]
        assert await call3.ok("GET", ARTIFACTS, node=1) == []
        path = f"{ARTIFACTS}/TestModule/10000"
        assert (await call3("DELETE", path, node=1))[0] == 404
        assert await call3.ok("DELETE", path, node=2) == ""
        assert await call3.ok("GET", ARTIFACTS, node=2) == []

    @pytest.mark.parametrize(
        ("options", "answer"),
        [
            ({}, (400, "no_module")),
            ({"data": form(field="file")}, (400, "no_module")),
            ({"data": form(b"")}, (406, "invalid_module")),
            ({"data": form(file_name="x.txt")}, (406, "invalid_module")),
        ],
    )
    async def test_bad_artifact(
        self, call: HttpClient, options: dict[str, Any], answer: tuple[int, str]
    ) -> None:
        """An upload without an artifact is answered 400, a bad one 406."""
        assert await call.refused("POST", ARTIFACTS, **options) == answer

    async def test_disabled(self) -> None:
        """From 8.2 on uploads are disabled by default, and the cluster's settings say so."""
        async with FakeCluster(version="8.2") as cluster, http_client(cluster) as call:
            refused = (403, "modules_upload_disabled")
            assert await call.refused("POST", USER_DEFINED, MODULE) == refused
            assert await call.refused("POST", ARTIFACTS, data=form()) == refused
            assert (await call.ok("GET", "/v1/cluster"))["allow_modules_upload"] is False
            cluster.allow_modules_upload = True
            await upload(call, path=ARTIFACTS)
            assert (await call.ok("GET", "/v1/cluster"))["allow_modules_upload"] is True
