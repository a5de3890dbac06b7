"""What the environment says about the cluster: the variables `REDIS_ENTERPRISE_*`.

Knows their names, and which argument each stands for. Refuses to know what the arguments mean.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Final

from redis_enterprise_actions._model.errors import UsageError

from .options import similar_name


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from .options import Masked

    Said: TypeAlias = "Callable[[str], str]"  # of a variable, without its prefix; "" is nothing

_log = logging.getLogger(__name__)

_PREFIX: Final = "REDIS_ENTERPRISE_"
_TOKEN: Final = {"token": "TOKEN"}
_USER: Final = {"username": "USER", "password": "PASSWORD", "auth": "AUTH"}
_CLIENT: Final = {"client_cert": "CLIENT_CERT", "client_key": "CLIENT_KEY"}
_TRUST: Final = {"ca_cert": "CA_CERT", "fingerprint": "FINGERPRINT"}
_LISTS: Final = {"url": "URL", "trusted_hosts": "TRUSTED_HOSTS"}
_VARIABLES: Final = (
    *("URL", "TRUSTED_HOSTS", "USER", "PASSWORD", "AUTH", "TOKEN", "CLIENT_CERT", "CLIENT_KEY"),
    *("CA_CERT", "FINGERPRINT", "INSECURE"),
)
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"", "0", "false", "no", "off"})


def complete(given: Masked) -> None:
    """Add to what is given what the environment says, and drop what nobody says.

    Raises `UsageError` where there is no cluster to ask.
    """
    warn_of_wrong_names()
    fill(given, environment)
    if not given.get("url"):
        raise UsageError("no cluster is given: REDIS_ENTERPRISE_URL is not set")


def fill(given: Masked, said: Said) -> None:
    """Add to what is given what `said` says of it, and drop what nobody says.

    A variable that is set to nothing says nothing. A token goes before a user, unless one is given.
    Where one way to prove who we are is given, or one to know the cluster, the variables for the
    others are not looked at.
    """
    for name in [name for name, value in given.items() if value is None]:
        del given[name]
    for name, variable in _LISTS.items():
        several = [] if given.get(name) else re.findall(r"[^\s,]+", said(variable))
        if several:
            given[name] = several
    _prove(given, said)
    _trust(given, said)


def environment(variable: str) -> str:
    """Return what the environment says of `URL`, which is the variable `REDIS_ENTERPRISE_URL`."""
    return os.environ.get(_PREFIX + variable, "")


def warn_of_wrong_names() -> None:
    """Log a warning for each variable whose name is nearly that of a known one.

    Any other `REDIS_ENTERPRISE_*` may be meant for another program: in Kubernetes, a service
    `redis-enterprise` alone adds a dozen.
    """
    known = {variable.lower(): _PREFIX + variable for variable in _VARIABLES}
    for name in sorted(os.environ):
        setting = name.removeprefix(_PREFIX).lower()
        if not name.startswith(_PREFIX) or setting in known:
            continue
        similar = similar_name(setting, known)
        if similar is not None:
            fields = {"event": "unknown variable", "variable": name, "similar": known[similar]}
            text = "%s in the environment is unknown; did you mean %s?"
            _log.warning(text, name, known[similar], extra=fields)


def _prove(given: Masked, said: Said) -> None:
    """Add who we are."""
    certified = "client_cert" in given
    by_name = bool(given.keys() & _USER.keys())
    if not certified and not by_name:
        _take(given, _TOKEN, said)
    if "token" not in given and (by_name or not certified):
        _take(given, _USER, said)
    if not certified:
        _take(given, _CLIENT, said)


def _trust(given: Masked, said: Said) -> None:
    """Add what the cluster is known by."""
    if not given.keys() & {"verify", "ca_cert", "fingerprint"}:
        insecure = _insecure(said("INSECURE"))
        if insecure is not None:
            given["verify"] = not insecure
    if given.get("verify", True) and not given.keys() & _TRUST.keys():
        _take(given, _TRUST, said)


def _take(given: Masked, variables: Mapping[str, str], said: Said) -> None:
    for name, variable in variables.items():
        if name not in given:
            given[name] = said(variable)
            if not given[name]:
                del given[name]


def _insecure(said: str) -> bool | None:
    word = said.strip().casefold()
    if word not in _YES | _NO:
        raise UsageError(f"REDIS_ENTERPRISE_INSECURE={word!r} is neither true nor false")
    return word in _YES if word else None
