"""What a task remembers from one try to the next: what it has called for already.

Airflow drops a task's XComs before each try; from 3.3 on there is a store that outlives them.
With an older one nothing is remembered, and `lasting` is false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypedDict, cast


if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_KEY: Final = "redis_enterprise_action"


class _Store(Protocol):
    """Airflow's `task_state_store`, as far as it is used."""

    def get(self, key: str) -> object: ...
    def set(self, key: str, value: object) -> None: ...
    def delete(self, key: str) -> None: ...


class _TaskInstance(Protocol):
    max_tries: int


class _Note(TypedDict):
    """What is in the store. `max_tries` grows when a user clears the task, and only then."""

    ref: str | None
    ended: bool
    max_tries: int


class Past(NamedTuple):
    """What an earlier try has begun. `ref` is None where it ended before it could tell.

    `cleared` is whether a user has cleared the task since, who wants it done anew.
    """

    ref: str | None
    cleared: bool = False


class Memory:
    """What one task has begun, and whether that is known to have ended."""

    def __init__(self, store: _Store | None, max_tries: int) -> None:
        self._store = store
        self._max_tries = max_tries

    @classmethod
    def of(cls, context: Mapping[str, object]) -> Self:
        """Return that of the task whose context it is."""
        store = cast("_Store | None", context.get("task_state_store"))
        return cls(store, cast("_TaskInstance", context["ti"]).max_tries)

    @property
    def lasting(self) -> bool:
        """Whether the next try will remember."""
        return self._store is not None

    def recall(self) -> Past | None:
        """Return what an earlier try has begun, or None if the call is to be made.

        A user who clears a task gets it done anew if the old work has ended, or nobody knows what
        came of the call, so that they have looked. What may still run is not begun twice.
        """
        note = None if self._store is None else cast("_Note | None", self._store.get(_KEY))
        if note is None:
            return None
        cleared = note["max_tries"] != self._max_tries
        if cleared and (note["ended"] or note["ref"] is None):
            return None
        return Past(note["ref"], cleared)

    def begin(self, ref: str | None) -> None:
        """Note that a call is about to be made, or was, with the reference if that is known."""
        self._write(ref, ended=False)

    def end(self, ref: str | None) -> None:
        """Note that what was begun has ended, well or not."""
        self._write(ref, ended=True)

    def forget(self) -> None:
        """Note that nothing has begun."""
        if self._store is not None:
            self._store.delete(_KEY)

    def _write(self, ref: str | None, *, ended: bool) -> None:
        if self._store is not None:
            self._store.set(_KEY, _Note(ref=ref, ended=ended, max_tries=self._max_tries))
