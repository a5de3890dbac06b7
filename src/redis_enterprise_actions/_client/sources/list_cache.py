"""Cache of the last list of /v1/actions, keyed by reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis_enterprise_actions._client.wire.action_list import ActionListReader


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from redis_enterprise_actions._model.action import Action
    from redis_enterprise_actions._model.reference import Reference


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
