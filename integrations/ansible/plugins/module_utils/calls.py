"""Calls that a task makes: a request by its method and path, or a method of a resource by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redis_enterprise_actions.sync import Cluster, Crdbs, Databases, Nodes, Shards, UsageError


if TYPE_CHECKING:
    from redis_enterprise_actions.sync import ActionsClient, Operation


RESOURCES = {
    "databases": Databases,
    "nodes": Nodes,
    "cluster": Cluster,
    "shards": Shards,
    "crdbs": Crdbs,
}
# Arguments of every call, which are options of the module
_SHARED = frozenset({
    *("params", "headers", "busy_timeout", "outage_timeout", "request_timeout", "untracked"),
})  # fmt: skip
_UID = re.compile(r"(?:bdb|node)_uid|guid")
_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# Where calls by method and path take `dry_run` from; see the documentation of each
_DRY_IN_QUERY = (
    ("POST", re.compile(r"/v[12]/bdbs")),
    ("PUT", re.compile(r"/v\d/bdbs/\d+")),
    ("PUT", re.compile(r"/v\d/bdbs/\d+/actions/(?:rebalance|revamp)")),
    ("POST", re.compile(r"/v1/crdbs(?:/[^/]+/updates)?")),
)
_DRY_IN_BODY = (("POST", re.compile(r"/v1/shards/(?:\d+/)?actions/(?:migrate|failover)")),)


class Call(NamedTuple):
    """Call that starts work.

    A named call has a `resource`, a `name` (that of the Python method) and `arguments`; any other
    one has a `method`, a `path` and a `json` body.
    """

    resource: str = ""
    name: str = ""
    arguments: Mapping[str, Any] = {}
    method: str = ""
    path: str = ""
    json: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None
    headers: Mapping[str, str] | None = None

    @property
    def title(self) -> str:
        """The call in one line, without its body: `POST /v1/bdbs`, `databases.upgrade of 1`."""
        if not self.resource:
            return f"{self.method} {self.path}"
        name = f"{self.resource}.{self.name.strip('_')}"
        uid = next((v for key, v in self.arguments.items() if _UID.fullmatch(key)), None)
        uid = self.arguments.get("node") if uid is None else uid
        return name if uid is None else f"{name} of {uid}"

    @property
    def is_dry(self) -> bool:
        """True for a call that starts nothing."""
        given = [self.arguments, self.params or {}, self.json or {}]
        words = [str(each["dry_run"]).casefold() for each in given if "dry_run" in each]
        return any(word in {"true", "1", "yes", ""} for word in words)

    @property
    def dry(self) -> Call | None:
        """The same call as a dry run, or None if the API has none."""
        if self.resource:
            has_dry_run = "dry_run" in parameters_of(self.resource, self.name)
            return (
                self._replace(arguments={**self.arguments, "dry_run": True})
                if has_dry_run
                else None
            )
        if self._is_in(_DRY_IN_QUERY):
            return self._replace(params={**(self.params or {}), "dry_run": True})
        if self._is_in(_DRY_IN_BODY):
            return self._replace(json={**(self.json or {}), "dry_run": True})
        return None

    def _is_in(self, rows: tuple[tuple[str, re.Pattern[str]], ...]) -> bool:
        return any(self.method == method and path.fullmatch(self.path) for method, path in rows)

    def submit(self, client: ActionsClient, **settings: Any) -> Operation:  # noqa: ANN401
        """Make the call, and return the `Operation`. Raises the errors of the client."""
        settings = {**settings, "params": self.params, "headers": self.headers}
        if self.resource:
            method = getattr(getattr(client, self.resource), self.name)
            started: Operation = method(**self.arguments, **settings)
            return started
        return client.submit(self.method, self.path, self.json, **settings)


def call_names() -> list[str]:
    """Return the names of all named calls."""
    return [
        f"{resource}.{name.strip('_')}"
        for resource, cls in RESOURCES.items()
        for name, method in vars(cls).items()
        if _starts_work(method)
    ]


def parameters_of(resource: str, name: str) -> dict[str, inspect.Parameter]:
    """Return the arguments of a named call, without those that all calls share."""
    parameters = inspect.signature(getattr(RESOURCES[resource], name)).parameters
    return {key: each for key, each in parameters.items() if key not in _SHARED | {"self"}}


def named_call(name: str, arguments: Mapping[str, Any]) -> Call:
    """Return a named call, such as `databases.upgrade`. Raises `UsageError`, before any request.

    `uid` stands for the first argument that is a uid: `bdb_uid`, `node_uid` or `guid`.
    """
    resource, _, word = name.strip().replace("-", "_").partition(".")
    method = word.rstrip("_") + ("_" if word.rstrip("_") == "import" else "")
    if resource not in RESOURCES or not _starts_work(vars(RESOURCES[resource]).get(method)):
        raise UsageError(f"call={name!r:.100} is none of {', '.join(call_names())}")
    parameters = parameters_of(resource, method)
    given = dict(arguments)
    own_uid = next((each for each in parameters if _UID.fullmatch(each)), None)
    title = f"{resource}.{method.strip('_')}"
    if own_uid is not None and "uid" in given:
        if own_uid in given:
            raise UsageError(f"{title} has two arguments for one uid: uid and {own_uid}")
        given[own_uid] = given.pop("uid")
    unknown = [each for each in given if each not in parameters]
    if unknown:
        known = ", ".join(parameters)
        raise UsageError(f"{title} has no argument {', '.join(unknown)}: it takes {known}")
    missing = [
        each
        for each, parameter in parameters.items()
        if parameter.default is parameter.empty and given.get(each) is None
    ]
    if missing:
        raise UsageError(f"{title} needs the argument {', '.join(missing)}")
    values = {
        each: _value(given[each], str(parameter.annotation), f"{title}: {each}")
        for each, parameter in parameters.items()
        if given.get(each) is not None
    }
    return Call(resource=resource, name=method, arguments=values)


def _starts_work(method: object) -> bool:
    """Return True for the method of a resource that makes a call."""
    return inspect.isfunction(method) and inspect.signature(method).parameters.keys() >= _SHARED


def _value(value: Any, annotation: str, name: str) -> Any:  # noqa: ANN401 - what YAML has
    """Return a value as the client takes it: templates of Ansible often make text of numbers."""
    kind = annotation.removesuffix(" | None")
    if kind.startswith("Mapping[") and not isinstance(value, Mapping):
        raise UsageError(f"{name} has to be a dictionary of settings")
    if kind.startswith("Iterable[") and not isinstance(value, (list, tuple)):
        raise UsageError(f"{name} has to be a list")
    if kind in {"int", "int | str"} and isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return int(value)
    if kind == "bool" and not isinstance(value, bool):
        if str(value).casefold() not in _SWITCHES:
            raise UsageError(f"{name}={value!r:.100} is neither true nor false")
        return _SWITCHES[str(value).casefold()]
    return value
