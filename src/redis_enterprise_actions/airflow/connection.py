"""What a connection says about the cluster. Refuses to know where Airflow keeps connections."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypedDict, cast

from redis_enterprise_actions import ActionsClient, UsageError


if TYPE_CHECKING:
    from typing import Self

_PORT: Final = 9443
_YES: Final = frozenset({"true", "1", "yes", "on"})
_NO: Final = frozenset({"false", "0", "no", "off"})
_FILES: Final = ("ca_cert", "fingerprint", "client_cert", "client_key")


class Connection(Protocol):
    """What is read of a connection of Airflow's."""

    conn_id: str
    schema: str | None
    host: str | None
    port: int | None
    login: str | None
    password: str | None

    @property
    def extra(self) -> str | None:
        """The connection's extra fields, as JSON."""
        ...


class _Trust(TypedDict, total=False):
    ca_cert: str
    fingerprint: str
    client_cert: str
    client_key: str


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """Which cluster, and as whom: what makes two clients the same. Its `repr` shows no secret."""

    urls: tuple[str, ...]
    username: str | None
    password: str | None
    auth: Literal["basic", "jwt"]
    verify: bool
    trusted_hosts: tuple[str, ...]
    trust: tuple[tuple[str, str], ...]  # files and fingerprint

    def __repr__(self) -> str:
        return f"<settings for {', '.join(self.urls)}>"

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Read a connection. Raises `UsageError` for one that names no cluster, or wrongly."""
        extra = _extra(connection)
        urls = (*_url(connection), *_several(extra.get("urls")))
        if not urls:
            raise UsageError(f"connection {connection.conn_id!r} has neither a host nor urls")
        return cls(
            urls=tuple(dict.fromkeys(urls)),
            username=connection.login or None,
            password=connection.password or None,
            auth=cast('Literal["basic", "jwt"]', extra.get("auth") or "basic"),
            verify=_verify(extra.get("verify")),
            trusted_hosts=_several(extra.get("trusted_hosts")),
            trust=tuple((name, str(extra[name])) for name in _FILES if extra.get(name)),
        )

    def client(self) -> ActionsClient:
        """Make a client. Raises `UsageError` where the settings do not go together."""
        return ActionsClient(
            self.urls,
            username=self.username,
            password=self.password,
            auth=self.auth,
            verify=self.verify,
            trusted_hosts=self.trusted_hosts,
            **cast("_Trust", dict(self.trust)),
        )


def _extra(connection: Connection) -> dict[str, object]:
    """Return the extras, without Airflow's own reader, which logs what it cannot read."""
    try:
        extra: object = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise UsageError(f"the extra of connection {connection.conn_id!r} is no JSON object")
    return cast("dict[str, object]", extra)


def _url(connection: Connection) -> tuple[str, ...]:
    host = connection.host or ""
    if not host or "://" in host:
        return (host,) if host else ()
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"  # an IPv6 address
    return (f"{connection.schema or 'https'}://{host}:{connection.port or _PORT}",)


def _several(said: object) -> tuple[str, ...]:
    """Return what is a list, or words with spaces or commas between them."""
    words = (
        cast("list[object]", said) if isinstance(said, list) else re.split(r"[\s,]+", _text(said))
    )
    return tuple(str(word) for word in words if word)


def _text(said: object) -> str:
    return "" if said is None else str(said)


def _verify(said: object) -> bool:
    """Return whether to verify: unless it is said that one should not, one does."""
    word = _text(said).strip().casefold()
    if word and word not in _YES | _NO:
        raise UsageError(f"verify is {said!r}, which is neither true nor false")
    return word not in _NO
