"""Tests of `airflow.provider`."""

from __future__ import annotations

import dataclasses

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

    assert form.hook_class_name == "redis_enterprise_actions.airflow.RedisEnterpriseHook"
    assert form.hook_name == "Redis Enterprise"
    assert form.standard_fields.url_schema.hidden
    assert form.standard_fields.login.title == "User"
    assert form.extra_fields.keys() == FIELDS.keys()
    assert form.extra_fields["verify"]["value"] is True


def test_form_fields() -> None:
    """The extra fields of the form are those that settings read."""
    settings = {field.name for field in dataclasses.fields(ConnectionSettings)}
    trust = {"ca_cert", "fingerprint", "client_cert", "client_key"}

    assert set(FIELDS) == settings - {"username", "password", "trust"} | trust


def test_public_names() -> None:
    """Public names are loaded on first use; other names raise."""
    leaf = redis_enterprise_actions.airflow

    assert leaf.__all__ == sorted(leaf.__all__)
    assert all(hasattr(leaf, name) for name in leaf.__all__)
    assert leaf.get_provider_info is get_provider_info
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        leaf.nothing  # noqa: B018
