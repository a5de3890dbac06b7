"""The commands `login`, `logout` and `profiles`: profiles, and where their passwords are."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from redis_enterprise_actions._cli.connection import ask_password, options_from_args
from redis_enterprise_actions._cli.failures import report_failure
from redis_enterprise_actions._cli.output import print_error, print_line
from redis_enterprise_actions._client.config.config_file import NO_HOME, config_path, words_of
from redis_enterprise_actions._client.config.options import SETTINGS, env_setting, merge
from redis_enterprise_actions._client.config.profile_writer import (
    new_profile,
    save_profile,
    write_private,
)
from redis_enterprise_actions._client.config.profiles import load_profile, load_profiles
from redis_enterprise_actions._client.config.resolve import account_of, profile_secret
from redis_enterprise_actions._client.config.secrets import (
    check_keyring,
    delete_password,
    save_password,
)
from redis_enterprise_actions._client.http.captured import capturing
from redis_enterprise_actions._client.http.connect import transport_for
from redis_enterprise_actions._client.wire.actions import read_actions
from redis_enterprise_actions._client.wire.error_body import foreign_404, is_api_error
from redis_enterprise_actions._model.errors import RequestError, UsageError
from redis_enterprise_actions._model.text import one_line


if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Mapping

    from redis_enterprise_actions._cli.execution import Execution
    from redis_enterprise_actions._client.config.options import ClientOptions
    from redis_enterprise_actions._client.config.profiles import Profile
    from redis_enterprise_actions._client.http.messages import Reply
    from redis_enterprise_actions._client.http.transport import Transport
    from redis_enterprise_actions._model.secret import Secret

_SECRETS: Final = frozenset({"password", "token"})
_PATHS: Final = frozenset({"client_cert", "client_key", "ca_cert"})
_TRUST: Final = frozenset({"ca_cert", "fingerprint", "insecure"})
_PASSWORD: Final = frozenset({"keyring", "password_file", "password_command"})
_TRIED: Final = "/v1/actions"
_PERMISSION: Final = "view_status_of_cluster_action"


def run_login(args: argparse.Namespace, execution: Execution) -> Coroutine[object, object, int]:
    """Return the work of the command: try the cluster, then write the profile and the password.

    The password is asked for, or read, before that. Raises `UsageError`.
    """
    given = _given_settings(args)
    profiles, default = load_profiles(may_be_missing=True)
    by_name = {profile.name: profile for profile in profiles}
    name = args.profile or os.environ.get("REDIS_ACTIONS_PROFILE")
    name = name or _name_for(given, by_name, default)
    if name.startswith("-") or not name.isprintable():
        raise UsageError("the name of a profile must be printable, and not begin with -")
    profile = new_profile(name, _table(args, given, by_name.get(name)))
    missing = [] if profile.urls else ["--url (REDIS_ENTERPRISE_URL)"]
    if not profile.table.keys() & {"user", "token_file", "client_cert"}:
        missing.append("--user (REDIS_ENTERPRISE_USER)")
    if missing:
        raise UsageError(
            f"login needs {' and '.join(missing)}, as in: redis-actions login --url "
            "https://cluster.example.com:9443 --user ops@example.com"
        )
    password: Secret | None = None
    secrets: dict[str, str] = {}
    if "token_file" in profile.table:
        secrets["token"] = cast("Secret", profile_secret(profile, "token")).reveal()
    elif "user" in profile.table:
        password = _password(args, profile)
        secrets["password"] = password.reveal()
    options = merge(secrets, lambda name: "" if name in _SECRETS else profile.setting(name))
    transport = transport_for(**cast("ClientOptions", options))
    if args.capture is not None:
        execution.capture = capturing(transport, args.capture)
    return _log_in(profile, transport, password)


async def _log_in(profile: Profile, transport: Transport, password: Secret | None) -> int:
    try:
        await transport.get(_TRIED, permission=_PERMISSION, decode=_check_reply)
    except RequestError as error:
        if getattr(error, "status", None) != 403:
            code = report_failure(error)
            print_error("Nothing was written.")
            return code
        print_error(f"redis-actions: warning: {error}")
    finally:
        await transport.close()
    save_profile(profile, check_only=True)
    place = "" if password is None else _keep_password(profile, password)
    is_default = save_profile(profile)
    mark = ", the default" if is_default else ""
    print_line(one_line(f"wrote profile {profile.name}{mark}, to {config_path()}{place}"))
    option = "" if is_default else f" --profile {shlex.quote(profile.name)}"
    print_line(one_line(f"try it: redis-actions list{option}"))
    return 0


def _check_reply(reply: Reply) -> None:
    """Raise `UnreadableReply` unless the reply is the API's."""
    if reply.status != 404:
        read_actions(reply.body, _TRIED)
    elif not is_api_error(reply.body):
        raise foreign_404(_TRIED, reply.body)


def _given_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the command line and the environment, as a profile has them.

    Passwords and tokens are not among them, but the path of a token is.
    """
    given = options_from_args(args) | {"token": args.token_file}
    options = merge(given, lambda name: "" if name in _SECRETS else env_setting(name))
    settings: dict[str, Any] = {}
    for name, value in options.items():
        if name == "token":
            settings["token_file"] = _absolute(value)
        elif name == "verify":
            settings |= {} if value else {"insecure": True}
        elif name in _PATHS:
            settings[name] = _absolute(value)
        elif name == "url" and len(value) == 1:
            settings["url"] = value[0]
        else:
            settings[SETTINGS[name]] = value
    return settings


def _absolute(path: str | Path) -> str:
    try:
        return str(Path(path).absolute())
    except OSError as error:
        raise UsageError(f"the current directory cannot be used: {error.strerror}") from error


def _is_there(file: Path) -> bool:
    """Return True if there is a file that the user may see."""
    return os.access(file, os.F_OK)


def _name_for(
    given: Mapping[str, Any], profiles: Mapping[str, Profile], default: str | None
) -> str:
    """Return the name of a profile that has none: the default one, or the host of the URL.

    If that host is the name of a profile for other URLs, the port is added.
    """
    url = given.get("url", "")
    first: str = url if isinstance(url, str) else url[0]
    if (
        default is not None
        and default in profiles
        and (not first or _share_urls(given, profiles[default].table))
    ):
        return default
    place = re.sub(r"^.*//|.*@|/.*$", "", first)
    host = re.sub(r":[0-9]+$", "", place) or "default"
    is_free = host not in profiles or _share_urls(given, profiles[host].table)
    return host if is_free else place


def _share_urls(given: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """Return True if two tables have a URL in common, or one has none."""
    some, others = (
        {url.rstrip("/") for url in (words_of(urls) if isinstance(urls, str) else urls)}
        for urls in (given.get("url", ()), table.get("url", ()))
    )
    return not some or not others or not some.isdisjoint(others)


def _table(
    args: argparse.Namespace, given: Mapping[str, Any], old: Profile | None
) -> dict[str, Any]:
    """Return the table of the profile: what is given, and the rest of what it has so far.

    Of a profile for another cluster, only the user stays.
    """
    table: dict[str, Any] = {} if old is None else dict(old.table)
    dropped: set[str] = set()
    if not _share_urls(given, table):
        dropped |= table.keys() - {"user", "auth"}
    if given.keys() & _TRUST:
        dropped |= _TRUST
    if "client_cert" in given:
        dropped.add("client_key")
    if "token_file" in given:
        dropped |= {"user", "auth", *_PASSWORD}
    elif "user" in given and given["user"] != table.get("user"):
        dropped |= {"token_file", *_PASSWORD}
    table = {key: value for key, value in table.items() if key not in dropped} | dict(given)
    place = _password_place(args, table)
    return {key: table[key] for key in table if not (place and key in _PASSWORD)} | place


def _password_place(args: argparse.Namespace, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the setting for the place of the password, if a profile is to have another one."""
    if args.keyring:
        return {"keyring": True}
    if args.password_file is not None:
        return {"password_file": _absolute(args.password_file)}
    if args.password_command is not None:
        return {"password_command": args.password_command}
    has_place = "token_file" in table or any(map(table.get, _PASSWORD))
    return {"keyring": True} if "user" in table and not has_place else {}


def _password(args: argparse.Namespace, profile: Profile) -> Secret:
    """Return the password, from where the options or the profile say, or from a prompt."""
    user = profile.setting("user")
    if profile.keyring:
        try:
            check_keyring(account_of(user, profile.urls, profile))
        except UsageError as error:
            raise UsageError(
                f"{error}; or keep the password elsewhere: with --password-file FILE, which login "
                "writes, or with --password-command COMMAND, such as 'pass show redis'"
            ) from None
    given: dict[str, Any] = {}
    if args.password_file is not None:
        given["password_file"] = _absolute(args.password_file)
    if args.password_command is not None:
        given["password_command"] = args.password_command
    source = new_profile(profile.name, given or dict(profile.table))
    file = source.path("password_file")
    if file is not None and not profile.keyring:
        if not _is_there(file):
            file = None  # login writes it
        elif not file.is_file():
            raise UsageError(f"{file} is no regular file: give --keyring, too")
    if file is not None or source.password_command is not None:
        return cast("Secret", profile_secret(source, "password"))
    password = ask_password(user, profile.urls)
    if password is None:
        raise UsageError(
            "there is no terminal to ask for the password: give --password-command, or a "
            "--password-file that has it; --keyring keeps it in the keyring all the same"
        )
    return password


def _keep_password(profile: Profile, password: Secret) -> str:
    """Write the password to the keyring or a new file; return the words for that."""
    file = profile.path("password_file")
    if profile.keyring:
        save_password(account_of(profile.setting("user"), profile.urls, profile), password)
        return ", and its password to the keyring"
    if file is None or _is_there(file):
        return ""
    try:
        write_private(file, f"{password.reveal()}\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    return f", and its password to {file}"


def run_logout(args: argparse.Namespace, _: Execution) -> int:
    """Remove the password of a profile, or of a user at a cluster, from the keyring."""
    profile = load_profile(args.profile)
    given = options_from_args(args)["url"]
    urls = given or words_of(env_setting("url")) or ([] if profile is None else profile.urls)
    user = args.user or env_setting("user") or ("" if profile is None else profile.setting("user"))
    if not urls or not user:
        raise UsageError("logout needs --profile, or --url and --user: the keyring has no others")
    account = account_of(user, urls, profile)
    if not delete_password(account):
        raise UsageError(f"the keyring has no password of {account}")
    print_line(one_line(f"removed the password of {account} from the keyring"))
    return 0


def run_profiles(_: argparse.Namespace, __: Execution) -> int:
    """Print a line for each profile: name, URLs, user, and `default` or `-`."""
    found, default = load_profiles()
    if not found:
        raise UsageError(f"there are no profiles in {config_path() or f'any file: {NO_HOME}'}")
    for profile in found:
        mark = "default" if profile.name == default else "-"
        columns = profile.name, profile.setting("url") or "-", profile.setting("user") or "-", mark
        print_line("\t".join(map(one_line, columns)))
    return 0
