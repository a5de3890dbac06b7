"""Arguments of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict


if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from typing import Required, TypeAlias

    from redis_enterprise_actions._client.http.auth import TokenSource

    Path: TypeAlias = "str | os.PathLike[str]"


class Given(TypedDict, total=False):
    """What goes before the environment; None is nothing given. See `ActionsClient`."""

    url: str | Sequence[str] | None
    username: str | None
    password: str | None
    token: str | TokenSource | None
    auth: Literal["basic", "jwt"] | None
    client_cert: Path | None
    client_key: Path | None
    ca_file: Path | None
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
    ca_file: Path
    fingerprint: str
    verify: bool
    trusted_hosts: Iterable[str]


class Masked(dict[str, Any]):
    """A dict whose `repr` does not show what is in it."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}>"
