"""Options of a client: their names, the rules of merging them, and those in the environment."""

from __future__ import annotations

import difflib
import logging
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, cast

from redis_enterprise_actions._client.pacing.durations import parse_duration
from redis_enterprise_actions._model.errors import UsageError

from .config_file import words_of


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Required, TypeAlias

    from redis_enterprise_actions._client.http.auth import TokenSource
    from redis_enterprise_actions._client.pacing.durations import Duration

    Path: TypeAlias = "str | os.PathLike[str]"

    # Returns the text of a setting, such as "ca_cert", or "" if it is not set.
    SettingSource: TypeAlias = "Callable[[str], str]"

_log = logging.getLogger(__name__)

_PREFIX: Final = "REDIS_ENTERPRISE_"
# The arguments of `ActionsClient`, and the name that each has in the environment, in profiles and
# on the command line. `username` is redis-py's name and `verify` is httpx's; `user` and `insecure`
# are those of redisctl and curl.
SETTINGS: Final[Mapping[str, str]] = MappingProxyType({
    "url": "url",
    "trusted_hosts": "trusted_hosts",
    "username": "user",
    "password": "password",
    "auth": "auth",
    "token": "token",
    "client_cert": "client_cert",
    "client_key": "client_key",
    "ca_cert": "ca_cert",
    "fingerprint": "fingerprint",
    "verify": "insecure",
    "request_timeout": "request_timeout",
})  # fmt: skip
_SYNONYMS: Final[Mapping[str, str]] = MappingProxyType({
    "ca_bundle": "ca_cert",
    "ca_file": "ca_cert",
    "cafile": "ca_cert",
    "cert": "client_cert",
    "host": "url",
    "key": "client_key",
    "username": "user",
    "verify": "insecure",
})  # fmt: skip
_SIMILAR: Final = 0.75  # ratio of `difflib`; that of "cluster" and "user" is 0.73
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"", "0", "false", "no", "off"})


class ClientOptions(TypedDict, total=False):
    """Keyword arguments of `ActionsClient`, but for `session`."""

    url: Required[str | Sequence[str]]
    username: str
    password: str
    token: str | TokenSource
    auth: Literal["basic", "jwt"]
    client_cert: Path
    client_key: Path
    ca_cert: Path
    fingerprint: str
    verify: bool
    trusted_hosts: Iterable[str]
    request_timeout: Duration


def merge(base: Mapping[str, Any], source: SettingSource) -> dict[str, Any]:
    """Return the options that are given (those that are not None), and those that a source adds.

    An empty text adds nothing. A given way to authenticate keeps the source from adding another
    one, except that a client certificate may accompany a token or a user. Of a source's own, the
    token takes precedence over the user. A source adds no CA and no fingerprint where verification
    is switched off, or where either of them is given.
    """
    options = {name: value for name, value in base.items() if value is not None}
    for name in ("url", "trusted_hosts"):
        several = [] if options.get(name) else words_of(source(SETTINGS[name]))
        if several:
            options[name] = several
    has_certificate = "client_cert" in options
    has_user = bool(options.keys() & {"username", "password", "auth"})
    if not has_certificate and not has_user:
        _add(options, source, "token")
    if "token" not in options and (has_user or not has_certificate):
        _add(options, source, "username", "password", "auth")
    if not has_certificate:
        _add(options, source, "client_cert", "client_key")
    if not options.keys() & {"verify", "ca_cert", "fingerprint"}:
        word = source("insecure").strip().casefold()
        if word not in _YES | _NO:
            raise UsageError(f"REDIS_ENTERPRISE_INSECURE={word!r} is neither true nor false")
        if word:
            options["verify"] = word in _NO
    if options.get("verify", True) and not options.keys() & {"ca_cert", "fingerprint"}:
        _add(options, source, "ca_cert", "fingerprint")
    _add_request_timeout(options, source)
    return options


def _add(options: dict[str, Any], source: SettingSource, *names: str) -> None:
    for name in names:
        text = "" if name in options else source(SETTINGS[name])
        if text:
            options[name] = text


def _add_request_timeout(options: dict[str, Any], source: SettingSource) -> None:
    text = "" if "request_timeout" in options else source("request_timeout").strip()
    if text:
        try:
            options["request_timeout"] = parse_duration(text)
        except ValueError as error:
            raise UsageError(f"REDIS_ENTERPRISE_REQUEST_TIMEOUT: {error}") from None


def similar_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known setting that a wrong name most likely stands for, or None."""
    names = list(known)
    synonym = _SYNONYMS.get(name)
    if synonym in names:
        return synonym
    return next(iter(difflib.get_close_matches(name, names, 1, _SIMILAR)), None)


def options_from_env(arguments: Mapping[str, object]) -> ClientOptions:
    """Return the options that are given (those that are not None), and those of the environment.

    Raises `UsageError`, which names all variables that are missing.
    """
    warn_of_wrong_names()
    options = merge(arguments, env_setting)
    needed = [] if options.get("url") else ["url"]
    has_account = bool(options.keys() & {"username", "password"})
    if "token" not in options and (has_account or (needed and "client_cert" not in options)):
        needed += [name for name in ("username", "password") if name not in options]
    if needed:
        variables = [_PREFIX + SETTINGS[name].upper() for name in needed]
        token = "" if has_account or len(needed) < 3 else " (or REDIS_ENTERPRISE_TOKEN)"
        raise UsageError(f"settings are missing: set {' and '.join(variables)}{token}")
    return cast("ClientOptions", options)


def env_setting(name: str) -> str:
    """Return the text of a setting: that of `url` is in `REDIS_ENTERPRISE_URL`."""
    return os.environ.get(_PREFIX + name.upper(), "")


def warn_of_wrong_names() -> None:
    """Log a warning for each variable whose name is nearly that of a known one.

    Any other `REDIS_ENTERPRISE_*` may be meant for another program: in Kubernetes, a service
    `redis-enterprise` alone adds a dozen.
    """
    known = SETTINGS.values()
    for variable in sorted(os.environ):
        name = variable.removeprefix(_PREFIX).lower()
        if not variable.startswith(_PREFIX) or name in known:
            continue
        similar = similar_name(name, known)
        if similar is not None:
            right = _PREFIX + similar.upper()
            fields = {"event": "unknown variable", "variable": variable, "similar": right}
            text = "%s in the environment is unknown; did you mean %s?"
            _log.warning(text, variable, right, extra=fields)
