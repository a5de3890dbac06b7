"""Cache of the last list of /v1/actions, whose entries are decoded again only if they changed."""

from __future__ import annotations

from itertools import chain, compress, count
from operator import ne
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from redis_enterprise_actions._client.wire.actions import (
    WireAction,
    action_from_v1,
    split_families,
)
from redis_enterprise_actions._client.wire.lenient_json import decode_struct
from redis_enterprise_actions._client.wire.replies import log_skipped_entry


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from redis_enterprise_actions._model.action import Action, Kind
    from redis_enterprise_actions._model.reference import Reference

_decode: Final = msgspec.json.Decoder(WireAction).decode
_Entry: TypeAlias = "tuple[tuple[str, Action], ...]"  # one action for each uid of a list entry


class ListCache:
    """The entries of the last list for the references that are waited for.

    Several references may have the same uid. `actions` holds the listed references.
    """

    def __init__(self) -> None:
        self.actions: dict[Reference, Action] = {}
        self._reader = ActionListReader()
        self._wanted: AbstractSet[Reference] = frozenset()
        self._refs_by_uid: dict[str, list[Reference]] = {}
        self._uids: AbstractSet[str] = frozenset()

    def want(self, wanted: AbstractSet[Reference]) -> None:
        """Look for these references in lists; earlier ones are dropped when a new one appears."""
        if wanted <= self._wanted:
            return
        self._wanted = dict.fromkeys(wanted).keys()
        self._refs_by_uid = {}
        for ref in self._wanted:
            self._refs_by_uid.setdefault(ref.uid, []).append(ref)
        self._uids = frozenset(self._refs_by_uid)
        read = self._reader.actions
        self.actions = {ref: read[ref.uid] for ref in self._wanted if ref.uid in read}

    def update(self, body: bytes, path: str) -> dict[Reference, Action | None]:
        """Read a list; return the changed and new references, and those that are gone as None."""
        uids = self._reader.read(body, self._uids, path)
        read, refs = self._reader.actions, self._refs_by_uid
        gone = [ref for uid in uids if uid not in read for ref in refs.get(uid, ())]
        listed = {ref: read[uid] for uid in uids if uid in read for ref in refs.get(uid, ())}
        self.actions.update(listed)
        for ref in gone:
            del self.actions[ref]
        return {**listed, **dict.fromkeys(gone)}

    def unlisted_uids(self) -> set[str]:
        """Return the wanted uids that the last list does not show."""
        return {
            uid for uid, refs in self._refs_by_uid.items() if self.actions.keys().isdisjoint(refs)
        }

    def by_reference(self, actions: Iterable[Action]) -> dict[Reference, Action]:
        """Map actions with wanted uids to their references."""
        return {ref: action for action in actions for ref in self._refs_by_uid[action.uid]}


class ActionListReader:
    """Reader of successive lists of /v1/actions, which decodes only the entries that changed.

    `actions` maps uids (an `action_uid` or a `task_id`) to the wanted entries of the last list. It
    may also hold entries that were wanted earlier.
    """

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}
        # The entries of the last list as bytes and decoded; () where no uid was wanted.
        self._last: dict[Kind, tuple[Sequence[msgspec.Raw], list[_Entry]]] = {}
        self._wanted: AbstractSet[str] = frozenset()

    def read(self, body: bytes, wanted: AbstractSet[str], path: str) -> list[str]:
        """Read a list; return the uids that changed, appeared or disappeared since the last one.

        The `Action` of an entry is the same object as long as its bytes are the same, unless the
        entry changes its place in a list of unchanged length.
        """
        families = split_families(body, path)
        grown = not (wanted is self._wanted or wanted <= self._wanted)
        rebuild = grown or families.keys() != self._last.keys()
        self._wanted = wanted
        changed: list[str] = []
        last, self._last = self._last, {}
        for kind, raws in families.items():
            last_raws, entries = last.get(kind, ((), []))
            if grown or len(raws) != len(last_raws):
                known = {
                    bytes(raw): entry
                    for raw, entry in zip(last_raws, entries, strict=True)
                    if entry or not grown  # an entry that was not wanted may be wanted now
                }
                reusable = map(known.get, map(bytes, raws))
                entries = [
                    _decode_entry(raw, kind, wanted) if entry is None else entry
                    for raw, entry in zip(raws, reusable, strict=True)
                ]
                rebuild = True
            elif self._read_changed(raws, kind, last_raws, entries, changed):
                rebuild = True
            self._last[kind] = raws, entries
        if rebuild:
            before = self.actions
            # Reversed, as of two entries with one uid the first counts.
            read = reversed([entries for _, entries in self._last.values()])
            self.actions = dict(chain.from_iterable(chain.from_iterable(map(reversed, read))))
            changed += [uid for uid, now in self.actions.items() if before.get(uid) is not now]
            changed += before.keys() - self.actions.keys()
        return changed

    def _read_changed(
        self,
        raws: Sequence[msgspec.Raw],
        kind: Kind,
        last_raws: Sequence[msgspec.Raw],
        entries: list[_Entry],
        changed: list[str],
    ) -> bool:
        """Decode the entries whose bytes changed in place; return True if a uid changed, too."""
        actions, moved = self.actions, False
        for place in compress(count(), map(ne, raws, last_raws)):
            before, now = entries[place], _decode_entry(raws[place], kind, self._wanted)
            entries[place] = now
            moved = moved or len(before) != len(now)
            for (old_uid, old_action), (uid, action) in zip(before, now, strict=False):
                if old_uid != uid:
                    moved = True
                elif actions[uid] is old_action:  # of two entries with one uid the first counts
                    actions[uid] = action
                    changed.append(uid)
        return moved


def _decode_entry(raw: msgspec.Raw, kind: Kind, wanted: AbstractSet[str]) -> _Entry:
    """Decode a list entry: an action for each of its uids, or () if none of them is wanted."""
    try:
        wire = _decode(raw)
    except (ValueError, RecursionError):
        try:
            wire = decode_struct(raw, WireAction)
        except ValueError:
            log_skipped_entry()
            return ()
    uid, task_id = wire.action_uid, wire.task_id
    if uid is not None and (task_id is None or task_id == uid):  # the usual case
        return ((uid, action_from_v1(wire, uid, kind)),) if uid in wanted else ()
    uids = {uid, task_id}
    if wanted.isdisjoint(uids):
        return ()
    return tuple([(each, action_from_v1(wire, each, kind)) for each in uids if each])
