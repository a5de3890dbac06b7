"""What is waited for: one of the ways in which the API tracks long work, and what it is there.

Knows how such a thing is written down in one line of text, which survives the process.
"""

from __future__ import annotations

import enum
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from .errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Mapping


class ReferenceKind(enum.StrEnum):
    """What tells how work goes, in the spelling of references."""

    ACTION = "action"
    NODE = "node"
    CLUSTER = "cluster"
    CRDB = "crdb"
    EXPORT = "export"
    IMPORT = "import"
    BACKUP = "backup"
    BDB = "bdb"


class ListKind(enum.StrEnum):
    """What can be asked about with one list request; the values are for people."""

    ACTIONS = "actions"
    NODES = "node actions"
    CLUSTER = "cluster actions"
    CRDBS = "CRDB tasks"
    BDBS = "databases"


_LIST_KINDS: Final[Mapping[ReferenceKind, ListKind]] = MappingProxyType({
    ReferenceKind.ACTION: ListKind.ACTIONS,
    ReferenceKind.NODE: ListKind.NODES,
    ReferenceKind.CLUSTER: ListKind.CLUSTER,
    ReferenceKind.CRDB: ListKind.CRDBS,
    ReferenceKind.EXPORT: ListKind.BDBS,
    ReferenceKind.IMPORT: ListKind.BDBS,
    ReferenceKind.BACKUP: ListKind.BDBS,
    ReferenceKind.BDB: ListKind.BDBS,
})  # fmt: skip

GONE: Final = "gone"  # of a database whose end is awaited
AFTER: Final = "after"  # what follows is what was known before the call
BUSY: Final = "busy"  # likewise, of a database to which something was being done already
LOST: Final = "lost"  # likewise, of a call whose answer was lost: it may not have been taken
UNCHANGED: Final = "unchanged"  # likewise, of a call which was answered with the settled database
TRANSFERS: Final = frozenset({ReferenceKind.EXPORT, ReferenceKind.IMPORT, ReferenceKind.BACKUP})

_OPAQUE_UIDS: Final = frozenset(
    {ReferenceKind.ACTION, ReferenceKind.CRDB}
)  # whose uids may hold anything
_NUMBER: Final = r"\d{1,18}"
_DELETE: Final = re.compile(rf"(?P<uid>(?s:.+))@(?P<run>bdb:{_NUMBER})", re.ASCII)
_RUN: Final = r"(?:@(?P<run>(?s:.+)))?"
_NODE: Final = re.compile(rf"(?P<uid>{_NUMBER}/[a-z_]+){_RUN}", re.ASCII)
_CLUSTER: Final = re.compile(rf"(?P<uid>[a-z_]+){_RUN}", re.ASCII)
_DATABASE: Final = re.compile(rf"(?P<uid>{_NUMBER}){_RUN}", re.ASCII)
_KNOWN_FAILURE: Final = r"(?:,[\w.+-]+)?"  # failures that were there before
_DATABASE_RUN: Final = re.compile(
    rf"{GONE}(?:,{AFTER}{_KNOWN_FAILURE})?|(?:{AFTER}|{BUSY}|{UNCHANGED}){_KNOWN_FAILURE}", re.ASCII
)
_INVALID_UID: Final = re.compile("\\.{0,2}|.*[\ud800-\udfff].*", re.DOTALL)  # what no path can name


class Reference(msgspec.Struct, frozen=True, cache_hash=True):
    """What is waited for.

    `run` tells it from other runs of the same, where there are such: the `task_id` of a node's
    action, and what was there before the call; how a database stood before its export, and when
    that was called for. Of a database it is empty, or `gone` where it is to be deleted; where it
    was called for, there is `after`, `busy` or `unchanged`, and the failures that were there.
    Of an action it is empty, or the database that it deletes: with that, the cluster forgets the
    action.
    """

    kind: ReferenceKind
    uid: str
    run: str = ""

    @property
    def list_kind(self) -> ListKind:
        """What one has to ask, and who is asked about together."""
        return _LIST_KINDS[self.kind]

    @property
    def name(self) -> str:
        """What it is called in errors, and the `uid` of its `Action`."""
        return self.uid if self.kind in _OPAQUE_UIDS else f"{self.kind}:{self.uid}"

    @property
    def numeric_uid(self) -> int:
        """The uid of the node or database."""
        return int(self.uid.partition("/")[0])

    @property
    def action_name(self) -> str:
        """The name of the node's or the cluster's action, as it is in paths."""
        return self.uid.rpartition("/")[2]

    @property
    def is_deletion(self) -> bool:
        """True if it is the deletion of a database that is waited for."""
        return self.run.partition(",")[0] == GONE

    @property
    def busy_before(self) -> bool:
        """True if something was being done to the database before the call."""
        return self.run.partition(",")[0] == BUSY

    @property
    def unchanged(self) -> bool:
        """True if the database was answered as settled by the call that was to change it."""
        return self.run.partition(",")[0] == UNCHANGED

    @property
    def known_failure(self) -> str | None:
        """The failures that a database had before the call: empty for none, None if not known."""
        run = self.run.removeprefix(f"{GONE},")
        call, _, known = run.partition(",")
        return known if call in {AFTER, BUSY, UNCHANGED} else None

    def __str__(self) -> str:
        return f"{self.kind}:{self.uid}" + (f"@{self.run}" if self.run else "")


def parse_reference(text: str) -> Reference:
    """Read a reference: `action:UID` or a bare uid, `node:1/maintenance_on`, `export:3` ..."""
    if not isinstance(text, str):
        raise UsageError(f"{text!r} is not a reference such as action:UID or crdb:ID")
    word, colon, rest = text.partition(":")
    track = _KINDS.get(word) if colon else ReferenceKind.ACTION
    ref = None if track is None else _read(track, rest if colon else text)
    if ref is None:
        raise UsageError(f"{text!r} is not a reference: there are {_SHAPES}")
    return ref


def _read(track: ReferenceKind, rest: str) -> Reference | None:
    """Return what follows the colon as a reference, or None if it is none."""
    if track in _OPAQUE_UIDS:
        delete = _DELETE.fullmatch(rest) if track is ReferenceKind.ACTION else None
        uid, run = (delete["uid"], delete["run"]) if delete else (rest, "")
        return None if _INVALID_UID.fullmatch(uid) else Reference(track, uid, run)
    match = _PATTERNS.get(track, _DATABASE).fullmatch(rest)
    if match is None:
        return None
    run = match["run"] or ""
    if track is ReferenceKind.BDB and run and not _DATABASE_RUN.fullmatch(run):
        return None
    return Reference(track, match["uid"], run)


_PATTERNS: Final = {ReferenceKind.NODE: _NODE, ReferenceKind.CLUSTER: _CLUSTER}
_KINDS: Final = {track.value: track for track in ReferenceKind}
_SHAPES: Final = (
    "action:UID, node:UID/ACTION, cluster:ACTION, crdb:ID, export:BDB, import:BDB, backup:BDB, "
    "bdb:UID and bdb:UID@gone"
)
