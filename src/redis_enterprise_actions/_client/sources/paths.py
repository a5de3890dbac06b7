"""Paths of the API, and the uids in them."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.unawaited import refuse_unawaited


UNUSABLE_UIDS: Final = frozenset({"", ".", ".."})  # no path can hold them


def quoted_uid(uid: str, what: str = "an action") -> str:
    """Quote a uid for a path, without the blanks around it.

    Raises `UsageError` for a uid that would change the path.
    """
    if not isinstance(uid, str) or uid.strip() in UNUSABLE_UIDS:
        refuse_unawaited(uid)
        raise UsageError(f"{uid!r} is not the uid of {what}")
    try:
        return quote(uid.strip(), safe="")
    except UnicodeEncodeError:
        raise UsageError(f"{uid!r} is not the uid of {what}") from None


def checked_uid(uid: int, what: str = "database") -> int:
    """Return the uid of a database or a node. Raises `UsageError` if it is not one."""
    if not isinstance(uid, int) or isinstance(uid, bool) or uid < 0:
        refuse_unawaited(uid)
        raise UsageError(f"{uid!r} is not the uid of a {what}, such as 1")
    return uid
