"""Client options from all sources: those given, the environment, a profile and its secrets."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, cast

from redis_enterprise_actions._model.errors import UsageError

from .options import env_setting, merge, warn_of_wrong_names
from .profiles import load_profile
from .secrets import load_password, read_secret


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis_enterprise_actions._client.http.redaction import Secret

    from .options import ClientOptions
    from .profiles import Profile

_SECRET_FILES: Final = {"password": "password_file", "token": "token_file"}
_FOR_ANY_CLUSTER: Final = frozenset({"user", "auth"})


@dataclasses.dataclass(frozen=True)
class ResolvedOptions:
    """Options of a client, and for each of them its origin, such as "the environment"."""

    options: ClientOptions = dataclasses.field(repr=False)
    origins: dict[str, str]


def profile_options(name: str, arguments: Mapping[str, object] | None = None) -> ClientOptions:
    """Return the options that are given, or that the environment or the profile `name` gives.

    As for the command, an environment variable takes precedence over the profile's setting. Secrets
    are read from the profile's files and from the keyring. Raises `UsageError`.
    """
    return resolve_options(arguments or {}, name).options


def resolve_options(
    arguments: Mapping[str, object],
    profile_name: str | None,
    ask_password: Callable[[], Secret] | None = None,
) -> ResolvedOptions:
    """Return the given options (those that are not None), completed by all other sources.

    Given options take precedence over the environment, and the environment over the profile. The
    password of a user, if no source has it, is read from the keyring, if the profile says so, or
    else taken from `ask_password`. Raises `UsageError`.
    """
    warn_of_wrong_names()
    profile = load_profile(profile_name)
    origins = {name: "an option" for name, value in arguments.items() if value is not None}
    options = merge(arguments, env_setting)
    origins = dict.fromkeys(options, "the environment") | origins
    if profile is not None:
        urls = options.get("url", ())
        options = merge(options, lambda name: _profile_setting(profile, urls, name))
        origins = dict.fromkeys(options, f"profile {profile.name}") | origins
    if not options.get("url"):
        no_profile = "there is no profile" if profile is None else "the profile has no URL"
        raise UsageError(f"no cluster is given: REDIS_ENTERPRISE_URL is not set, and {no_profile}")
    if "username" in options and not options.keys() & {"token", "password"}:
        password = _keyring_password(profile, options)
        if password is None and ask_password is not None:
            password = ask_password()
        if password is None:
            raise UsageError(
                "no password: set REDIS_ENTERPRISE_PASSWORD, or let the profile say where it is"
            )
        options["password"] = password.reveal()
        origins |= dict.fromkeys(["password"], "the keyring, or a prompt")
    return ResolvedOptions(cast("ClientOptions", options), origins)


def keyring_account(user: str, url: str) -> str:
    """Return the name of a user's password in the keyring: `user@host`."""
    host = url.partition("//")[2].partition("/")[0].rpartition("@")[2]
    return f"{user}@{host.lower()}"


def _profile_setting(profile: Profile, urls: list[str], name: str) -> str:
    """Return the text of a setting of a profile, or "" if it is not for the given URLs.

    The secrets of a profile that has URLs, and its TLS settings, are for these URLs only. The
    user's name and the way to authenticate are for other clusters, too.
    """
    own = {url.rstrip("/") for url in profile.urls}
    if own and not {url.rstrip("/") for url in urls} <= own and name not in _FOR_ANY_CLUSTER:
        return ""
    key = _SECRET_FILES.get(name)
    if key is None:
        return profile.setting(name)
    file = profile.path(key)
    return "" if file is None else read_secret(file, f"{key} of profile {profile.name}").reveal()


def _keyring_password(profile: Profile | None, options: Mapping[str, Any]) -> Secret | None:
    """Return the password of the user at the first URL for which the keyring has one."""
    if profile is None or not profile.keyring:
        return None
    passwords = (load_password(keyring_account(options["username"], url)) for url in options["url"])
    return next(filter(None, passwords), None)
