"""References: names of the work that a wait follows, as text that outlives the process."""

from __future__ import annotations

import enum
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from .errors import UsageError
from .unawaited import refuse_unawaited


if TYPE_CHECKING:
    from collections.abc import Mapping


class ReferenceKind(enum.StrEnum):
    """Kind of object whose status tells the state of the work, as spelled in references."""

    ACTION = "action"
    NODE = "node"
    CLUSTER = "cluster"
    CRDB = "crdb"
    EXPORT = "export"
    IMPORT = "import"
    BACKUP = "backup"
    BDB = "bdb"
    BOOTSTRAP = "bootstrap"

    __hash__ = str.__hash__  # of C code, unlike that of enums; references are keys of many dicts


class Condition(enum.StrEnum):
    """State that a wait can be for, as spelled in the run of a reference: `bdb:1@available`."""

    AVAILABLE = "available"  # a database that serves requests
    IN_SYNC = "in-sync"  # a database whose Replica Of sources are all in sync
    REPLICATING = "replicating"  # an Active-Active database whose links are all up
    QUIET = "quiet"  # a cluster on which no work is under way
    HEALTHY = "healthy"  # a cluster that may be upgraded, node by node
    IDLE = "idle"  # a node that answers, and whose bootstrap has not begun


class ListKind(enum.StrEnum):
    """List that one request can fetch. The value is its name in messages."""

    ACTIONS = "actions"
    NODES = "node actions"
    CLUSTER = "cluster actions"
    CRDBS = "CRDB tasks"
    BDBS = "databases"
    BOOTSTRAPS = "bootstraps"  # this and the next two are asked for one by one
    CRDB_HEALTH = "health reports"
    CLUSTER_STATE = "states of the cluster"


# Kinds without a list: each reference is asked for alone.
WITHOUT_LIST: Final = frozenset({
    ListKind.BOOTSTRAPS,
    ListKind.CRDB_HEALTH,
    ListKind.CLUSTER_STATE,
})  # fmt: skip

_LIST_KINDS: Final[Mapping[ReferenceKind, ListKind]] = MappingProxyType({
    ReferenceKind.ACTION: ListKind.ACTIONS,
    ReferenceKind.NODE: ListKind.NODES,
    ReferenceKind.CLUSTER: ListKind.CLUSTER,
    ReferenceKind.CRDB: ListKind.CRDBS,
    ReferenceKind.EXPORT: ListKind.BDBS,
    ReferenceKind.IMPORT: ListKind.BDBS,
    ReferenceKind.BACKUP: ListKind.BDBS,
    ReferenceKind.BDB: ListKind.BDBS,
    ReferenceKind.BOOTSTRAP: ListKind.BOOTSTRAPS,
})  # fmt: skip
_CONDITION_LISTS: Final[Mapping[Condition, ListKind]] = MappingProxyType({
    Condition.AVAILABLE: ListKind.BDBS,
    Condition.IN_SYNC: ListKind.BDBS,
    Condition.REPLICATING: ListKind.CRDB_HEALTH,
    Condition.QUIET: ListKind.CLUSTER_STATE,
    Condition.HEALTHY: ListKind.CLUSTER_STATE,
    Condition.IDLE: ListKind.BOOTSTRAPS,
})  # fmt: skip

TRANSFERS: Final = frozenset({ReferenceKind.EXPORT, ReferenceKind.IMPORT, ReferenceKind.BACKUP})

# Words that the run of a database's reference can begin with. All but the first are followed by the
# failures that the database had before the call.
GONE: Final = "gone"  # the database is being deleted
AFTER: Final = "after"  # a call changed it
BUSY: Final = "busy"  # likewise, and something was being done to it before the call
UNCHANGED: Final = "unchanged"  # likewise, and the answer to the call was the settled database
LOST: Final = "lost"  # the answer to the call was lost, so the cluster may not have executed it
LOST_BUSY: Final = "lost-busy"  # likewise, and something was being done to it before the call
_CALLS: Final = frozenset({AFTER, BUSY, UNCHANGED, LOST, LOST_BUSY})

_OPAQUE_UIDS: Final = frozenset({ReferenceKind.ACTION, ReferenceKind.CRDB})
_NUMBER: Final = r"\d{1,18}"
_RUN: Final = r"(?:@(?P<run>(?s:.+)))?"
_KNOWN_FAILURE: Final = r"(?:,[\w.+-]+)?"
_DATABASE_RUN: Final = (
    rf"{GONE}(?:,{AFTER}{_KNOWN_FAILURE})?"
    rf"|(?:{AFTER}|{BUSY}|{UNCHANGED}|{LOST}|{LOST_BUSY}){_KNOWN_FAILURE}"
)
# The node's bootstrap before the call: its state, and when it began, as far as known
_BOOTSTRAP_RUN: Final = rf"(?:{AFTER}|{LOST})(?:,[\w.+-]*)*"
_HOST: Final = r"(?:\[[\w.:%]+\]|[\w.-]+)(?::\d{1,5})?"
# Runs that are a condition, with its settings
_AVAILABLE: Final = r"available(?:,lag(?:=\d{1,9})?)?"
_NODE: Final = r"[1-9]\d{0,17}"
_HEALTHY: Final = rf"healthy(?:,ignore={_NODE}(?:\+{_NODE})*)?"
_OTHER: Final = rf"{_HOST}(?:~{_NUMBER})?"  # the number of the client, from the second one on
_REPLICATING: Final = rf"replicating(?:,with={_OTHER}(?:\+{_OTHER})*)?"
_PATTERNS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({
    kind: re.compile(pattern, re.ASCII)
    for kind, pattern in {
        ReferenceKind.ACTION: rf"(?P<uid>(?s:.+?))(?:@(?P<run>bdb:{_NUMBER}))?",
        ReferenceKind.NODE: rf"(?P<uid>{_NUMBER}/[a-z_]+){_RUN}",
        ReferenceKind.CLUSTER: rf"(?P<uid>[a-z_]+){_RUN}",
        ReferenceKind.CRDB: rf"(?P<uid>(?s:.+?))(?:@(?P<run>{_REPLICATING}))?",
        ReferenceKind.EXPORT: rf"(?P<uid>{_NUMBER}){_RUN}",
        ReferenceKind.IMPORT: rf"(?P<uid>{_NUMBER}){_RUN}",
        ReferenceKind.BACKUP: rf"(?P<uid>{_NUMBER}){_RUN}",
        ReferenceKind.BDB: (
            rf"(?P<uid>{_NUMBER})(?:@(?P<run>{_DATABASE_RUN}|{_AVAILABLE}|in-sync))?"
        ),
        ReferenceKind.BOOTSTRAP: rf"(?P<uid>{_HOST})(?:@(?P<run>idle|{_BOOTSTRAP_RUN}))?",
    }.items()
})  # fmt: skip
# References without a uid: the cluster, and the node that the client's URL names
_WITHOUT_UID: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({
    kind: re.compile(pattern, re.ASCII)
    for kind, pattern in {
        ReferenceKind.CLUSTER: rf"@(?P<run>quiet|{_HEALTHY})",
        ReferenceKind.BOOTSTRAP: rf"(?:@(?P<run>idle|{_BOOTSTRAP_RUN}))?",
    }.items()
})  # fmt: skip
_CONDITIONS: Final = MappingProxyType({condition.value: condition for condition in Condition})
_CONDITION_KINDS: Final[Mapping[Condition, ReferenceKind]] = MappingProxyType({
    Condition.AVAILABLE: ReferenceKind.BDB,
    Condition.IN_SYNC: ReferenceKind.BDB,
    Condition.REPLICATING: ReferenceKind.CRDB,
    Condition.QUIET: ReferenceKind.CLUSTER,
    Condition.HEALTHY: ReferenceKind.CLUSTER,
    Condition.IDLE: ReferenceKind.BOOTSTRAP,
})  # fmt: skip
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INVALID_UID: Final = re.compile("\\.{1,2}|.*[\ud800-\udfff].*", re.DOTALL)  # not for a URL path
_SHAPES: Final = (
    "action:UID, node:UID/ACTION, cluster:ACTION, crdb:ID, export:BDB, import:BDB, backup:BDB, "
    "bdb:UID, bdb:UID@gone and bootstrap; bdb:UID@available, bdb:UID@in-sync, "
    "crdb:GUID@replicating, cluster@quiet, cluster@healthy and bootstrap@idle"
)


class Reference(msgspec.Struct, frozen=True, gc=False):
    """Name of one piece of work: `kind:uid`, or `kind:uid@run` where runs must be distinguished.

    A state that a wait can be for has the same shape, with a `Condition` and its settings as `run`.
    `uid` is empty for the cluster as a whole, and for the bootstrap of the node that the client's
    URL names. Otherwise `run` depends on the kind:

    - action: the database that the action deletes (`bdb:1`), or empty. The cluster forgets the
      action together with the database.
    - node, cluster: the `task_id` of the run, and the state before the call.
    - export, import, backup: the result before the call, and the time of the call.
    - bdb: empty, or `gone`, `after`, `busy`, `unchanged`, `lost` or `lost-busy`, and the failures
      before the call.
    - bootstrap: empty, or `after` or `lost`, and the bootstrap before the call.
    """

    kind: ReferenceKind
    uid: str
    run: str = ""

    @property
    def condition(self) -> Condition | None:
        """The state that the reference stands for, or None if it names work."""
        condition = _CONDITIONS.get(self.run.partition(",")[0])
        if condition is None or _CONDITION_KINDS[condition] is not self.kind:
            return None
        return None if self.kind is ReferenceKind.CLUSTER and self.uid else condition

    @property
    def settings(self) -> str:
        """The settings of the condition: `lag=100`, `ignore=2+3`, `with=HOST+HOST` or empty."""
        return self.run.partition(",")[2]

    @property
    def list_kind(self) -> ListKind:
        """The list that holds the work."""
        if self.run and (condition := self.condition) is not None:
            return _CONDITION_LISTS[condition]
        return _LIST_KINDS[self.kind]

    @property
    def name(self) -> str:
        """The name in errors, which is the `uid` of the `Action`."""
        if self.condition is not None:
            return str(self)
        if not self.uid:
            return self.kind.value
        return self.uid if self.kind in _OPAQUE_UIDS else f"{self.kind}:{self.uid}"

    @property
    def numeric_uid(self) -> int:
        """The uid of the node or database."""
        return int(self.uid.partition("/")[0])

    @property
    def action_name(self) -> str:
        """The name of the node's or the cluster's action, as in URL paths."""
        return self.uid.rpartition("/")[2]

    @property
    def is_of_one_node(self) -> bool:
        """Return True if one node alone can answer, whatever the others do."""
        return self.kind is ReferenceKind.BOOTSTRAP

    @property
    def asks_others(self) -> bool:
        """Return True if other clusters are asked as well, whose failures are not this one's."""
        return self.condition is Condition.REPLICATING and bool(self.settings)

    @property
    def is_deletion(self) -> bool:
        """Return True if the work is the deletion of a database."""
        return self.run.partition(",")[0] == GONE

    @property
    def busy_before(self) -> bool:
        """Return True if something was being done to the database before the call."""
        return self.run.partition(",")[0] in {BUSY, LOST_BUSY}

    @property
    def unchanged(self) -> bool:
        """Return True if the answer to the call showed the database as settled."""
        return self.run.partition(",")[0] == UNCHANGED

    @property
    def may_not_have_begun(self) -> bool:
        """Return True if the cluster may not have executed the call that changes the database."""
        return self.run.partition(",")[0] in {LOST, LOST_BUSY}

    @property
    def known_failure(self) -> str | None:
        """The failures of the database before the call: empty for none, None if not known."""
        call, comma, known = self.run.removeprefix(f"{GONE},").partition(",")
        is_known = call in _CALLS and (call != LOST_BUSY or comma)
        return known if is_known else None

    def __str__(self) -> str:
        uid = f":{self.uid}" if self.uid else ""
        return f"{self.kind}{uid}" + (f"@{self.run}" if self.run else "")


def action_uid(text: str) -> str:
    """Return the uid of an action, without blanks around it, as the cluster writes it.

    The cluster writes UUIDs in lower case. Any other uid is kept as it is.
    """
    uid = text.strip()
    return uid.lower() if _UUID.fullmatch(uid) else uid


def parse_reference(text: str) -> Reference:
    """Parse a reference: `action:UID` or a bare uid, `node:1/maintenance_on`, `export:3` ...

    The id of a task of an Active-Active database keeps its case, as the caller may have chosen it
    (X-Task-ID). Raises `UsageError`.
    """
    if not isinstance(text, str):
        refuse_unawaited(text)
        raise UsageError(f"{text!r} is not a reference such as action:UID or crdb:ID")
    if (without_uid := _parse_without_uid(text.strip())) is not None:
        return without_uid
    word, colon, rest = text.partition(":")
    if not colon:
        word, rest = ReferenceKind.ACTION.value, text
    word = word.strip()
    pattern = _PATTERNS.get(word)
    match = pattern.fullmatch(rest.strip()) if pattern else None
    is_incomplete = not colon and rest.strip().partition("@")[0] in _WITHOUT_UID
    if match is None or is_incomplete or _INVALID_UID.fullmatch(match["uid"]):
        raise UsageError(f"{text!r} is not a reference: there are {_SHAPES}")
    kind, uid = ReferenceKind(word), match["uid"]
    return Reference(
        kind, action_uid(uid) if kind is ReferenceKind.ACTION else uid, match["run"] or ""
    )


def _parse_without_uid(text: str) -> Reference | None:
    """Parse `cluster@healthy`, `bootstrap` and the like; return None for any other text."""
    for kind, pattern in _WITHOUT_UID.items():
        match = pattern.fullmatch(text.removeprefix(kind)) if text.startswith(kind) else None
        if match is not None:
            return Reference(ReferenceKind(kind), "", match["run"] or "")
    return None


def is_reference(text: str) -> bool:
    """Return True for a text that begins like a reference: `node:`, `crdb:`, `cluster@` ..."""
    word, colon, _ = text.partition(":")
    if colon and word.strip() in _PATTERNS:
        return True
    return text.strip().partition("@")[0] in _WITHOUT_UID
