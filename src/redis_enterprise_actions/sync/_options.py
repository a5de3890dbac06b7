"""Options of a client, as the environment or a profile gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis_enterprise_actions import ActionsClient as AsyncActionsClient


if TYPE_CHECKING:
    from collections.abc import Mapping


class AsyncOptions(AsyncActionsClient):
    """Client that keeps the options with which it would be made, and is none."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of the client, of any type
        self.options = options


def options_of(client: AsyncOptions) -> Mapping[str, Any]:
    """Return the options of a client, but the session, which belongs to one event loop."""
    return {name: value for name, value in client.options.items() if name != "session"}
