"""State of a task that outlives its tries: the work that it has started.

Airflow deletes a task's XComs before each try; since 3.3 it has a store that outlives them. With
older versions nothing is kept, and `is_persistent` is False.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypedDict, cast

from .events import check_version


if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_KEY: Final = "redis_enterprise_action"


class _StateStore(Protocol):
    """The methods of Airflow's `task_state_store` that are used."""

    def get(self, key: str) -> object: ...
    def set(self, key: str, value: object) -> None: ...
    def delete(self, key: str) -> None: ...


class _TaskInstance(Protocol):
    max_tries: int


class _StoredState(TypedDict):
    """Value in the store. `max_tries` grows when a user clears the task, and only then."""

    v: Literal[1]
    ref: str | None
    ended: bool
    max_tries: int


class EarlierTry(NamedTuple):
    """Work that an earlier try has started. `ref` is None if that try did not learn of any.

    `cleared` is True if a user has cleared the task since then, to repeat the work; `ended` if the
    work is known to have ended, or the call has left none.
    """

    ref: str | None
    cleared: bool = False
    ended: bool = False


class TaskState:
    """State of one task: the work that it has started, and its end."""

    def __init__(self, store: _StateStore | None, max_tries: int) -> None:
        self._store = store
        self._max_tries = max_tries

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Self:
        """Return the state of the task of a context."""
        store = cast("_StateStore | None", context.get("task_state_store"))
        return cls(store, cast("_TaskInstance", context["ti"]).max_tries)

    @property
    def is_persistent(self) -> bool:
        """True if the next try will find the state."""
        return self._store is not None

    def load(self) -> EarlierTry | None:
        """Return the work that an earlier try has started, or None if the call is to be made.

        After a user has cleared the task, the call is made again if the old work has ended, or if
        its outcome is unknown, as the user has checked. Work that may still run is not started
        twice. Raises `AirflowFailException` for a state that another version has stored.
        """
        stored = None if self._store is None else cast("_StoredState | None", self._store.get(_KEY))
        if stored is None:
            return None
        check_version(stored, "what an earlier try has stored")
        cleared = stored["max_tries"] != self._max_tries
        if cleared and (stored["ended"] or stored["ref"] is None):
            return None
        return EarlierTry(stored["ref"], cleared, stored["ended"])

    def record_start(self, ref: str | None) -> None:
        """Store that a call is about to be made, or was made, with the reference if it is known."""
        self._write(ref, ended=False)

    def record_end(self, ref: str | None) -> None:
        """Store that the work has ended, with whatever outcome."""
        self._write(ref, ended=True)

    def clear(self) -> None:
        """Store that no work was started."""
        if self._store is not None:
            self._store.delete(_KEY)

    def _write(self, ref: str | None, *, ended: bool) -> None:
        if self._store is not None:
            self._store.set(
                _KEY, _StoredState(v=1, ref=ref, ended=ended, max_tries=self._max_tries)
            )
