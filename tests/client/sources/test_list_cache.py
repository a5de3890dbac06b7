"""Tests of `_client.sources.list_cache`."""

from __future__ import annotations

import json

from redis_enterprise_actions._client.sources.list_cache import ListCache
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
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
