"""What the environment says about the cluster: the variables `REDIS_ENTERPRISE_*`.

Knows their names, and which argument each stands for. Refuses to know what the arguments mean.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from ._errors import UsageError


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Required, TypeAlias

    from ._access import TokenSource

    Path: TypeAlias = "str | os.PathLike[str]"

_PREFIX: Final = "REDIS_ENTERPRISE_"
_TOKEN: Final = {"token": "TOKEN"}
_USER: Final = {"username": "USER", "password": "PASSWORD", "auth": "AUTH"}
_CLIENT: Final = {"client_cert": "CLIENT_CERT", "client_key": "CLIENT_KEY"}
_TRUST: Final = {"ca_file": "CA_CERT", "fingerprint": "FINGERPRINT"}
_LISTS: Final = {"url": "URL", "trusted_hosts": "TRUSTED_HOSTS"}
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"", "0", "false", "no", "off"})


class Given(TypedDict, total=False):
    """What goes before the environment; None is nothing given. See `ActionsClient`."""

    url: str | Sequence[str] | None
    username: str | None
    password: str | None
    token: str | TokenSource | None
    auth: Literal["basic", "jwt"] | None
    client_cert: Path | None
    client_key: Path | None
    ca_file: Path | None
    fingerprint: str | None
    verify: bool | None
    trusted_hosts: Iterable[str] | None


class Arguments(TypedDict, total=False):
    """What `ActionsClient` is to be made with."""

    url: Required[str | Sequence[str]]
    username: str
    password: str
    token: str | TokenSource
    auth: Literal["basic", "jwt"]
    client_cert: Path
    client_key: Path
    ca_file: Path
    fingerprint: str
    verify: bool
    trusted_hosts: Iterable[str]


class Masked(dict[str, Any]):
    """A dict whose `repr` does not show what is in it."""

    def __repr__(self) -> str:
        return f"<{', '.join(self)}>"


def complete(given: Masked) -> None:
    """Add to what is given what the environment says, and drop what nobody says.

    A variable that is set to nothing says nothing. A token goes before a user, unless one is given.
    Where one way to prove who we are is given, or one to know the cluster, the variables for the
    others are not looked at.
    """
    for name in [name for name, value in given.items() if value is None]:
        del given[name]
    if "client_cert" not in given:
        if not given.keys() & _USER.keys():
            _take(given, _TOKEN)
        if "token" not in given:
            _take(given, _USER)
        _take(given, _CLIENT)
    for name, variable in _LISTS.items():
        if not given.get(name) and _several(variable):
            given[name] = _several(variable)
    if not given.get("url"):
        raise UsageError("no cluster is given: REDIS_ENTERPRISE_URL is not set")
    if not given.keys() & {"verify", "ca_file", "fingerprint"} and _insecure():
        given["verify"] = False
    if given.get("verify", True) and not given.keys() & _TRUST.keys():
        _take(given, _TRUST)


def _take(given: Masked, variables: Mapping[str, str]) -> None:
    for name, variable in variables.items():
        if name not in given and _said(variable):
            given[name] = _said(variable)


def _said(variable: str) -> str:
    return os.environ.get(_PREFIX + variable, "")


def _several(variable: str) -> list[str]:
    return re.findall(r"[^\s,]+", _said(variable))


def _insecure() -> bool:
    said = _said("INSECURE").strip().casefold()
    if said not in _YES | _NO:
        raise UsageError(f"REDIS_ENTERPRISE_INSECURE={said!r} is neither true nor false")
    return said in _YES
