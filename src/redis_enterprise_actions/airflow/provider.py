"""What Airflow is told: which connection type there is, and what its form asks for.

Imports nothing of Airflow's, as it is read while Airflow is being loaded, in each of its processes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping

CONN_TYPE: Final = "redis_enterprise"
HOOK_NAME: Final = "Redis Enterprise"

_HOME: Final = "redis_enterprise_actions.airflow"


class Field(NamedTuple):
    """One of the form's fields: a line of text, or a box to tick."""

    label: str
    description: str
    ticked: bool | None = None  # of a box, whether it is at first


# What `_settings` reads from the connection's extras.
FIELDS: Final[Mapping[str, Field]] = MappingProxyType({
    "urls": Field(
        "URLs of more nodes",
        "Other nodes of the same cluster, with spaces between them, for when one does not answer",
    ),
    "auth": Field("Authentication", "basic, or jwt to send the password for tokens only"),
    "ca_cert": Field(
        "CA certificate",
        "PEM file, on workers and triggerers, with the CA of the cluster's certificate",
    ),
    "fingerprint": Field(
        "Fingerprint", "Or the SHA-256 fingerprint of that certificate, in hexadecimal digits"
    ),
    "verify": Field(
        "Verify the certificate", "Without, anybody can pose as the cluster", ticked=True
    ),
    "trusted_hosts": Field(
        "Trusted hosts", "Other hosts that nodes may redirect to, with spaces between them"
    ),
    "client_cert": Field("Client certificate", "PEM file, instead of login and password"),
    "client_key": Field("Client key", "PEM file, if the certificate's does not hold the key"),
})  # fmt: skip

HIDDEN: Final = ("schema", "extra")
LABELS: Final[Mapping[str, str]] = MappingProxyType({"login": "User"})
PLACEHOLDERS: Final[Mapping[str, str]] = MappingProxyType({
    "host": "cluster.example.com",
    "port": "9443",
    "login": "ops@example.com",
})  # fmt: skip


def get_provider_info() -> dict[str, object]:
    """Describe the provider, as the entry point `apache_airflow_provider` is to.

    Airflow 3.2 and newer read the form from here, and 3.1 from the hook.

    Source: provider_info.schema.json of Airflow.
    """
    return {
        "package-name": "redis-enterprise-actions",
        "name": HOOK_NAME,
        "description": "Long-running actions on Redis Software (Redis Enterprise) clusters.",
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": f"{_HOME}.RedisEnterpriseHook",
                "hook-name": HOOK_NAME,
                "conn-fields": {name: _declared(field) for name, field in FIELDS.items()},
                "ui-field-behaviour": {
                    "hidden-fields": list(HIDDEN),
                    "relabeling": dict(LABELS),
                    "placeholders": dict(PLACEHOLDERS),
                },
            }
        ],
    }


def _declared(field: Field) -> dict[str, object]:
    schema: dict[str, object] = {"type": ["string", "null"]}
    if field.ticked is not None:
        schema = {"type": ["boolean", "null"], "default": field.ticked}
    return {"label": field.label, "description": field.description, "schema": schema}
