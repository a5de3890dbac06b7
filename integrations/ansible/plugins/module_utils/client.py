"""Client of the cluster that the options of a task name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis_enterprise_actions.sync import ActionsClient

from .options import client_arguments


if TYPE_CHECKING:
    from collections.abc import Mapping


def client_of(params: Mapping[str, Any]) -> ActionsClient:
    """Return the client that the options, the environment or the profile name.

    Raises `UsageError` for settings that are missing, or that cannot work.
    """
    arguments = client_arguments(params)
    profile = params.get("profile")
    if profile:
        return ActionsClient.from_profile(profile, **arguments)
    return ActionsClient.from_env(**arguments)
