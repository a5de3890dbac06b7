"""Names of databases in place of uids: `name:cache-prod`, and in references `bdb:name:cache-prod`.

A name stands for the database that has it when the client first asks. From then on the client uses
the uid. objects/bdb allows letters, digits and hyphens in a name, but nothing here relies on that:
all after `name:` is the name, but for an `@` and a run that `parse_reference` knows for a database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from .errors import DatabaseNotFound, UsageError
from .reference import TRANSFERS, Reference, ReferenceKind, parse_reference


if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX: Final = "name:"
_KINDS: Final = TRANSFERS | {ReferenceKind.BDB}
_MAX_CANDIDATES: Final = 10  # uids in a message


class NamedReference(msgspec.Struct, frozen=True):
    """Reference to work on a database that is given by its name; `run` is as in `Reference`."""

    kind: ReferenceKind
    name: str
    run: str = ""

    def with_uid(self, uid: int) -> Reference:
        """Return the reference to the same work on the database of a uid."""
        return Reference(self.kind, str(uid), self.run)

    def __str__(self) -> str:
        return f"{self.kind}:{_PREFIX}{self.name}" + (f"@{self.run}" if self.run else "")


def name_in(uid: int | str) -> str | None:
    """Return the name in `name:cache-prod`, or None for a uid.

    Raises `UsageError` for any other text.
    """
    if not isinstance(uid, str):
        return None
    word, colon, name = uid.strip().partition(":")
    if word != "name" or not colon or not name.strip():
        raise UsageError(
            f"{uid!r} is not the uid of a database, such as 1, nor its name, as name:NAME"
        )
    return name.strip()


def parse_any_reference(text: str) -> Reference | NamedReference:
    """Parse a reference, in which a database may be given by its name. Raises `UsageError`."""
    word, _, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
    word, rest = word.strip(), rest.strip()
    if word not in _KINDS or not rest.startswith(_PREFIX):
        return parse_reference(text)
    kind, name, run = ReferenceKind(word), rest, ""
    head, at, tail = rest.rpartition("@")
    if at and kind is ReferenceKind.BDB and _is_run(tail):
        name, run = head, tail
    return NamedReference(kind, name_in(name) or "", run)


def _is_run(text: str) -> bool:
    try:
        return parse_reference(f"{ReferenceKind.BDB}:1@{text}").run == text
    except UsageError:
        return False


def uid_of(name: str, names: Mapping[int, str]) -> int:
    """Return the uid of the database with a name, of the names of all databases by uid.

    Raises `DatabaseNotFound`, and `UsageError` if several have the name.
    """
    uids = sorted(uid for uid, each in names.items() if each == name)
    if not uids:
        raise DatabaseNotFound(name)
    if len(uids) > 1:
        raise several_named(name, uids)
    return uids[0]


def several_named(name: str, uids: list[int]) -> UsageError:
    """Return the error for a name that several databases have."""
    shown = ", ".join(map(str, uids[:_MAX_CANDIDATES]))
    more = f" and {len(uids) - _MAX_CANDIDATES} more" if len(uids) > _MAX_CANDIDATES else ""
    return UsageError(
        f"{len(uids)} databases have the name {name!r}: give the uid of one, {shown}{more}"
    )
