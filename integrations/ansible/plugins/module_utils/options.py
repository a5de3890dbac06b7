"""Options that the modules share, and the arguments of the client that they stand for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping


# The options of the cluster and its user, as Ansible specifies them
CONNECTION = {
    "url": {"type": "list", "elements": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "auth": {"type": "str", "choices": ["basic", "jwt"]},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},  # the path of a file
    "ca_cert": {"type": "path"},
    "fingerprint": {"type": "str"},
    "validate_certs": {"type": "bool"},
    "trusted_hosts": {"type": "list", "elements": "str"},
    "request_timeout": {"type": "str"},
    "profile": {"type": "str"},
}
# The limits of a wait; `timeout` and `outage_timeout` are durations such as `30m`, or seconds
WAIT = {
    "timeout": {"type": "str"},
    "stall_timeout": {"type": "str"},
    "outage_timeout": {"type": "str", "default": "5m"},
    "hold": {"type": "str"},
}
# Options of the module that have another name as arguments of the client
_RENAMED = {"validate_certs": "verify"}
_NUMBER = r"([\d.]+)"
_DURATION = re.compile(
    rf"{_NUMBER}|(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?",
    re.ASCII,
)
_UNITS = (1.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)  # seconds, by group of `_DURATION`
_IN_PROFILE = frozenset({"request_timeout"})  # may be given beside a profile


def client_arguments(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `ActionsClient.from_env` that the options give."""
    given = {name: params[name] for name in CONNECTION if params.get(name) not in (None, [])}
    given.pop("profile", None)
    return {_RENAMED.get(name, name): value for name, value in given.items()}


def beside_profile(params: Mapping[str, Any]) -> list[str]:
    """Return the options that cannot be given together with a profile, and are."""
    allowed = _IN_PROFILE | {"profile"}
    return [
        name
        for name in CONNECTION
        if name not in allowed and params.get("profile") and params.get(name) not in (None, [])
    ]


def empty_options(params: Mapping[str, Any]) -> list[str]:
    """Return the options that are given as an empty text, which would count as not given."""
    empty = [
        name
        for name, value in params.items()
        if isinstance(value, str) and not value.strip() and not name.startswith("_")
    ]
    return [*empty, "url"] if params.get("url") == [] else empty


def wait_arguments(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a wait that the options give."""
    names = [*WAIT, "until"]
    return {name: params[name] for name in names if params.get(name) is not None}


def duration_of(text: str) -> float:
    """Return the seconds of a duration such as `30m`; 0 for a text that the client will refuse."""
    found = _DURATION.fullmatch(text.strip())
    try:
        numbers = [float(each or 0) for each in found.groups()] if found else []
    except ValueError:
        return 0.0
    return sum(number * unit for number, unit in zip(numbers, _UNITS, strict=False))
