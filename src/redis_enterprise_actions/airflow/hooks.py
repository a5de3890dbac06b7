"""Airflow hook: the connection to a cluster and its form."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from airflow.sdk import BaseHook

from redis_enterprise_actions import ActionsClient, RedisActionsError

from .compat import AirflowNotFoundException
from .connection import ConnectionSettings, in_words_of_connections
from .provider import CONN_TYPE, FIELDS, HIDDEN, HOOK_NAME, LABELS, PLACEHOLDERS


class RedisEnterpriseHook(BaseHook):
    """Hook for the cluster that a connection of the type `redis_enterprise` describes.

    The fields are host, port (9443 by default), login and password. Extra fields: `urls`, more
    nodes of the same cluster; `auth`, "basic" or "jwt"; `ca_cert`, `fingerprint` and `verify`;
    `trusted_hosts`; `client_cert` and `client_key`. They mean the same as the arguments of
    `ActionsClient`. `ui_url` is the address that tasks link to, by default port 8443 of the host.
    Files are read where the task or its trigger runs. Lists are JSON lists, or text with spaces
    between the items.
    """

    conn_name_attr: ClassVar[str] = "redis_enterprise_conn_id"
    default_conn_name: ClassVar[str] = "redis_enterprise_default"
    conn_type: ClassVar[str] = CONN_TYPE
    hook_name: ClassVar[str] = HOOK_NAME

    def __init__(self, redis_enterprise_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.redis_enterprise_conn_id = redis_enterprise_conn_id

    def get_client(self) -> ActionsClient:
        """Return a new client, to be used with `async with`.

        Raises `UsageError` for a connection with wrong fields, and Airflow's error for a missing
        one. Triggers use `aget_settings`, as this method blocks the event loop.
        """
        return self.get_settings().make_client()

    def get_conn(self) -> ActionsClient:
        """Return a new client: Airflow's name for `get_client`."""
        return self.get_client()

    def get_settings(self) -> ConnectionSettings:
        """Return the settings of the connection. Raises what `get_client` raises."""
        return ConnectionSettings.from_connection(
            self.get_connection(self.redis_enterprise_conn_id)
        )

    async def aget_settings(self) -> ConnectionSettings:
        """Return the settings of the connection, without blocking the event loop.

        Where Airflow runs a trigger in the process of the task (`airflow dags test`), it can ask
        for connections of its database only from synchronous code, and the asynchronous way finds
        none of them.
        """
        try:
            connection = await self.aget_connection(self.redis_enterprise_conn_id)
        except AirflowNotFoundException:
            return await asyncio.to_thread(self.get_settings)
        return ConnectionSettings.from_connection(connection)

    def test_connection(self) -> tuple[bool, str]:
        """List the actions of the cluster; return True or False, and a message for the user."""
        try:
            count = asyncio.run(_count_actions(self.get_client()))
        except RedisActionsError as error:
            return False, in_words_of_connections(str(error))
        return True, f"The cluster answers: it knows of {count} actions"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, object]:
        """Return the appearance of the form's standard fields, for Airflow 3.1."""
        return {
            "hidden_fields": list(HIDDEN),
            "relabeling": dict(LABELS),
            "placeholders": dict(PLACEHOLDERS),
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, object]:
        """Return the form's own fields, for Airflow 3.1."""
        # Airflow 3.1 replaces wtforms with mocks; newer versions do not call this method.
        from wtforms import BooleanField, StringField  # type: ignore[import-untyped] # noqa: PLC0415

        return {
            name: StringField(field.label, description=field.description)
            if field.default is None
            else BooleanField(field.label, description=field.description, default=field.default)
            for name, field in FIELDS.items()
        }


async def _count_actions(client: ActionsClient) -> int:
    async with client:
        return len(await client.list_actions())
