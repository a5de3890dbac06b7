"""Tests of `_client.http.redaction`: secrets that no output shows, and texts without them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_enterprise_actions._client.http.redaction import (
    Secret,
    as_secret,
    credentials_of,
    secrets_in,
    without_secrets,
)
from tests.conftest import examples


SECRET = "hunter2-hunter2"

# Bodies that hold a secret, and that secret.
SECRET_BODIES: list[tuple[dict[str, Any], str]] = [
    ({"authentication_redis_pass": SECRET}, SECRET),
    ({"Password": SECRET}, SECRET),
    ({"a": {"b": [{"secret_access_key": SECRET}]}}, SECRET),
    ({"export_location": {"access_key_id": SECRET}}, SECRET),
    ({"export_location": {"account_key": SECRET}}, SECRET),
    ({"export_location": {"key": SECRET}}, SECRET),
    ({"sas_token": (SECRET,)}, SECRET),
    ({"credentials": {"name": {"of": SECRET}}}, SECRET),
    ({"private_key": SECRET}, SECRET),
    ({"export_location": {"url": f"sftp://ops:{SECRET}@host/x"}}, SECRET),
    ({"replica_sources": [{"uri": f"redis://:{SECRET}@host:1"}]}, SECRET),
    ({"a_password": SECRET[:4], "b_password": SECRET}, SECRET[4:8]),
    ({"license": SECRET}, SECRET),
    ({"password": 20261201}, "20261201"),
    ({"credentials": {"pin": [1234.5]}}, "1234.5"),
]


def test_secret() -> None:
    """Only `reveal` shows a secret."""
    secret = as_secret(SECRET)

    assert (repr(secret), str(secret), f"{secret}", str([secret])) == ("***", "***", "***", "[***]")
    assert secret == Secret(SECRET)
    assert secret != SECRET
    assert len({secret, Secret(SECRET)}) == 1
    assert as_secret(None) is None


@pytest.mark.parametrize("scheme", ["Basic", "JWT", "Bearer"])
def test_credentials_of(scheme: str) -> None:
    """The credentials of a header are what follows the scheme."""
    credentials = base64.b64encode(f"ops:{SECRET}".encode())

    assert credentials_of(Secret(f"{scheme} {credentials.decode()}")) == credentials


def test_short_credentials() -> None:
    """Credentials that may be in a body by chance are not looked for."""
    assert credentials_of(Secret("JWT true")) == b""


@pytest.mark.parametrize(
    ("body", "secret"), SECRET_BODIES, ids=[json.dumps(body) for body, _ in SECRET_BODIES]
)
def test_secrets_in_a_body(body: dict[str, Any], secret: str) -> None:
    """A text of the cluster has stars for each secret of a body, and its other words."""
    text = without_secrets(secrets_in(body), f"not this: {body}, sorry")

    assert text is not None
    assert secret not in text
    assert text.startswith("not this: ")
    assert "***" in text
    assert text.endswith("sorry")


@pytest.mark.parametrize(
    "body",
    [
        *({"password": "abc"}, {"password": 12}, {"password": True}, {"name": SECRET}),
        *({"license_name": SECRET}, {"port": 12345}),
        *([SECRET], SECRET, None, 5),
    ],
)
def test_no_secret(body: object) -> None:
    """Short texts, and values of other names, are no secrets."""
    assert secrets_in(body) == ()
    assert without_secrets(secrets_in(body), None) is None


@settings(max_examples=examples(100))
@given(
    st.lists(st.text("abc", min_size=4, max_size=8), max_size=4).flatmap(
        lambda secrets: st.tuples(
            st.just(secrets),
            st.lists(st.sampled_from([*secrets, " ", "no"])).map("".join),
        )
    )
)
def test_any_secrets(drawn: tuple[list[str], str]) -> None:
    """No secret is left, whatever the secrets are and wherever they stand."""
    secrets, text = drawn
    left = without_secrets(secrets_in({"password": secrets}), text) or ""

    assert [secret for secret in secrets if secret in left] == []
