"""Description of the provider for Airflow: the connection type and the fields of its form.

The module imports nothing from Airflow, which loads it while Airflow itself is still being loaded.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping

CONN_TYPE: Final = "redis_enterprise"
HOOK_NAME: Final = "Redis Enterprise"

_PACKAGE: Final = "redis_enterprise_actions.airflow"


class FormField(NamedTuple):
    """One field of the form: a line of text, or a checkbox if `default` is a bool."""

    label: str
    description: str
    default: bool | None = None


# The extra fields that `connection` reads.
FIELDS: Final[Mapping[str, FormField]] = MappingProxyType({
    "urls": FormField(
        "URLs of more nodes",
        "Other nodes of the same cluster, with spaces between them, in case one does not answer",
    ),
    "auth": FormField("Authentication", "basic, or jwt to send the password for tokens only"),
    "ca_cert": FormField(
        "CA certificate",
        "PEM file, on workers and triggerers, with the CA of the cluster's certificate",
    ),
    "fingerprint": FormField(
        "Fingerprint", "Or the SHA-256 fingerprint of that certificate, in hexadecimal digits"
    ),
    "verify": FormField(
        "Verify the certificate", "If off, any server can pose as the cluster", default=True
    ),
    "trusted_hosts": FormField(
        "Trusted hosts", "Other hosts that nodes may redirect to, with spaces between them"
    ),
    "client_cert": FormField("Client certificate", "PEM file, instead of login and password"),
    "client_key": FormField("Client key", "PEM file, if the certificate's does not hold the key"),
    "ui_url": FormField(
        "URL of the user interface", "For links of tasks; by default, port 8443 of the host"
    ),
})  # fmt: skip

HIDDEN: Final = ("schema", "extra")
LABELS: Final[Mapping[str, str]] = MappingProxyType({"login": "User"})
PLACEHOLDERS: Final[Mapping[str, str]] = MappingProxyType({
    "host": "cluster.example.com",
    "port": "9443",
    "login": "ops@example.com",
})  # fmt: skip


def get_provider_info() -> dict[str, object]:
    """Return the description of the provider, for the entry point `apache_airflow_provider`.

    Airflow 3.2 and newer read the form from here, Airflow 3.1 from the hook.

    Source: provider_info.schema.json of Airflow, which a test holds it to.
    """
    return {
        "package-name": "redis-enterprise-actions",
        "name": HOOK_NAME,
        "description": "Long-running actions on Redis Software (Redis Enterprise) clusters.",
        "integrations": [
            {
                "integration-name": HOOK_NAME,
                "external-doc-url": "https://redis.io/docs/latest/operate/rs/",
                "tags": ["service"],
            }
        ],
        **{
            kind: [{"integration-name": HOOK_NAME, "python-modules": [f"{_PACKAGE}.{kind}"]}]
            for kind in ("operators", "sensors", "hooks", "triggers")
        },
        "extra-links": [f"{_PACKAGE}.links.RedisEnterpriseClusterLink"],
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": f"{_PACKAGE}.hooks.RedisEnterpriseHook",
                "hook-name": HOOK_NAME,
                "conn-fields": {name: _field_schema(field) for name, field in FIELDS.items()},
                "ui-field-behaviour": {
                    "hidden-fields": list(HIDDEN),
                    "relabeling": dict(LABELS),
                    "placeholders": dict(PLACEHOLDERS),
                },
            }
        ],
    }


def _field_schema(field: FormField) -> dict[str, object]:
    schema: dict[str, object] = {"type": ["string", "null"]}
    if field.default is not None:
        schema = {"type": ["boolean", "null"], "default": field.default}
    return {"label": field.label, "description": field.description, "schema": schema}
