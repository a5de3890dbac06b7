"""Settings of a fake cluster that its server and its routes read, and its log of requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias


Version: TypeAlias = Literal["7.4", "7.8", "7.22", "8.0", "8.0.16", "8.2"]
MAX_NODES: Final = 100  # more than clusters have; each one takes a port
HAS_V2: Final = "7.22"  # the first version with /v2/actions


class ClusterSettings(Protocol):
    """The attributes of `FakeCluster` that its answers depend on.

    They are read at each request, as a test may change them at any time.
    """

    username: str
    password: str
    basic: bool
    token_ttl: float
    handle_redirects: bool
    redirect_to: str | None
    bare_node_actions: bool
    bare_crdb_tasks: bool
    not_cancellable: set[str]
    name: str
    allow_modules_upload: bool
    requests: list[SeenRequest]

    @property
    def version(self) -> Version:
        """Version of the cluster's software, which does not change."""
        ...

    @property
    def lateness(self) -> float:
        """Delay, in seconds, until what has begun is shown."""
        ...


def is_since(version: str, since: str) -> bool:
    """Return True if `version` is `since` or a later version."""
    return [int(part) for part in version.split(".")] >= [int(part) for part in since.split(".")]


@dataclass(kw_only=True, slots=True)
class SeenRequest:
    """A request that the fake cluster received, and the status that it answered.

    `time` is that of the cluster's clock, in seconds; `path` is as sent, still quoted; `status` is
    None until the answer, and for ever if the connection was closed without one; `node` is the
    receiving node. `has_credentials` is True if it came with an Authorization header or a client's
    certificate. Neither headers nor bodies are kept.
    """

    time: float
    method: str
    path: str
    status: int | None = None
    node: int = 1
    has_credentials: bool = False
