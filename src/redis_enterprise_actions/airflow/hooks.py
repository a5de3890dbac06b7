"""Where the connection comes from, and what its form looks like."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from airflow.sdk import BaseHook

from redis_enterprise_actions import ActionsClient, RedisActionsError

from .connection import Settings
from .provider import CONN_TYPE, FIELDS, HIDDEN, HOOK_NAME, LABELS, PLACEHOLDERS


class RedisEnterpriseHook(BaseHook):
    """A Redis Software cluster, as a connection of the type `redis_enterprise` describes it.

    Host, port (9443 by default), login and password are what they say. Extras: `urls`, more nodes
    of the same cluster; `auth`, "basic" or "jwt"; `ca_cert`, `fingerprint` and `verify`;
    `trusted_hosts`; `client_cert` and `client_key`. They mean what the arguments of
    `ActionsClient` do, and files are read where the task or its trigger runs. Lists are JSON lists,
    or text with spaces between the items.
    """

    conn_name_attr: ClassVar[str] = "redis_enterprise_conn_id"
    default_conn_name: ClassVar[str] = "redis_enterprise_default"
    conn_type: ClassVar[str] = CONN_TYPE
    hook_name: ClassVar[str] = HOOK_NAME

    def __init__(self, redis_enterprise_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.redis_enterprise_conn_id = redis_enterprise_conn_id

    def get_client(self) -> ActionsClient:
        """Return a client of one's own, to be used with `async with`.

        Raises `UsageError` for a connection that cannot work, and what Airflow raises for one that
        is not there. In a trigger, where Airflow cannot be asked like this, use `aget_settings`.
        """
        return Settings.of(self.get_connection(self.redis_enterprise_conn_id)).client()

    def get_conn(self) -> ActionsClient:
        """Return what `get_client` does: this is what Airflow calls it."""
        return self.get_client()

    async def aget_settings(self) -> Settings:
        """Return what the connection says, asked for without blocking the event loop."""
        return Settings.of(await self.aget_connection(self.redis_enterprise_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Ask the cluster for its actions; return whether it answers, and what to tell people."""
        try:
            count = asyncio.run(_count_actions(self.get_client()))
        except RedisActionsError as error:
            return False, str(error)
        return True, f"The cluster answers: it knows of {count} actions"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, object]:
        """Return how the form's usual fields are to look, for Airflow 3.1."""
        return {
            "hidden_fields": list(HIDDEN),
            "relabeling": dict(LABELS),
            "placeholders": dict(PLACEHOLDERS),
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, object]:
        """Return the form's own fields, for Airflow 3.1, which puts stand-ins for these modules."""
        # Newer ones do without.
        from wtforms import BooleanField, StringField  # type: ignore[import-untyped] # noqa: PLC0415

        return {
            name: StringField(field.label, description=field.description)
            if field.ticked is None
            else BooleanField(field.label, description=field.description, default=field.ticked)
            for name, field in FIELDS.items()
        }


async def _count_actions(client: ActionsClient) -> int:
    async with client:
        return len(await client.list_actions())
