"""Which passwords the system's keyring holds for the command, each as `user@host`.

So a password is found for the host only that it was stored for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from redis_enterprise_actions._client.http.auth import Secret, hidden
from redis_enterprise_actions._model.errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_T = TypeVar("_T")

_SERVICE: Final = "redis-actions"


def recall(account: str) -> Secret | None:
    """Return the password of an account, or None if the keyring has none."""
    return _ask(lambda keyring: hidden(keyring.get_password(_SERVICE, account)))


def store(account: str, password: Secret) -> None:
    """Store the password of an account, instead of any that there is."""
    _ask(lambda keyring: keyring.set_password(_SERVICE, account, password.reveal()))


def forget(account: str) -> bool:
    """Remove the password of an account; return whether there was one."""
    if recall(account) is None:
        return False
    _ask(lambda keyring: keyring.delete_password(_SERVICE, account))
    return True


def _ask(question: Callable[[ModuleType], _T]) -> _T:
    try:
        import keyring  # noqa: PLC0415 - an extra, wanted only here
        import keyring.errors  # noqa: PLC0415 - ditto
    except ImportError:
        raise UsageError(
            "the keyring needs a library: pip install 'redis-enterprise-actions[keyring]'"
        ) from None
    try:
        return question(keyring)
    except (keyring.errors.KeyringError, OSError) as error:
        problem = f"the system's keyring cannot be used: {type(error).__name__}"
    raise UsageError(problem)  # without that error, whose frames may show the password
