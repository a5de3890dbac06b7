"""Tests of `airflow.masking`: no secret of a call is shown by Airflow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG
from airflow.sdk._shared.secrets_masker import redact, reset_secrets_masker
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

from redis_enterprise_actions.airflow.masking import secrets_in, without_secrets
from redis_enterprise_actions.airflow.operators import (
    RedisEnterpriseExportDatabaseOperator,
    RedisEnterpriseOperator,
)


if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = 'hunter2-"quoted"-hunter2'
PARAMS = {
    "body": {"authentication_redis_pass": SECRET},
    "secret": SECRET,
    "url": "sftp://ops:hunter2-url@host/dir",
}


@pytest.fixture(autouse=True)
def masker() -> Iterator[None]:
    """Airflow's masker without what other tests have told it."""
    reset_secrets_masker()
    yield
    reset_secrets_masker()


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ({"authentication_redis_pass": "hunter2"}, {"hunter2"}),
        (
            {"location": {"secret_access_key": "k1", "access_key_id": "k2", "bucket": "b"}},
            {"k1", "k2"},
        ),
        ({"credentials": {"client": ["c1", {"deep": "c2"}], "empty": ""}}, {"c1", "c2"}),
        ([{"password": "p1"}, {"name": "token"}], {"p1"}),
        (({"token": "t1"},), {"t1"}),
        ({"sources": [{"uri": "redis://admin:p1@host:12000"}]}, {"p1"}),
        ('{"password": "a\\"b", "name": "x"}', {'a\\"b', 'a"b'}),
        ('[{"credentials": ["c1"]}]', {"c1"}),
        ('{"password": "not closed"', {"not closed", '{"password": "not closed"'}),
        ("{'authentication_redis_pass': 'hunter2'}", {"hunter2"}),
        ("{'password': 'it\\'s', 'name': 'x'}", {"it\\'s", "it's"}),
        ("{'credentials': ('c1', 5)}", {"c1", "5"}),
        (
            "name: x\npassword: hunter 2\nport: 1",
            {"hunter 2", "name: x\npassword: hunter 2\nport: 1"},
        ),
        ("{{ 1 }}", set()),
        ({"password": 70123456789}, {"70123456789"}),
        ('{"password": 70123456789, "port": 12000}', {"70123456789"}),
        ({"password_hash_algorithm": "SHA-256", "private": "false", "token_type": "bearer"}, set()),
        ({"passwords": ["p1"], "accessKey": "k1", "private_key_id": "k2"}, {"p1", "k1", "k2"}),
        ({"password": "False", "secret": "none"}, set()),
        ("/v1/bdbs/1/upgrade", set()),
        ({"X-Task-ID": "mine", "Authorization": "Basic abc"}, {"Basic abc"}),
        ({"memory_size": 1, "password": None, "private": True}, set()),
        (None, set()),
    ],
)
def test_found(value: object, secrets: set[str]) -> None:
    """Secrets are found by the names of their fields, in JSON, text and URLs."""
    assert set(secrets_in(value)) == secrets


def test_left_out() -> None:
    """An answer keeps everything but its secrets."""
    answer = {
        "name": "x",
        "authentication_admin_pass": "p1",
        "ssl_key": "",
        "replica_sources": [{"uri": "redis://admin:p2@host:12000", "lag": 1}],
    }

    assert without_secrets(answer) == {
        "name": "x",
        "authentication_admin_pass": "***",
        "ssl_key": "",
        "replica_sources": [{"uri": "redis://admin:***@host:12000", "lag": 1}],
    }


def rendered(body: object) -> str:
    """Return the rendered fields of an operator as Airflow stores them, after rendering."""
    with DAG("d", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
        op = RedisEnterpriseOperator(task_id="t", method="POST", path="/v1/bdbs", json=body)
    op.render_template_fields({"params": PARAMS})  # type: ignore[typeddict-item]
    return json.dumps(_serialize_rendered_fields(op))


@pytest.mark.parametrize(
    "body",
    [
        {"authentication_redis_pass": SECRET},
        {"authentication_redis_pass": "{{ params.secret }}"},
        '{"authentication_redis_pass": {{ params.secret | tojson }}}',
        {"backup_location": {"type": "url", "url": "{{ params.url }}"}},
        {"credentials": ["{{ params.secret }}"]},
        "{{ params.body }}",
        "name: x\nauthentication_redis_pass: {{ params.secret }}",
    ],
    ids=["literal", "template", "template of text", "URL", "list", "Python", "YAML"],
)
def test_rendered_fields(body: object) -> None:
    """Rendered fields and log lines show no secret, and still show the rest."""
    shown = rendered(body)

    assert "hunter2" not in shown
    assert "***" in shown
    assert "/v1/bdbs" in shown
    if "url" not in str(body):
        assert "hunter2" not in str(redact(f"the cluster said: {SECRET}"))


def test_mapped() -> None:
    """The secrets of a mapped task are masked, too."""
    with DAG("d", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)):
        mapped = RedisEnterpriseExportDatabaseOperator.partial(
            task_id="t", location={"type": "s3", "secret_access_key": SECRET}
        ).expand(bdb_uid=[1, 2])
    op = mapped.unmap({"bdb_uid": 1})
    op._do_render_template_fields(op, op.template_fields, {}, op.get_template_env(), set())

    assert "hunter2" not in json.dumps(_serialize_rendered_fields(op))


def test_template_that_cannot_be_rendered() -> None:
    """A literal secret beside a broken template is masked in Airflow's error, too."""
    with pytest.raises(Exception, match="missing"):
        rendered({"authentication_redis_pass": SECRET, "name": "{{ params.missing.deep }}"})

    assert "hunter2" not in str(redact(SECRET))
