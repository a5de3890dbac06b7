"""Tests of `_client.sources.list_cache`."""

from __future__ import annotations

import json
import sys

from redis_enterprise_actions import Action, Kind
from redis_enterprise_actions._client.sources.list_cache import ActionListReader, ListCache
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from tests.client.wire.test_actions import MACHINE, TASK
from tests.scripted import ref_of


A, B = ref_of("a"), ref_of("b")
DELETION = Reference(ReferenceKind.ACTION, "a", "bdb:7")


def update(cache: ListCache, **progress: int) -> dict[Reference, float | None]:
    """Read a list; return the progress of the changed entries, and None for missing ones."""
    entries = [
        {"action_uid": uid, "status": "active", "progress": value}
        for uid, value in progress.items()
    ]
    changed = cache.update(json.dumps(entries).encode(), "/v1/actions")
    return {ref: action and action.progress for ref, action in changed.items()}


def test_only_changes() -> None:
    """A list yields the wanted references that changed, appeared or disappeared."""
    cache = ListCache()
    cache.want({A, B})

    assert update(cache, a=1, b=1, c=1) == {A: 1, B: 1}
    assert update(cache, a=1, b=2, c=2) == {B: 2}
    assert update(cache, b=2) == {A: None}
    assert cache.actions.keys() == {B}
    assert cache.unlisted_uids() == {"a"}


def test_references_of_one_uid() -> None:
    """References with the same uid have the same action."""
    cache = ListCache()
    cache.want({A, DELETION})

    assert update(cache, a=1) == {A: 1, DELETION: 1}
    assert cache.actions[A] is cache.actions[DELETION]
    assert cache.by_reference([cache.actions[A]]).keys() == {A, DELETION}


def test_wanted_later() -> None:
    """A reference that is wanted later has the action that the last list showed for its uid."""
    cache = ListCache()
    cache.want({A})
    update(cache, a=1, b=1)
    cache.want({A, DELETION, B})

    assert cache.actions.keys() == {A, DELETION}
    assert update(cache, a=1, b=1) == {B: 1}


NAMES = (TASK["action_uid"], MACHINE["action_uid"])


class TestReader:
    """The wanted entries of successive lists."""

    def body(self, *tasks: object, machines: object = ()) -> bytes:
        """Return a list of /v1."""
        return json.dumps({"actions": tasks, "state-machines": machines}).encode()

    def read(
        self, body: bytes, wanted: set[str], reader: ActionListReader | None = None
    ) -> dict[str, Action]:
        """Return the actions of a reader, by default a new one, after it has read a list."""
        reader = reader or ActionListReader()
        reader.read(body, wanted, "/v1/actions")
        return dict(reader.actions)

    def test_wanted(self) -> None:
        """Only wanted entries become actions, by each wanted uid."""
        task = TASK | {"task_id": "T1", "action_uid": "a1"}
        body = self.body(task, TASK | {"task_id": "T2"}, machines=[MACHINE])

        found = self.read(body, {"T1", "a1", MACHINE["action_uid"], "x"})
        assert {uid: (action.uid, action.kind) for uid, action in found.items()} == {
            "T1": ("T1", Kind.TASK),
            "a1": ("a1", Kind.TASK),
            MACHINE["action_uid"]: (MACHINE["action_uid"], Kind.STATE_MACHINE),
        }

    def test_unchanged(self) -> None:
        """An entry that has not changed is the very same action; one that has is another."""
        reader = ActionListReader()
        ops = {"1": {"op_name": "wait_for_bgsave", "progress": 5}}
        failed = TASK | {"action_uid": "a", "task_id": "a", "status": "failed", "error": "x"}
        busy, idle = MACHINE | {"pending_ops": ops, "error": "x"}, MACHINE | {"action_uid": "b"}
        wanted = {MACHINE["action_uid"], "a", "b"}
        first = self.read(self.body(failed, machines=[busy, idle]), wanted, reader)
        second = self.read(self.body(failed, machines=[busy, idle]), wanted, reader)
        third = self.read(
            self.body(failed, machines=[busy, idle | {"progress": 99}]), wanted, reader
        )

        assert [first[uid] is second[uid] for uid in sorted(wanted)] == [True, True, True]
        assert first[MACHINE["action_uid"]] is third[MACHINE["action_uid"]]
        assert third["b"].progress == 99

    def test_new_places(self) -> None:
        """An entry is the same action when others have come before it, or have gone."""
        reader = ActionListReader()
        others = [MACHINE | {"action_uid": uid} for uid in "ab"]
        lists = ([*others, MACHINE], [MACHINE], [others[1], MACHINE])
        wanted = {MACHINE["action_uid"]}
        found = [self.read(self.body(machines=each), wanted, reader) for each in lists]

        assert len({id(action) for each in found for action in each.values()}) == 1

    def test_other_place(self) -> None:
        """Entries that have changed places are distinguished."""
        reader = ActionListReader()
        entries = [MACHINE, MACHINE | {"action_uid": "b", "progress": 99}]
        wanted = {MACHINE["action_uid"], "b"}
        first = self.read(self.body(machines=entries), wanted, reader)
        second = self.read(self.body(machines=entries[::-1]), wanted, reader)

        assert first == second
        assert second["b"].progress == 99

    def test_wanted_later(self) -> None:
        """An entry that is wanted later is found by each of its uids."""
        reader = ActionListReader()
        body = self.body(TASK | {"task_id": "T1", "action_uid": "a1"}, machines=[MACHINE])
        names = [{"x"}, {"T1"}, {"a1"}]
        found = [self.read(body, wanted, reader).keys() & wanted for wanted in names]

        assert found == [set(), {"T1"}, {"a1"}]

    def test_back_again(self) -> None:
        """An entry that is not wanted during one list is the same action afterwards."""
        reader = ActionListReader()
        body = self.body(machines=[MACHINE, MACHINE | {"action_uid": "b"}])
        both = {MACHINE["action_uid"], "b"}
        found = [self.read(body, wanted, reader) for wanted in (both, {"b"}, both)]

        assert "b" in found[1]
        assert found[0][MACHINE["action_uid"]] is found[2][MACHINE["action_uid"]]

    def test_and_back(self) -> None:
        """An entry that changes back to earlier bytes is reported as changed."""
        reader = ActionListReader()
        bodies = [self.body(machines=[MACHINE | {"progress": changes}]) for changes in (10, 20, 10)]
        found = [self.read(body, {MACHINE["action_uid"]}, reader) for body in bodies]

        assert [action.progress for each in found for action in each.values()] == [10, 20, 10]

    def test_twice(self) -> None:
        """Of two entries with one name the first counts, in each list and over both of them."""
        late = MACHINE | {"progress": 99}
        uid = MACHINE["action_uid"]
        bodies = [self.body(machines=[MACHINE, late]), self.body(MACHINE, machines=[MACHINE])]
        first, second = (self.read(body, {uid})[uid] for body in bodies)

        assert (first.progress, second.kind) == (14.29, Kind.TASK)

    def test_twice_in_its_place(self) -> None:
        """The second of two entries with one name changes nothing, wherever it is."""
        reader = ActionListReader()
        uid = MACHINE["action_uid"]
        changes = []
        for progress in (50, 60):
            late = MACHINE | {"progress": progress}
            changes.append(reader.read(self.body(machines=[MACHINE, late]), {uid}, "/v1/actions"))

        assert changes == [[uid], []]
        assert reader.actions[uid].progress == 14.29

    def test_changed(self) -> None:
        """A list returns the uids that changed, appeared or disappeared."""
        reader = ActionListReader()
        a, b, c = (MACHINE | {"action_uid": uid} for uid in "abc")
        lists: list[list[object]] = [
            [a, b],
            [a, b],
            [a, b | {"progress": 20}],  # one has changed
            [a, c],  # another one is in its place
            [c, a],  # they have changed places
            [a],  # one is gone
            [a, b, c],  # two have come
            [a, 5, c],  # one cannot be read
        ]
        changes = [
            set(reader.read(self.body(machines=each), set("abc"), "/v1/actions")) for each in lists
        ]

        changed: list[set[str]] = [{"a", "b"}, set(), {"b"}, {"b", "c"}]
        assert changes[:4] == changed
        assert changes[4] <= {"a", "c"}
        assert changes[5:] == [{"c"}, {"b", "c"}, {"b"}]
        assert reader.actions.keys() == {"a", "c"}

    def test_changed_name(self) -> None:
        """An entry whose names change is found by each name that it has."""
        reader = ActionListReader()
        entries = [
            TASK | {"action_uid": "a", "task_id": "a"},
            TASK | {"action_uid": "a", "task_id": "t"},
            TASK | {"action_uid": "b", "task_id": "t"},
        ]
        changes = []
        for entry in entries:
            changed = reader.read(self.body(entry), {"a", "b", "t"}, "/v1/actions")
            changes.append((set(changed), reader.actions.keys() & {"a", "b", "t"}))

        assert changes == [({"a"}, {"a"}), ({"a", "t"}, {"a", "t"}), ({"a", "b", "t"}, {"b", "t"})]

    def test_changed_family(self) -> None:
        """A bare array has no entries of the other family."""
        reader = ActionListReader()
        reader.read(self.body(TASK, machines=[MACHINE]), {"x", *NAMES}, "/v1/actions")
        changed = reader.read(json.dumps([MACHINE]).encode(), {"x", *NAMES}, "/v1/actions")

        assert set(changed) == {TASK["action_uid"]}
        assert reader.actions.keys() == {MACHINE["action_uid"]}

    def test_other_family(self) -> None:
        """The same entry in the list of the other family is another action."""
        reader = ActionListReader()
        bodies = [self.body(MACHINE), self.body(machines=[MACHINE])]
        found = [self.read(body, {MACHINE["action_uid"]}, reader) for body in bodies]

        assert [action.kind for each in found for action in each.values()] == [
            Kind.TASK,
            Kind.STATE_MACHINE,
        ]

    def test_memory(self) -> None:
        """Entries that are gone are forgotten, and only the last body is kept."""
        reader = ActionListReader()
        body = self.body(MACHINE | {"error": "x" * 10, "pending_ops": {"1": {}}}, machines=[])
        reader.read(body, {MACHINE["action_uid"]}, "/v1/actions")
        reader.read(self.body(), {MACHINE["action_uid"]}, "/v1/actions")

        assert sys.getrefcount(body) == 2
        assert [entries for _, entries in reader._last.values()] == [[], []]

    def test_bad_entries(self) -> None:
        """Bad entries among good ones are left out, and the good ones are found."""
        body = self.body(TASK | {"status": 5}, 7, TASK | {"progress": {}}, {}, machines=[MACHINE])

        found = self.read(body, {TASK["action_uid"], MACHINE["action_uid"]})
        assert set(found) == {TASK["action_uid"], MACHINE["action_uid"]}
        assert found[TASK["action_uid"]].progress is None
