"""Link from a task to the user interface of its cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from airflow.sdk import BaseOperatorLink

from redis_enterprise_actions import UsageError

from .compat import AirflowException
from .hooks import RedisEnterpriseHook


if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class _HasConnection(Protocol):
    redis_enterprise_conn_id: str


class RedisEnterpriseClusterLink(BaseOperatorLink):
    """Link to the user interface of the cluster: `ui_url` of the connection, or port 8443."""

    @property
    def name(self) -> str:
        """The text of the button."""
        return "Redis Enterprise cluster"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Return the address, without credentials; empty if the connection names none.

        Airflow calls it on the worker, and stores the answer as an XCom.
        """
        hook = RedisEnterpriseHook(cast("_HasConnection", operator).redis_enterprise_conn_id)
        try:
            return hook.get_settings().ui_url
        except (AirflowException, UsageError):
            return ""
