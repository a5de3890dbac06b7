"""Settings of a fake cluster that its server and its routes read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias


if TYPE_CHECKING:
    from redis_enterprise_actions.testing.server.middleware import SeenRequest

Version: TypeAlias = Literal["7.4", "7.8", "7.22", "8.0"]


class ClusterSettings(Protocol):
    """The attributes of `FakeCluster` that decide about answers.

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
    """Return True if a version has what came with another one."""
    return [int(part) for part in version.split(".")] >= [int(part) for part in since.split(".")]
