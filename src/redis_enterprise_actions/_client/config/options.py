"""Arguments of a client."""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict


if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Required, TypeAlias

    from redis_enterprise_actions._client.http.auth import TokenSource

    Path: TypeAlias = "str | os.PathLike[str]"

_SIMILAR: Final = 0.75  # ratio of `difflib`; "cluster" and "user" have 0.73
# Names that other clients, or other places of a setting of this one, use.
_SYNONYMS: Final[Mapping[str, str]] = MappingProxyType({
    "ca_bundle": "ca_cert",
    "ca_file": "ca_cert",
    "cafile": "ca_cert",
    "cert": "client_cert",
    "host": "url",
    "key": "client_key",
    "username": "user",
    "verify": "insecure",
})  # fmt: skip


class Given(TypedDict, total=False):
    """What goes before the environment; None is nothing given. See `ActionsClient`."""

    url: str | Sequence[str] | None
    username: str | None
    password: str | None
    token: str | TokenSource | None
    auth: Literal["basic", "jwt"] | None
    client_cert: Path | None
    client_key: Path | None
    ca_cert: Path | None
    fingerprint: str | None
    verify: bool | None
    trusted_hosts: Iterable[str] | None


class Arguments(TypedDict, total=False):
    """What `ActionsClient` is to be made with."""

    url: Required[str | Sequence[str]]
    username: str
    password: str
    token: str | TokenSource
    auth: Literal["basic", "jwt"]
    client_cert: Path
    client_key: Path
    ca_cert: Path
    fingerprint: str
    verify: bool
    trusted_hosts: Iterable[str]


class Masked(dict[str, Any]):
    """A dict whose `repr` does not show what is in it."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}>"


def similar_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known setting that a wrong name most likely stands for, or None."""
    names = list(known)
    synonym = _SYNONYMS.get(name)
    if synonym in names:
        return synonym
    return next(iter(difflib.get_close_matches(name, names, 1, _SIMILAR)), None)
