"""Client options from all sources: those given, the environment, a profile and its secrets."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING, Any, Final, cast

from redis_enterprise_actions._model.errors import UsageError

from .config_file import profile_names
from .options import env_setting, merge, warn_of_wrong_names
from .profiles import load_profile
from .secrets import load_password, read_secret, run_password_command


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis_enterprise_actions._model.secret import Secret

    from .options import ClientOptions
    from .profiles import Profile

_FOR_ANY_CLUSTER: Final = frozenset({"user", "auth"})


@dataclasses.dataclass(frozen=True)
class ResolvedOptions:
    """Options of a client, and for each of them its origin, such as "the environment"."""

    options: ClientOptions = dataclasses.field(repr=False)
    origins: dict[str, str]


def profile_options(
    name: str, arguments: Mapping[str, object] | None = None, *, use_environment: bool = True
) -> ClientOptions:
    """Return the options that are given, or that the environment or the profile `name` gives.

    As for the command, an environment variable takes precedence over the profile's setting. Secrets
    come from the profile's files, its command, or the keyring. Raises `UsageError`.
    """
    return resolve_options(arguments or {}, name, use_environment=use_environment).options


def resolve_options(
    arguments: Mapping[str, object],
    profile_name: str | None,
    ask_password: Callable[[str, Sequence[str]], Secret | None] | None = None,
    *,
    use_environment: bool = True,
    needs_user: bool = True,
) -> ResolvedOptions:
    """Return the given options (those that are not None), completed by all other sources.

    Given options take precedence over the environment, and the environment over the profile. The
    password of a user, if no source has it, is read from the keyring, if the profile says so, or
    else taken from `ask_password`, which gets the user and the URLs. Raises `UsageError`, which
    names all settings that are missing; a user is none of them unless `needs_user`.
    """
    warn_of_wrong_names()
    profile = load_profile(profile_name)
    origins = {name: "an option" for name, value in arguments.items() if value is not None}
    options = merge(arguments, env_setting if use_environment else _nothing)
    origins = dict.fromkeys(options, "the environment") | origins
    if profile is not None:
        urls = options.get("url", ())
        options = merge(options, lambda name: _profile_setting(profile, urls, name))
        origins = dict.fromkeys(options, f"profile {profile.name}") | origins
    problem = _missing_settings(options, profile, needs_user=needs_user)
    if problem is not None:
        raise UsageError(problem)
    if "username" in options and not options.keys() & {"token", "password"}:
        user, urls = options["username"], options["url"]
        password = None
        if profile is not None and profile.keyring:
            password = load_password(account_of(user, urls, profile))
        if password is None and ask_password is not None:
            password = ask_password(user, urls)
        if password is None:
            login = "`redis-actions login` with the same URL and user"
            if profile is not None and is_for(profile, urls):
                login = f"`redis-actions login --profile {shlex.quote(profile.name)}`"
            raise UsageError(
                f"no password of {user} is known: set REDIS_ENTERPRISE_PASSWORD, give "
                f"--password-file, or run {login}"
            )
        options["password"] = password.reveal()
        origins |= dict.fromkeys(["password"], "the keyring, or a prompt")
    return ResolvedOptions(cast("ClientOptions", options), origins)


def account_of(user: str, urls: Sequence[str], profile: Profile | None) -> str:
    """Return the name of a user's password in the keyring, such as `ops@n1:9443,n2:9443`.

    A profile has one password for all of its URLs, so that it does not matter which are used.
    """
    if profile is not None and is_for(profile, urls):
        urls = profile.urls or urls
    hosts = (url.partition("//")[2].partition("/")[0].rpartition("@")[2].lower() for url in urls)
    return f"{user}@{','.join(sorted(set(hosts)))}"


def is_for(profile: Profile, urls: Sequence[str]) -> bool:
    """Return True if the URLs are those of the profile, or some of them, or it has none."""
    own = {url.rstrip("/") for url in profile.urls}
    return not own or {url.rstrip("/") for url in urls} <= own


def profile_secret(profile: Profile, name: str) -> Secret | None:
    """Return the password or the token that a file or a command of the profile gives, or None."""
    file = profile.path(f"{name}_file")
    if file is not None:
        return read_secret(file, f"{name}_file of profile {profile.name}")
    command = profile.password_command if name == "password" else None
    if command is None:
        return None
    return run_password_command(command, f"password_command of profile {profile.name}")


def _nothing(_: str) -> str:
    return ""


def _missing_settings(
    options: Mapping[str, Any], profile: Profile | None, *, needs_user: bool
) -> str | None:
    """Return which settings are missing and where to give them, or None."""
    has_user = bool(options.keys() & {"username", "token", "client_cert"})
    if not options.get("url"):
        user = "" if has_user else " and --user (REDIS_ENTERPRISE_USER)"
        names = ", ".join(profile_names())
        if profile is not None:
            other = f", or add a url to profile {profile.name}"
        else:
            other = f", or --profile ({names})" if names else ""
        return (
            f"no cluster is named: give --url (REDIS_ENTERPRISE_URL){user}{other}, or run "
            "`redis-actions login`; `redis-actions demo` needs no cluster"
        )
    if has_user or not needs_user:
        return None
    return (
        "no user is named: give --user (REDIS_ENTERPRISE_USER), --token-file "
        "(REDIS_ENTERPRISE_TOKEN) or --client-cert (REDIS_ENTERPRISE_CLIENT_CERT), or run "
        "`redis-actions login`"
    )


def _profile_setting(profile: Profile, urls: list[str], name: str) -> str:
    """Return the text of a setting of a profile, or "" if it is not for the given URLs.

    The secrets of a profile that has URLs, and its TLS settings, are for these URLs only. The
    user's name and the way to authenticate are for other clusters, too.
    """
    if name not in _FOR_ANY_CLUSTER and not is_for(profile, urls):
        return ""
    if name not in {"password", "token"}:
        return profile.setting(name)
    secret = profile_secret(profile, name)
    return "" if secret is None else secret.reveal()
