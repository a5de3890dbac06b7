"""Cache of the last list of /v1/actions, which finds what the next list changes."""

from __future__ import annotations

from itertools import chain, compress, count, filterfalse, islice
from operator import ne
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from redis_enterprise_actions._client.wire.actions import (
    WireAction,
    WireStatus,
    to_action,
)
from redis_enterprise_actions._client.wire.lenient_json import decode_struct
from redis_enterprise_actions._client.wire.replies import log_skipped_entry
from redis_enterprise_actions._model.action import Kind, Phase, phase_of


if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    from redis_enterprise_actions._client.protocols import Wanted
    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.reference import Reference

_decode_status: Final = msgspec.json.Decoder(WireStatus).decode
_decode_action: Final = msgspec.json.Decoder(WireAction).decode
_BROKEN: Final = WireStatus("")
_S = TypeVar("_S", bound=msgspec.Struct)


class ListEntry(msgspec.Struct, frozen=True, gc=False):
    """Entry of a list of /v1/actions, under one of its uids.

    `raw` keeps the whole list in memory, so an entry must not outlive the handling of the list.
    """

    uid: str
    kind: Kind
    status: str
    phase: Phase
    raw: msgspec.Raw

    def read(self) -> Action:
        """Decode the entry."""
        try:
            wire = _decode_action(self.raw)
        except (ValueError, RecursionError):
            wire = _decode_leniently(self.raw, WireAction, WireAction(self.status))
        return to_action(wire, self.uid, self.kind, self.raw)


class ListCache:
    """The last list, and the references that are wanted from it.

    An entry is found by its `action_uid` and by its `task_id`; of two entries with one uid the
    first counts. Several references may have the same uid. `missing` has the wanted references
    that the last list does not show; of these `others` has the actions that another list showed.
    """

    def __init__(self) -> None:
        self.missing: set[Reference] = set()
        self.others: Mapping[Reference, Action] = {}
        self._families = _Family(Kind.TASK), _Family(Kind.STATE_MACHINE)
        self._wanted: Wanted | None = None
        self._version = 0
        self._refs: dict[str, Reference] = {}  # the keys of `_wanted` at `_version`, by uid
        self._twins: dict[str, tuple[Reference, ...]] = {}  # those of them with a uid of `_refs`
        self._added: set[Reference] = set()  # since the last list
        self._postponed: set[Reference] = set()

    def update(
        self, families: Mapping[Kind, Sequence[msgspec.Raw]], wanted: Wanted
    ) -> dict[Reference, ListEntry | None]:
        """Take over a list; return what differs from the last one.

        These are the wanted references whose entry has other bytes, those that the list no longer
        shows, as None, those that it shows and that were not wanted from the last list, and those
        that were postponed.
        """
        self.want(wanted)
        self.others = {}
        changed: dict[Reference, ListEntry | None] = {}
        refs, (tasks, machines) = self._refs, self._families
        gone = tasks.update(families.get(tasks.kind, ()), refs, (), changed)
        gone += machines.update(families.get(machines.kind, ()), refs, tasks.places, changed)
        for uid, twins in self._twins.items():
            if refs[uid] in changed:
                changed.update(dict.fromkeys(twins, changed[refs[uid]]))
        again = self.take_postponed()
        for uid in gone:
            again.update(dict.fromkeys(self._with_uid(uid), self._entry(uid)))
        if again:
            changed |= again
        if self.missing:
            self.missing.difference_update(changed)
        self.missing.update(ref for ref, entry in again.items() if entry is None)
        for ref in self._added:
            entry = changed.get(ref) or self._entry(ref.uid)
            if entry is not None:
                changed[ref] = entry
            else:
                changed.pop(ref, None)
                self.missing.add(ref)
        self._added.clear()
        return changed

    def want(self, wanted: Wanted) -> None:
        """Take over which references are wanted."""
        if wanted is self._wanted and wanted.version == self._version:
            return
        twins = list(chain.from_iterable(self._twins.values()))
        left = list(filterfalse(wanted.__contains__, chain(self._refs.values(), twins)))
        grown = len(wanted) - len(self._refs) - len(twins)
        # What was added is at the end of the dict.
        unknown = filterfalse(self._is_known, reversed(wanted))
        added = list(islice(unknown, grown + len(left)))
        # So is what left and came back since.
        additions = (wanted.version - self._version + grown) // 2
        self._postponed.update(islice(reversed(wanted), max(additions, 0)))
        self._wanted, self._version = wanted, wanted.version
        for ref in left:
            self._forget(ref)
        new: dict[str, Reference] = {}
        for ref in added:
            if self._refs.setdefault(ref.uid, ref) is ref:
                new[ref.uid] = ref
            else:
                self._twins[ref.uid] = (*self._twins.get(ref.uid, ()), ref)
        self._added.update(added)
        self._postponed.difference_update(added)
        if new:
            for family in self._families:
                family.places.update(family.find(new))

    def postpone(self, refs: Iterable[Reference]) -> None:
        """Report these references with the next list, too, whatever it shows."""
        self._postponed.update(filter(self._is_known, refs))
        self._added.difference_update(self._postponed)

    def take_postponed(self) -> dict[Reference, ListEntry | None]:
        """Return the entries of the postponed references, and forget that they are postponed."""
        postponed = {ref: self._entry(ref.uid) for ref in self._postponed}
        self._postponed.clear()
        return postponed

    def read(self, ref: Reference) -> Action | None:
        """Decode the entry of a reference that was wanted from the last list."""
        entry = self._entry(ref.uid)
        return self.others.get(ref) if entry is None else entry.read()

    def _with_uid(self, uid: str) -> Iterator[Reference]:
        """Iterate over the references that have a uid."""
        if uid in self._refs:
            yield self._refs[uid]
            yield from self._twins.get(uid, ())

    def _is_known(self, ref: Reference) -> bool:
        return ref in self._with_uid(ref.uid)

    def _entry(self, uid: str) -> ListEntry | None:
        """Return the entry of a uid, or None if no family shows it."""
        for family in self._families:
            place = family.places.get(uid)
            if place is not None:
                return family.entry(uid, place)
        return None

    def _forget(self, ref: Reference) -> None:
        """Remove a reference that is no longer wanted."""
        for refs in (self._added, self._postponed, self.missing):
            refs.discard(ref)
        others = [other for other in self._with_uid(ref.uid) if other != ref]
        self._twins.pop(ref.uid, None)
        if not others:
            del self._refs[ref.uid]
            for family in self._families:
                family.places.pop(ref.uid, None)
            return
        self._refs[ref.uid], *twins = others
        if twins:
            self._twins[ref.uid] = tuple(twins)


class _Family:
    """Entries of one family in the last list.

    `places` has the place of each wanted uid that they show.
    """

    __slots__ = ("_raws", "_task_ids", "_uids", "kind", "places")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.places: dict[str, int] = {}
        self._raws: Sequence[msgspec.Raw] = ()
        # By place, and empty where an entry has none, or cannot be read.
        self._uids: list[str] = []
        self._task_ids: list[str] = []  # also empty where it is the uid

    def update(
        self,
        raws: Sequence[msgspec.Raw],
        refs: Mapping[str, Reference],
        elsewhere: Container[str],
        changed: dict[Reference, ListEntry | None],
    ) -> list[str]:
        """Take over a list: add what differs to `changed`, and return the uids that are gone.

        `refs` has a wanted reference for each uid. A uid that another family shows (`elsewhere`)
        counts there alone.
        """
        last, before = self._raws, self.places
        statuses, moved = self._read_statuses(raws)
        changes: Iterable[tuple[str, int]]
        if moved:
            self.places = self.find(refs)
            changes = [
                (uid, place)
                for uid, place in self.places.items()
                if uid not in before or last[before[uid]] != raws[place]
            ]
        else:
            by_place = (map(names.__getitem__, statuses) for names in (self._uids, self._task_ids))
            changes = chain.from_iterable(zip(names, statuses, strict=True) for names in by_place)
        places, kind = self.places, self.kind
        for uid, place in changes:
            if places.get(uid) == place and uid not in elsewhere:
                raw = raws[place]
                status = statuses[place] if place in statuses else _read_status(raw).status
                changed[refs[uid]] = ListEntry(uid, kind, status, phase_of(status), raw)
        if not moved:
            return []
        return [uid for uid in before if uid not in places and uid not in elsewhere]

    def _read_statuses(self, raws: Sequence[msgspec.Raw]) -> tuple[dict[int, str], bool]:
        """Take over a list; return the statuses of the entries that differ from the last list's.

        They are by place. The flag is True if entries came, moved or went.
        """
        last, self._raws = self._raws, raws
        uids, task_ids = self._uids, self._task_ids
        moved, grown = len(raws) != len(last), range(len(last), len(raws))
        for names in (uids, task_ids):
            del names[len(raws) :]
            names.extend([""] * len(grown))
        statuses: dict[int, str] = {}
        for place in chain(compress(count(), map(ne, raws, last)), grown):
            wire = _read_status(raws[place])
            statuses[place], uid, task_id = wire.status, wire.action_uid or "", wire.task_id
            if task_id is None or task_id == uid:  # the usual case
                task_id = ""
            if uids[place] != uid or task_ids[place] != task_id:
                uids[place], task_ids[place], moved = uid, task_id, True
        return statuses, moved

    def find(self, refs: Mapping[str, Reference]) -> dict[str, int]:
        """Return the first place of each of these uids that an entry has."""
        places: dict[str, int] = {}
        for names in (self._uids, self._task_ids):
            for place in compress(count(), map(refs.__contains__, names)):
                # There are thousands of uids: the string of the reference serves for all.
                uid = names[place] = refs[names[place]].uid
                if place < places.get(uid, len(names)):
                    places[uid] = place
        return places

    def entry(self, uid: str, place: int) -> ListEntry:
        """Return the entry at a place."""
        raw = self._raws[place]
        status = _read_status(raw).status
        return ListEntry(uid, self.kind, status, phase_of(status), raw)


def _read_status(raw: msgspec.Raw) -> WireStatus:
    """Decode the status and the uids of an entry; one that cannot be read has no uids."""
    try:
        return _decode_status(raw)
    except (ValueError, RecursionError):
        return _decode_leniently(raw, WireStatus, _BROKEN)


def _decode_leniently(raw: msgspec.Raw, shape: type[_S], default: _S) -> _S:
    try:
        return decode_struct(raw, shape)
    except ValueError:
        log_skipped_entry()
        return default
