"""Modules of the fake cluster, as functions of time, and artifacts of them on its nodes.

Vendor pages: requests/modules, requests/modules/user-defined, objects/module. The fake reads a
module's name and version in the name of its package ("rejson.Linux-ubuntu18.04-x86_64.2.0.8.zip"),
not inside of it. There are no bundled modules. The name of the task that deletes a module is a
guess; that of the installation was seen on clusters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from .actions import SUCCESSES, start_action


if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis_enterprise_actions.testing.clock import Clock
    from redis_enterprise_actions.testing.identifiers import Identifiers

    from .actions import FakeAction, Plan

_PACKAGE: Final = re.compile(r"([^.]+)(?:\..*)?\.(?:zip|so)")
_VERSION: Final = re.compile(r"(?<!\d)(\d{1,4})\.(\d{1,4})\.(\d{1,4})\.(?:zip|so)$")
_UNFINISHED: Final = frozenset({"queued", "running"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """Name and version of a module, as the name of its package has them."""

    module_name: str
    version: int
    semantic_version: str


def parse_package(file_name: str) -> Package | None:
    """Return what the name of a package tells, or None if it is no package's name.

    A name without a version is that of 0.0.1.
    """
    match = _PACKAGE.fullmatch(file_name)
    if match is None:
        return None
    found = _VERSION.search(file_name)
    major, minor, patch = map(int, found.groups()) if found else (0, 0, 1)
    return Package(
        module_name=match[1],
        version=major * 10_000 + minor * 100 + patch,  # 1.2.1 is 10201
        semantic_version=f"{major}.{minor}.{patch}",
    )


@dataclass(kw_only=True, slots=True)
class FakeModule:
    """A module; one that is user-defined has no `installation`.

    `details` are the fields of its object but for the `uid`.
    """

    uid: str
    module_name: str
    version: int
    details: Mapping[str, object]
    installation: FakeAction | None = None
    deletion: FakeAction | None = None

    def is_installed(self, now: float) -> bool:
        """Return True if the cluster lists the module."""
        return (self.installation is None or _has_succeeded(self.installation, now)) and not (
            self.deletion is not None and _has_succeeded(self.deletion, now)
        )

    def is_in_use(self, now: float) -> bool:
        """Return True if the cluster has the module, or installs it."""
        installing = self.installation is not None and self.installation.status(now) in _UNFINISHED
        return installing or self.is_installed(now)

    def to_json(self) -> dict[str, object]:
        return {"uid": self.uid, **self.details}


class ModuleRegistry:
    """Registry of the modules; the tasks that it starts are added to `actions`."""

    def __init__(
        self, clock: Clock, identifiers: Identifiers, actions: dict[str, FakeAction]
    ) -> None:
        self._clock = clock
        self._identifiers = identifiers
        self._actions = actions
        self._modules: dict[str, FakeModule] = {}
        self.artifacts: dict[int, set[tuple[str, int]]] = {}  # names and versions, by node

    def list_installed(self) -> list[FakeModule]:
        now = self._clock.now()
        return [module for module in self._modules.values() if module.is_installed(now)]

    def find(self, uid: str) -> FakeModule | None:
        """Return the module that is installed under a uid, or None."""
        module = self._modules.get(uid)
        return module if module is not None and module.is_installed(self._clock.now()) else None

    def has(self, module_name: str, version: int) -> bool:
        """Return True if a module of that name and version is installed, or being installed."""
        now = self._clock.now()
        return any(
            (module.module_name, module.version) == (module_name, version) and module.is_in_use(now)
            for module in self._modules.values()
        )

    def install(self, package: Package, details: Mapping[str, object], plan: Plan) -> FakeModule:
        """Start the installation of a package; the module exists when that has completed."""
        uid = self._identifiers.hex(32)
        module = FakeModule(
            uid=uid,
            module_name=package.module_name,
            version=package.version,
            details=details,
            installation=self._start("module_installation", uid, plan),
        )
        self._modules[uid] = module
        return module

    def define(self, module_name: str, version: int, details: Mapping[str, object]) -> FakeModule:
        """Add a user-defined module at once."""
        module = FakeModule(
            uid=self._identifiers.hex(32), module_name=module_name, version=version, details=details
        )
        self._modules[module.uid] = module
        return module

    def delete(self, module: FakeModule, plan: Plan) -> FakeAction:
        """Start the deletion of a module, unless one is under way, and return that task."""
        if module.deletion is None or module.deletion.status(self._clock.now()) not in _UNFINISHED:
            module.deletion = self._start("module_deletion", module.uid, plan)
        return module.deletion

    def forget(self, module: FakeModule) -> None:
        """Delete a user-defined module at once."""
        del self._modules[module.uid]

    def _start(self, name: str, module_uid: str, plan: Plan) -> FakeAction:
        action = start_action(
            name, plan, uid=self._identifiers.uuid(), now=self._clock.now(), kind="task"
        )
        action = replace(action, module_uid=module_uid)
        self._actions[action.uid] = action
        return action


def _has_succeeded(action: FakeAction, now: float) -> bool:
    return action.outcome in SUCCESSES and action.ends_at <= now
