"""Secret: text that no output shows."""

from __future__ import annotations

from .errors import UsageError


class Secret:
    """Text that no `repr`, log record, JSON or pickle holds. `reveal` returns it.

    A pickle keeps that there is a secret, and not its text: orchestrators store pickles where
    others read them. `reveal` of an unpickled secret raises `UsageError`.
    """

    __slots__ = ("_from_pickle", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._from_pickle = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return "***"

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), ("",), {"_from_pickle": True}

    def __setstate__(self, state: dict[str, bool]) -> None:
        self._from_pickle = state["_from_pickle"]

    @property
    def _identity(self) -> tuple[str, bool]:
        return self._text, self._from_pickle

    def reveal(self) -> str:
        """Return the text. Raises `UsageError` for a secret that comes from a pickle."""
        if self._from_pickle:
            raise UsageError("a pickle does not keep the text of a secret: ask the cluster again")
        return self._text
