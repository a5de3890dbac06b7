"""Facts about `_keyring`: whose password is found, and what is said where there is no keyring."""

from __future__ import annotations

import sys

import keyring
import keyring.backend
import keyring.errors
import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._client.config.secrets import (
    delete_password,
    load_password,
    save_password,
)
from redis_enterprise_actions._client.http.auth import Secret
from tests.memory_keyring import MemoryKeyring
from tests.secrecy import leaks_of


ACCOUNT = "ops@n1:9443"
SECRET = "hunter2-hunter2"


@pytest.mark.enable_socket
def test_round_trip(memory_keyring: MemoryKeyring) -> None:
    """What is stored is found again, by its account, until it is forgotten."""
    save_password(ACCOUNT, Secret(SECRET))
    assert memory_keyring.passwords == {("redis-actions", ACCOUNT): SECRET}
    assert load_password(ACCOUNT) == Secret(SECRET)
    assert load_password("ops@n2:9443") is None
    assert delete_password(ACCOUNT)

    assert load_password(ACCOUNT) is None
    assert not delete_password(ACCOUNT)


class Locked(MemoryKeyring):
    """A keyring that cannot be opened."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.KeyringLocked(password)

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.NoKeyringError


def test_no_use(memory_keyring: MemoryKeyring) -> None:
    """A keyring that does not work is wrong usage, and takes no password with it."""
    keyring.set_keyring(Locked())
    with pytest.raises(UsageError) as caught:
        save_password(ACCOUNT, Secret(SECRET))

    assert str(caught.value) == "the system's keyring cannot be used: KeyringLocked"
    assert leaks_of(caught.value) == []
    with pytest.raises(UsageError, match="cannot be used: NoKeyringError"):
        load_password(ACCOUNT)


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library is missing, it says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(UsageError) as caught:
        load_password(ACCOUNT)
    assert "pip install 'redis-enterprise-actions[keyring]'" in str(caught.value)
