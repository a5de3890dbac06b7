"""`Scenario`: the document, and its reading from TOML or JSON."""

from __future__ import annotations

import tomllib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from redis_enterprise_actions.testing.server.tls import Certificates
from redis_enterprise_actions.testing.settings import Version

from .entries import (
    ActionEntry,
    BootstrapEntry,
    ChaosEntry,
    ClusterActionEntry,
    CrdbEntry,
    CrdbTaskEntry,
    DatabaseEntry,
    Entry,
    FaultEntry,
    NodeActionEntry,
    PlannedCallEntry,
    RestartEntry,
    TransferEntry,
    given,
)
from .errors import ScenarioError, place_of
from .repeated import repeated_name
from .values import Duration, Node, Port, Seconds, Seed, Speed, Text


if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

_VERSION: Final = 1
_MAX_BYTES: Final = 10_000_000
_LIKE_JSON: Final = "{"  # no TOML begins with it
# Fields that name an entry, and may do so once in a list.
_NAMES: Final = {
    "databases": "uid",
    "crdbs": "guid",
    "actions": "uid",
    "node_actions": "task_id",
    "crdb_tasks": "id",
}


class _Versioned(Struct):
    v: int


class ClusterTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `cluster` of a scenario: the arguments of `FakeCluster` but for the seed."""

    version: Version | UnsetType = UNSET
    username: Text | UnsetType = UNSET
    password: Text | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    nodes: Node | UnsetType = UNSET
    handle_redirects: bool | UnsetType = UNSET
    basic: bool | UnsetType = UNSET
    token_ttl: Duration | UnsetType = UNSET
    tls: Certificates | UnsetType = UNSET
    client_certificate: bool | UnsetType = UNSET
    lateness: Seconds | UnsetType = UNSET
    bootstrapped: bool | UnsetType = UNSET
    availability_delay: Seconds | UnsetType = UNSET
    sync_delay: Seconds | UnsetType = UNSET
    speed: Speed | UnsetType = UNSET
    starts_at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings and events of a `FakeCluster`, as a scenario file has them.

    Each list has entries with the arguments of one method of `FakeCluster`, and with `at`, the time
    in seconds after the start at which it is called, by default 0. `seed` is the argument of
    `FakeCluster`, and `cluster` has the others. `v` is the version of the format.
    """

    v: Literal[1]
    seed: Seed | UnsetType = UNSET
    cluster: ClusterTable = ClusterTable()
    databases: tuple[DatabaseEntry, ...] = ()
    crdbs: tuple[CrdbEntry, ...] = ()
    bootstraps: tuple[BootstrapEntry, ...] = ()
    plans: tuple[PlannedCallEntry, ...] = ()
    faults: tuple[FaultEntry, ...] = ()
    actions: tuple[ActionEntry, ...] = ()
    transfers: tuple[TransferEntry, ...] = ()
    crdb_tasks: tuple[CrdbTaskEntry, ...] = ()
    node_actions: tuple[NodeActionEntry, ...] = ()
    cluster_actions: tuple[ClusterActionEntry, ...] = ()
    restarts: tuple[RestartEntry, ...] = ()
    chaos: ChaosEntry | UnsetType = UNSET

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a scenario file, TOML or JSON. Raises `ScenarioError`."""
        source = str(path)
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - a path of any kind
                data = file.read(_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise ScenarioError(source, None, f"cannot be read: {error}") from error
        if len(data) > _MAX_BYTES:
            raise ScenarioError(source, None, f"is longer than {_MAX_BYTES} bytes")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise ScenarioError(source, None, f"is not UTF-8: {error}") from error
        return cls.parse(text, source=source)

    @classmethod
    def parse(cls, text: str, *, source: str = "scenario") -> Self:
        """Return the scenario in a text, TOML or, if it begins with a brace, JSON.

        Raises `ScenarioError`, whose message begins with `source`.
        """
        text = text.removeprefix("\ufeff")  # the byte order mark of editors on Windows
        repeated = None  # TOML refuses it by itself
        is_json = text.lstrip().startswith(_LIKE_JSON)
        try:
            if is_json:
                _check_version(msgspec.json.decode(text, type=_Versioned), source)
                scenario = msgspec.json.decode(text, type=cls)
                repeated = repeated_name(text)
            else:
                document = tomllib.loads(text)
                _check_version(msgspec.convert(document, type=_Versioned), source)
                scenario = msgspec.convert(document, type=cls)
        except ScenarioError:
            raise
        except msgspec.ValidationError as error:
            raise ScenarioError(source, *place_of(error)) from error
        except (ValueError, RecursionError) as error:
            kind = "JSON" if is_json else "TOML"
            raise ScenarioError(source, None, f"is not {kind}: {error}") from error
        if repeated is not None:
            raise ScenarioError(source, repeated, "the field is given twice")
        scenario.check(source)
        return scenario

    def settings(self) -> dict[str, Any]:
        """Return the arguments of `FakeCluster`."""
        seed = {} if self.seed is UNSET else {"seed": self.seed}
        return dict(given(self.cluster)) | seed

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield each entry with the name of its field, such as `$.actions[0]`.

        Entries come in an order in which each may depend on those before it.
        """
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Entry):
                yield f"$.{name}", value
            if isinstance(value, tuple):
                entries = cast("tuple[Entry, ...]", value)
                yield from ((f"$.{name}[{index}]", entry) for index, entry in enumerate(entries))

    def check(self, source: str, *, nodes: int | None = None) -> None:
        """Raise `ScenarioError` for two entries of one name, and for nodes that do not exist.

        `nodes` is the number of nodes if it is not that of the scenario.
        """
        if nodes is None:
            nodes = 1 if self.cluster.nodes is UNSET else self.cluster.nodes
        seen: set[tuple[str, object]] = set()
        for place, entry in self.entries():
            arguments = entry.arguments()
            _check_nodes(arguments, nodes, source, place)
            kind = place.removeprefix("$.").partition("[")[0]
            name = _NAMES.get(kind)
            if name not in arguments:
                continue
            if (kind, arguments[name]) in seen:
                problem = f"{arguments[name]} is the {name} of another entry"
                raise ScenarioError(source, f"{place}.{name}", problem)
            seen.add((kind, arguments[name]))


def _check_version(document: _Versioned, source: str) -> None:
    """Raise `ScenarioError` for another version, before any of its fields is read."""
    if document.v > _VERSION:
        problem = f"version {document.v} is newer than this package, which reads {_VERSION}"
        raise ScenarioError(source, "$.v", problem)
    if document.v != _VERSION:
        problem = f"version {document.v} is not one that this package reads, which is {_VERSION}"
        raise ScenarioError(source, "$.v", problem)


def _check_nodes(arguments: Mapping[str, Any], nodes: int, source: str, place: str) -> None:
    for name in ("node", "node_uid"):
        node = arguments.get(name)
        if node is not None and node > nodes:
            problem = f"there is no node {node}: the cluster has {nodes}"
            raise ScenarioError(source, f"{place}.{name}", problem)
