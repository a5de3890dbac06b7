"""Tests of `_client.sources.list_cache`."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions import Action, Kind, Phase
from redis_enterprise_actions._client.protocols import Wanted
from redis_enterprise_actions._client.sources.list_cache import ListCache, ListEntry
from redis_enterprise_actions._client.wire.actions import (
    WireAction,
    split_families,
    to_action,
)
from redis_enterprise_actions._client.wire.lenient_json import decode_struct
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from tests.client.wire.test_actions import MACHINE, TASK
from tests.conftest import examples
from tests.scripted import ref_of


if TYPE_CHECKING:
    from collections.abc import Iterable

A, B, C = map(ref_of, "abc")
DELETION = Reference(ReferenceKind.ACTION, "a", "bdb:7")
OTHER_DELETION = Reference(ReferenceKind.ACTION, "a", "bdb:8")
PATH = "/v1/actions"


def wanted_of(*refs: Reference) -> Wanted:
    """Return a registry of wanted references, none of which was seen."""
    wanted = Wanted()
    add(wanted, *refs)
    return wanted


def add(wanted: Wanted, *refs: Reference) -> None:
    """Add references to the wanted ones."""
    for ref in refs:
        wanted[ref] = None
        wanted.version += 1


def remove(wanted: Wanted, *refs: Reference) -> None:
    """Remove references from the wanted ones."""
    for ref in refs:
        del wanted[ref]
        wanted.version += 1


def machine(uid: str, progress: object = 0, **more: object) -> dict[str, object]:
    """Return the entry of a state machine."""
    return {"action_uid": uid, "status": "active", "progress": progress, **more}


def body_of(*machines: object, tasks: Iterable[object] = ()) -> bytes:
    """Return a list of /v1."""
    return json.dumps({"actions": list(tasks), "state-machines": machines}).encode()


class Reader:
    """A cache, with the references that are wanted from it."""

    def __init__(self, *refs: Reference) -> None:
        self.wanted = wanted_of(*refs)
        self.cache = ListCache()

    def take(self, body: bytes) -> dict[Reference, ListEntry | None]:
        """Take over a list; return what changed."""
        return self.cache.update(split_families(body, PATH), self.wanted)

    def read(self, *machines: object, tasks: Iterable[object] = ()) -> dict[Reference, object]:
        """Take over a list; return the progress of what changed, and None for what is gone."""
        changed = self.take(body_of(*machines, tasks=tasks))
        return {ref: entry and entry.read().progress for ref, entry in changed.items()}


class TestChanges:
    """What a list changes."""

    def test_by_place(self) -> None:
        """A list yields the wanted entries that have other bytes, that came, and that are gone."""
        reader = Reader(A, B)

        assert reader.read(machine("a", 1), machine("b", 1), machine("c", 1)) == {A: 1, B: 1}
        assert reader.read(machine("a", 1), machine("b", 1), machine("c", 1)) == {}
        assert reader.read(machine("a", 1), machine("b", 2), machine("c", 2)) == {B: 2}
        assert reader.read(machine("b", 2)) == {A: None}
        assert reader.read(machine("b", 2)) == {}
        assert reader.read(machine("a", 1), machine("b", 2)) == {A: 1}

    @pytest.mark.parametrize(
        ("first", "second"),
        [("ab", "xab"), ("xab", "ab"), ("abx", "xab"), ("ab", "ba"), ("axb", "ab"), ("ab", "abx")],
    )
    def test_other_place(self, first: str, second: str) -> None:
        """An entry that moves in the list does not change, and is found at its new place."""
        reader = Reader(A, B)
        reader.read(*map(machine, first))

        assert reader.read(*map(machine, second)) == {}
        assert reader.read(*(machine(uid, 5 * (uid == "b")) for uid in second)) == {B: 5}
        assert [reader.cache.read(ref).uid for ref in (A, B)] == ["a", "b"]  # type: ignore[union-attr]

    def test_no_movement(self) -> None:
        """Other bytes are a change, whichever field they are in, and also if they change back."""
        reader = Reader(A)
        entries = [machine("a", pending_ops={"1": {"last_sample_time": at}}) for at in (1, 2, 1)]

        assert [reader.read(entry) for entry in entries] == [{A: 0}, {A: 0}, {A: 0}]

    def test_entry(self) -> None:
        """An entry tells the phase without being decoded, and then the whole action."""
        entry = Reader(A).take(body_of(machine("a", 7, state="reshard", status=" Failed ")))[A]

        assert entry is not None
        assert entry.phase is Phase.FAILED
        assert entry.read() == Action(
            uid="a",
            name="",
            kind=Kind.STATE_MACHINE,
            status=" Failed ",
            phase=Phase.FAILED,
            progress=7.0,
            state="reshard",
        )


class TestUids:
    """Entries with two uids, references with one, and lists with one uid twice."""

    def test_references_of_one_uid(self) -> None:
        """References with the same uid have the same entry; each may leave alone."""
        reader = Reader(A, DELETION, OTHER_DELETION)
        changed = reader.take(body_of(machine("a", 1)))

        assert changed.keys() == {A, DELETION, OTHER_DELETION}
        assert changed[A] is changed[DELETION] is changed[OTHER_DELETION]
        remove(reader.wanted, A)
        assert reader.read(machine("a", 2)) == {DELETION: 2, OTHER_DELETION: 2}
        remove(reader.wanted, DELETION)
        assert reader.read(machine("a", 3)) == {OTHER_DELETION: 3}
        assert reader.read() == {OTHER_DELETION: None}

    def test_one_string(self) -> None:
        """The uid of a wanted entry is the string of the reference, in each action read from it."""
        reader = Reader(ref_of("a-uid"))
        (ref,) = reader.wanted
        changed = reader.take(body_of(machine("a-uid", 1)))

        entry = changed[ref]
        assert entry is not None
        assert entry.read().uid is ref.uid

    def test_two_uids(self) -> None:
        """An entry is found by its action_uid and by its task_id, also when one of them changes."""
        reader = Reader(A, B, C)
        task = machine("a", 1, task_id="b")
        changed = reader.take(body_of(tasks=[task]))

        assert {ref: entry and entry.read().uid for ref, entry in changed.items()} == {
            A: "a",
            B: "b",
        }
        assert reader.read(tasks=[task | {"progress": 2}]) == {A: 2, B: 2}
        assert reader.read(tasks=[task | {"task_id": "c"}]) == {A: 1, B: None, C: 1}
        assert reader.read(tasks=[task | {"task_id": "a"}]) == {A: 1, C: None}
        assert reader.read(tasks=[{"status": "queued", "task_id": "c"}]) == {A: None, C: None}
        assert reader.cache.missing == {A, B}

    def test_upper_case(self) -> None:
        """A uid in other letters is another one."""
        assert Reader(A).read(machine("A")) == {}

    def test_twice(self) -> None:
        """Of two entries with one uid the first counts, and the second once the first is gone."""
        reader = Reader(A)

        assert reader.read(machine("a", 1), machine("a", 50)) == {A: 1}
        assert reader.read(machine("a", 1), machine("a", 60)) == {}
        assert reader.read(machine("a", 60)) == {A: 60}
        assert reader.read(machine("x", task_id="a"), machine("a", 60)) == {A: 0}
        assert reader.read(machine("x", task_id="b"), machine("a", 60)) == {A: 60}

    def test_twice_in_families(self) -> None:
        """A task counts before a state machine with its uid, and the machine when it is alone."""
        reader = Reader(A, B)

        assert reader.read(machine("a", 1)) == {A: 1}
        assert reader.read(machine("a", 1), tasks=[machine("a", 2)]) == {A: 2}
        assert reader.read(machine("a", 5), tasks=[machine("a", 2)]) == {}
        assert reader.read(tasks=[machine("a", 2)]) == {}
        assert reader.read(machine("a", 5), tasks=[machine("a", 2)]) == {}
        assert reader.read(machine("a", 5)) == {A: 5}
        assert reader.read() == {A: None}

    def test_other_family(self) -> None:
        """The same entry in the other family is another action."""
        reader = Reader(A)
        lists = [body_of(machine("a")), body_of(tasks=[machine("a")])] * 2
        kinds = [entry and entry.kind for body in lists for entry in reader.take(body).values()]

        assert kinds == [Kind.STATE_MACHINE, Kind.TASK] * 2


class TestShapes:
    """Lists in all shapes, and entries that cannot be read."""

    def test_shapes(self) -> None:
        """The shape of the list makes no difference."""
        a = json.dumps(machine("a"))
        shapes = [
            f"[{a}]",
            f'{{"state-machines": [{a}]}}',
            f'\n{{"actions": null, "state-machines": [{a}], "more": NaN}}',
            f'{{"actions": [], "state-machines": [{a}]}}',
        ]
        reader = Reader(A)
        found = [reader.take(shape.encode()).keys() for shape in [*shapes, '{"actions": []}']]

        assert found == [{A}, set(), set(), set(), {A}]
        assert reader.cache.missing == {A}

    def test_fields_of_wrong_types(self) -> None:
        """A field of a wrong type counts as missing."""
        reader = Reader(A, B)
        entries = [machine("a", {}, name=5), machine(5, 1, task_id="b")]  # type: ignore[arg-type]

        assert reader.read(*entries) == {A: None, B: 1}
        read = reader.cache.read(A)
        assert read is not None
        assert (read.progress, read.name, read.phase) == (None, "", Phase.RUNNING)

    @pytest.mark.parametrize(
        "broken", [5, None, [], {}, {"action_uid": "a"}, {"action_uid": "a", "status": 5}], ids=str
    )
    def test_broken(self, broken: object, caplog: pytest.LogCaptureFixture) -> None:
        """An entry that cannot be read is skipped and logged; the others still count."""
        reader = Reader(A, B)
        reader.read(machine("a"), machine("b"))
        caplog.set_level(logging.DEBUG)

        assert reader.read(broken, machine("b", 1)) == {A: None, B: 1}
        assert reader.read(broken, machine("b", 2)) == {B: 2}
        assert caplog.messages == ["skipped a list entry that cannot be read"]

    def test_deep(self) -> None:
        """An entry that was nested as deep as can be decoded is read, if only in part."""
        deep = sys.getrecursionlimit() - 150
        raw = b'{"action_uid": "a", "status": "failed", "error": %b%b}' % (b"[" * deep, b"]" * deep)
        entry = ListEntry("a", Kind.TASK, "failed", Phase.FAILED, msgspec.Raw(raw))

        def read_below(frames: int) -> Action:
            return read_below(frames - 1) if frames else entry.read()

        assert read_below(140).status == "failed"


class TestWanted:
    """References that come and go."""

    def test_wanted_later(self) -> None:
        """A reference that is wanted later is reported if the list shows it, changed or not."""
        reader = Reader(A)
        a, b, moved = machine("a"), machine("b"), machine("b", 1)
        reader.read(a, b)
        add(reader.wanted, DELETION, B, C)

        assert reader.read(a, b) == {DELETION: 0, B: 0}
        assert reader.cache.missing == {C}
        assert reader.read(a, moved) == {B: 1}
        assert reader.read(a, moved, machine("c")) == {C: 0}
        assert reader.cache.missing == set()

    def test_wanted_later_and_gone(self) -> None:
        """A reference that the list stopped showing before it was wanted is not reported."""
        reader = Reader(A)
        reader.read(machine("a"), machine("b"))
        add(reader.wanted, B)

        assert reader.read(machine("a")) == {}
        assert reader.cache.missing == {B}

    def test_left(self) -> None:
        """A reference that is not wanted any more is not reported, nor missing."""
        reader = Reader(A, B, C)
        reader.read(machine("a"), machine("b"))
        remove(reader.wanted, A, C)

        assert reader.read(machine("a", 1), machine("b")) == {}
        assert reader.cache.missing == set()
        assert reader.cache.read(A) is None
        assert reader.read() == {B: None}

    def test_left_and_came_back(self) -> None:
        """A reference that left and came back between two lists is reported like a new one."""
        reader = Reader(A, B, C)
        reader.read(machine("a"), machine("b"))
        remove(reader.wanted, A, C)
        add(reader.wanted, A)

        assert reader.read(machine("a"), machine("b")) == {A: 0}
        assert reader.read(machine("a"), machine("b")) == {}
        remove(reader.wanted, A)
        reader.read(machine("a"), machine("b"))
        add(reader.wanted, A)
        assert reader.read(machine("a"), machine("b")) == {A: 0}

    def test_versions_by_the_batch(self) -> None:
        """New references are reported even if a version is not one addition or removal."""
        reader = Reader(A, B, C)
        reader.read(*map(machine, "abcde"))
        for ref in (A, B, C):
            del reader.wanted[ref]
        reader.wanted |= {ref_of("d"): None}
        reader.wanted.version += 1

        assert reader.read(*map(machine, "abcde")) == {ref_of("d"): 0}

    def test_other_registry(self) -> None:
        """Another registry with the same version is another one."""
        reader = Reader(A)
        reader.read(machine("a"), machine("b"))
        reader.wanted = wanted_of(B)

        assert reader.read(machine("a", 1), machine("b")) == {B: 0}

    def test_left_without_a_list(self) -> None:
        """A reference that joined and left without a list between is not reported."""
        reader = Reader(A)
        reader.read(machine("a"), machine("b"))
        add(reader.wanted, B, DELETION)
        reader.cache.want(reader.wanted)
        remove(reader.wanted, B, DELETION)

        assert reader.read(machine("a"), machine("b")) == {}
        assert reader.cache.missing == set()

    def test_postponed(self) -> None:
        """A postponed reference is reported with the next list, whatever that shows."""
        reader = Reader(A, B, C)
        reader.read(machine("a"), machine("b"))
        reader.cache.postpone([A, B, C, DELETION])

        assert reader.read(machine("a")) == {A: 0, B: None, C: None}
        assert reader.read(machine("a")) == {}
        reader.cache.postpone([A])
        assert reader.cache.take_postponed().keys() == {A}
        assert reader.read(machine("a")) == {}


class TestCost:
    """What a list costs."""

    def test_memory(self) -> None:
        """The cache keeps the last list alone; an entry keeps its own list, and an action none."""
        reader = Reader(A, B)
        bodies = [body_of(machine("a", k), machine("b"), TASK) for k in range(3)]

        def counts() -> list[int]:
            return [sys.getrefcount(body) for body in bodies]

        def kept() -> list[bool]:
            return [now > then for now, then in zip(counts(), unused, strict=True)]

        unused = counts()
        first = reader.take(bodies[0])
        action = reader.cache.read(B)
        reader.take(bodies[1])

        assert kept() == [True, True, False]
        first.clear()
        assert kept() == [False, True, False]
        reader.take(bodies[2])
        assert kept() == [False, False, True]
        reader.take(b"[]")
        assert kept() == [False, False, False]
        assert action is not None

    @pytest.mark.parametrize("wanted", [10, 1000])
    def test_calls(self, wanted: int) -> None:
        """Work grows with what changed, and neither with the list nor with what is wanted."""
        entries = [machine(str(k)) for k in range(1000)]
        reader = Reader(*(ref_of(str(k)) for k in range(wanted)))
        reader.read(*entries)
        same = split_families(body_of(*entries), PATH)
        entries[5] = machine("5", 1)
        other = split_families(body_of(*entries), PATH)

        calls = [_calls(reader, families) for families in (same, other)]
        assert calls[0] < 150
        assert calls[1] < calls[0] + 30


def _calls(reader: Reader, families: dict[Kind, object]) -> int:
    """Return how many calls the cache makes, of functions in Python and in C."""
    events: list[str] = []
    sys.setprofile(lambda _frame, event, _arg: events.append(event))
    try:
        reader.cache.update(families, reader.wanted)  # type: ignore[arg-type]
    finally:
        sys.setprofile(None)
    return len(events)


class Shown(NamedTuple):
    """Entry that a list shows for a uid."""

    kind: Kind
    raw: bytes
    action: Action


def decode_all(body: bytes) -> dict[str, Shown]:
    """Decode each entry of a list; of two entries with one uid the first counts."""
    found: dict[str, Shown] = {}
    for kind, raws in split_families(body, PATH).items():
        for raw in raws:
            try:
                wire = decode_struct(raw, WireAction)
            except ValueError:
                continue
            for uid in filter(None, (wire.action_uid, wire.task_id)):
                found.setdefault(uid, Shown(kind, bytes(raw), to_action(wire, uid, kind, raw)))
    return found


REFS = [A, DELETION, B, C]
UIDS = st.sampled_from([None, "", "a", "b", "c", "d", 5])
ENTRIES = st.one_of(
    st.fixed_dictionaries(
        {"action_uid": UIDS, "progress": st.sampled_from([1, 2, "3", {}])},
        optional={
            "status": st.sampled_from(["active", "completed", "odd", 5]),
            "task_id": UIDS,
            "error": st.sampled_from(["x", {"error_code": "y"}]),
        },
    ),
    st.builds(machine, st.sampled_from("abcd"), st.sampled_from([1, 2])),
    st.sampled_from([5, None, {}, MACHINE]),
)
FAMILY = st.lists(ENTRIES, max_size=6)
BODIES = st.one_of(
    FAMILY,
    st.fixed_dictionaries({"actions": FAMILY}, optional={"state-machines": st.none() | FAMILY}),
    st.fixed_dictionaries({"state-machines": FAMILY}, optional={"actions": st.none() | FAMILY}),
)
# Which references come or go before a list, which list of a few comes, and how it is turned.
STEPS = st.lists(
    st.tuples(st.lists(st.sampled_from(REFS), max_size=6), st.integers(0, 2), st.booleans()),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(BODIES, min_size=3, max_size=3), STEPS)
def test_model(bodies: list[object], steps: list[tuple[list[Reference], int, bool]]) -> None:
    """The cache tells what one tells that decodes each list and compares all entries."""
    reader, last = Reader(), dict[Reference, Shown]()
    known: set[Reference] = set()
    for changes, number, turned in steps:
        additions = 0
        for ref in changes:
            if ref in reader.wanted:
                remove(reader.wanted, ref)
                known.discard(ref)
            else:
                add(reader.wanted, ref)
                additions += 1
        body = bodies[number]
        if turned and isinstance(body, list):
            body = body[1:] + body[:1]
        shown = decode_all(json.dumps(body).encode())
        listed = {ref: shown[ref.uid] for ref in reader.wanted if ref.uid in shown}
        changed = reader.take(json.dumps(body).encode())

        due = {
            ref
            for ref in reader.wanted
            if (last.get(ref) if ref in known else None) != listed.get(ref)
        }
        recent = set(list(reader.wanted)[max(len(reader.wanted) - additions, 0) :])
        assert due <= changed.keys() <= due | recent
        for ref, entry in changed.items():
            assert (entry and entry.read()) == (listed[ref].action if ref in listed else None)
            assert entry is None or entry.phase is entry.read().phase
        for ref in reader.wanted:
            assert reader.cache.read(ref) == (listed[ref].action if ref in listed else None)
        assert reader.cache.missing == reader.wanted.keys() - listed.keys()
        last, known = listed, set(reader.wanted)
