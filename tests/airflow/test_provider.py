"""Tests of `airflow.provider`."""

from __future__ import annotations

import dataclasses
import importlib
import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

import redis_enterprise_actions.airflow
from redis_enterprise_actions.airflow import get_provider_info
from redis_enterprise_actions.airflow.connection import ConnectionSettings
from redis_enterprise_actions.airflow.provider import FIELDS


def test_airflow_knows_the_form() -> None:
    """Airflow finds the provider by itself and builds its form."""
    (form,) = (
        form
        for form in HookMetaService.hook_meta_data()
        if form.connection_type == "redis_enterprise"
    )

    assert form.hook_class_name == "redis_enterprise_actions.airflow.hooks.RedisEnterpriseHook"
    assert form.hook_name == "Redis Enterprise"
    assert form.standard_fields.url_schema.hidden
    assert form.standard_fields.login.title == "User"
    assert form.extra_fields.keys() == FIELDS.keys()
    assert form.extra_fields["verify"]["value"] is True


def test_form_fields() -> None:
    """The extra fields of the form are those that settings read."""
    settings = {field.name for field in dataclasses.fields(ConnectionSettings)}
    trust = {"ca_cert", "fingerprint", "client_cert", "client_key"}

    assert set(FIELDS) == settings - {"conn_id", "username", "password", "trust"} | trust


def test_public_names() -> None:
    """Public names are loaded on first use; other names raise."""
    leaf = redis_enterprise_actions.airflow

    assert leaf.__all__ == sorted(leaf.__all__)
    assert all(hasattr(leaf, name) for name in leaf.__all__)
    assert leaf.get_provider_info is get_provider_info
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        leaf.nothing  # noqa: B018


def test_schema() -> None:
    """The description fits Airflow's own schema, and names modules and classes that exist."""
    schema = json.loads((files("airflow") / "provider_info.schema.json").read_text("utf-8"))
    info: dict[str, Any] = get_provider_info()
    jsonschema.validate(info, schema)

    assert set(info) <= set(schema["properties"])
    (integration,) = info["integrations"]
    for kind in ("operators", "sensors", "hooks", "triggers"):
        (entry,) = info[kind]
        assert entry["integration-name"] == integration["integration-name"]
        (module,) = entry["python-modules"]
        assert module == f"redis_enterprise_actions.airflow.{kind}"
        found = importlib.import_module(module)
        assert [name for name in vars(found) if name.startswith("RedisEnterprise")]
    classes = [*info["extra-links"], info["connection-types"][0]["hook-class-name"]]
    for path in classes:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type)
