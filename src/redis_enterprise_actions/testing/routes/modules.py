"""Routes of modules: upload and deletion, and user-defined modules with their artifacts.

Vendor pages: requests/modules, requests/modules/user-defined, objects/module, and the release notes
of 8.2.0 (the 403). These were seen on a cluster of 8.0.10: 406 invalid_module to a user-defined
module without fields, 400 no_module to an upload without an artifact, 404 module_delete_failed to
the deletion of an unknown user-defined module. These are guesses: the other codes of user-defined
modules, artifacts and unknown modules; the status of a module that exists already; that an
artifact needs no module of its name. The deprecated uploads of /v1 are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from redis_enterprise_actions.testing.server.requests import (
    error_response,
    parse_uid,
    read_object,
    read_upload,
)
from redis_enterprise_actions.testing.settings import is_since
from redis_enterprise_actions.testing.state.modules import parse_package


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.settings import ClusterSettings
    from redis_enterprise_actions.testing.state.actions import PlannedCalls
    from redis_enterprise_actions.testing.state.modules import FakeModule, ModuleRegistry

_USER_DEFINED: Final = "/v2/modules/user-defined"
_ARTIFACTS: Final = "/v2/local/modules/user-defined/artifacts"
# Fields that a user-defined module must have, by requests/modules/user-defined.
_REQUIRED: Final[Mapping[str, type]] = {
    "module_name": str,
    "version": int,
    "semantic_version": str,
    "display_name": str,
    "commands": list,
    "command_line_args": str,
    "capabilities": list,
    "min_redis_version": str,
}


class ModuleRoutes:
    """Routes of modules on one node; `planned_calls` has the plans for the tasks they start."""

    def __init__(
        self,
        settings: ClusterSettings,
        modules: ModuleRegistry,
        planned_calls: PlannedCalls,
        *,
        node: int,
    ) -> None:
        self._settings = settings
        self._modules = modules
        self._planned_calls = planned_calls
        self._artifacts = modules.artifacts.setdefault(node, set())

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/modules", self._list)
        app.router.add_get("/v1/modules/{uid}", self._single)
        if is_since(self._settings.version, "8.0"):
            app.router.add_post(_USER_DEFINED, self._define)
            app.router.add_delete(f"{_USER_DEFINED}/{{uid}}", self._delete_user_defined)
            app.router.add_get(_ARTIFACTS, self._list_artifacts)
            app.router.add_post(_ARTIFACTS, self._upload_artifact)
            app.router.add_delete(f"{_ARTIFACTS}/{{name}}/{{version}}", self._delete_artifact)
        else:
            app.router.add_post("/v2/modules", self._upload)
            app.router.add_delete("/v2/modules/{uid:(?!user-defined$)[^/]+}", self._delete)

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response([module.to_json() for module in self._modules.list_installed()])

    async def _single(self, request: web.Request) -> web.Response:
        module = self._modules.find(request.match_info["uid"])
        if module is None:
            raise error_response(404, "module_not_exist", "no such module")
        return web.json_response(module.to_json())

    async def _upload(self, request: web.Request) -> web.Response:
        upload = await read_upload(request, "module")
        if upload is None:
            raise error_response(400, "no_module", "no module was provided")
        package = parse_package(upload.file_name)
        if package is None or not upload.size:
            raise error_response(400, "invalid_module", "the package is empty or has a wrong name")
        if self._modules.has(package.module_name, package.version):
            raise error_response(400, "module_exists", "the module is in the system already")
        details: dict[str, object] = {
            "module_name": package.module_name,
            "version": package.version,
            "semantic_version": package.semantic_version,
            "display_name": package.module_name,
            "module_file": upload.file_name,
            "sha256": upload.sha256,
            "capabilities": [],
            "command_line_args": "",
            "dependencies": {},
            "is_bundled": False,
        }
        plan = self._planned_calls.take(request)
        module = self._modules.install(package, details, plan)
        assert module.installation is not None, "it was started"
        return web.json_response(module.to_json() | {"action_uid": module.installation.uid})

    async def _delete(self, request: web.Request) -> web.Response:
        module = self._find(request, user_defined=False)
        action = self._modules.delete(module, self._planned_calls.take(request))
        return web.json_response({"action_uid": action.uid})

    async def _define(self, request: web.Request) -> web.Response:
        """Add a user-defined module, which ends with the answer."""
        self._check_uploads()
        body = await read_object(request) or {}
        wrong = [name for name, kind in _REQUIRED.items() if type(body.get(name)) is not kind]
        if wrong:
            raise error_response(406, "invalid_module", f"missing or wrong: {', '.join(wrong)}")
        name, version = body["module_name"], body["version"]
        assert isinstance(name, str)
        assert isinstance(version, int)
        if self._modules.has(name, version):
            raise error_response(406, "module_exists", "the module is in the system already")
        details = {**{key: body[key] for key in _REQUIRED}, "is_bundled": False}
        return web.json_response(self._modules.define(name, version, details).to_json())

    async def _delete_user_defined(self, request: web.Request) -> web.Response:
        self._modules.forget(self._find(request, user_defined=True))
        return web.Response()

    async def _list_artifacts(self, _: web.Request) -> web.Response:
        return web.json_response([
            {"module_name": name, "version": version, "dependencies": []}
            for name, version in sorted(self._artifacts)
        ])  # fmt: skip

    async def _upload_artifact(self, request: web.Request) -> web.Response:
        """Store an artifact on this node alone."""
        self._check_uploads()
        upload = await read_upload(request, "module")
        if upload is None:
            raise error_response(400, "no_module", "no artifact was provided")
        package = parse_package(upload.file_name)
        if package is None or not upload.size:
            raise error_response(406, "invalid_module", "the artifact is empty or has a wrong name")
        self._artifacts.add((package.module_name, package.version))
        return web.Response()

    async def _delete_artifact(self, request: web.Request) -> web.Response:
        name, version = request.match_info["name"], parse_uid(request.match_info["version"])
        if version is None or (name, version) not in self._artifacts:
            raise error_response(404, "module_delete_failed", "no such artifact")
        self._artifacts.remove((name, version))
        return web.Response()

    def _find(self, request: web.Request, *, user_defined: bool) -> FakeModule:
        """Return the module of a path; answer 404 if there is none of that kind."""
        module = self._modules.find(request.match_info["uid"], user_defined=user_defined)
        if module is None:
            raise error_response(404, "module_delete_failed", "no such module")
        return module

    def _check_uploads(self) -> None:
        """Answer 403 unless the cluster allows uploads; from 8.2 on they are off by default."""
        if not self._settings.allow_modules_upload:
            raise error_response(403, "modules_upload_disabled", "uploads of modules are disabled")
