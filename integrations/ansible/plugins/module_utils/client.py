"""Client of a cluster with plain calls, for modules, which have no event loop."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .options import client_arguments


if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_client(params: Mapping[str, Any]) -> Iterator[Any]:
    """Open the client that the options, the environment or the profile name.

    Raises `UsageError` for settings that are missing, or that cannot work.
    """
    import asyncio
    import inspect

    from redis_enterprise_actions import ActionsClient

    class Plain:
        """Object whose coroutine functions are called as functions."""

        def __init__(self, inner: object) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            value = getattr(self._inner, name)
            if not callable(value):
                return (
                    Plain(value)
                    if type(value).__module__.startswith("redis_e")
                    and name in {"databases", "nodes", "cluster", "shards", "crdbs"}
                    else value
                )

            def call(*args: Any, **kwargs: Any) -> Any:
                async def made() -> Any:
                    result = value(*args, **kwargs)
                    return (
                        await result
                        if inspect.isawaitable(result) and inspect.iscoroutine(result)
                        else result
                    )

                result = runner.run(made())
                return Plain(result) if type(result).__name__ == "Operation" else result

            return call

    with asyncio.Runner() as runner:

        async def make() -> ActionsClient:
            profile = params.get("profile")
            arguments = client_arguments(params)
            if profile:
                return ActionsClient.from_profile(profile, **arguments)
            return ActionsClient.from_env(**arguments)

        client = runner.run(make())
        try:
            yield Plain(client)
        finally:
            runner.run(client.aclose())
