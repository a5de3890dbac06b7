"""Profiles: clusters by name, each with its settings, in a TOML file.

No error repeats a value of the file, which may be a secret that does not belong there.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from redis_enterprise_actions._client.pacing.durations import is_duration, parse_duration
from redis_enterprise_actions._model.errors import UsageError

from .config_file import NO_HOME, config_path, words_of
from .options import similar_name
from .secrets import check_owner


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    # A check of a value, and a description of the values that pass it.
    _Check: TypeAlias = tuple[Callable[[object], bool], str]

_FILES: Final = frozenset({"client_cert", "client_key", "ca_cert", "password_file", "token_file"})
_SECRETS: Final = frozenset({"password", "token"})
_BELONGS: Final = (
    "a secret is not kept in this file, but in the keyring (run redis-actions login), in "
    "password_file or token_file, in what password_command prints, or in the environment"
)


@dataclasses.dataclass(frozen=True)
class Profile:
    """Settings of one cluster in the file. Relative paths start from the folder of the file."""

    name: str
    table: Mapping[str, Any] = dataclasses.field(repr=False)
    folder: Path = dataclasses.field(repr=False)

    @property
    def urls(self) -> list[str]:
        """The URLs of the cluster, or of its nodes."""
        url = self.table.get("url", "")
        return words_of(url) if isinstance(url, str) else url

    @property
    def keyring(self) -> bool:
        """Return True if the password is in the system's keyring."""
        return cast("bool", self.table.get("keyring", False))

    @property
    def password_command(self) -> list[str] | None:
        """The words of the command that prints the password, or None."""
        value = self.table.get("password_command")
        return shlex.split(value) if isinstance(value, str) else value

    def setting(self, name: str) -> str:
        """Return the text of a setting, as the environment would have it, or "" if it is not set.

        Secrets are not among these settings: the profile has the paths of their files (`path`).
        """
        if name in _FILES:
            return str(self.path(name) or "")
        value = self.table.get(name, "")
        if isinstance(value, (bool, int, float)):
            return str(value).lower()
        return " ".join(cast("list[str]", value)) if isinstance(value, list) else value

    def path(self, key: str) -> Path | None:
        """Return the path of a file that is set, such as `password_file`."""
        if key not in self.table:
            return None
        try:
            return self.folder / Path(self.table[key]).expanduser()
        except RuntimeError:  # the message has the path, which may be a misplaced secret
            problem = (
                f"{key} of profile {self.name} begins with ~, and there is no such home directory"
            )
        raise UsageError(problem)


def load_profile(name: str | None) -> Profile | None:
    """Return the named profile, or else that of `REDIS_ACTIONS_PROFILE`, or the file's default.

    Return None if none of them is set. Raises `UsageError`.
    """
    file = config_path()
    table = _read_config(file)
    wanted = name or os.environ.get("REDIS_ACTIONS_PROFILE") or table.get("default")
    return None if wanted is None else _profile_from(wanted, table, file)


def load_profiles(*, may_be_missing: bool = False) -> tuple[list[Profile], str | None]:
    """Return all profiles, and the name of the default one.

    With `may_be_missing`, there are none in a file that `REDIS_ACTIONS_CONFIG` names, but is not
    there. Raises `UsageError`.
    """
    file = config_path()
    table = _read_config(file, may_be_missing=may_be_missing)
    found = [_profile_from(name, table, file) for name in table.get("profiles", {})]
    return found, table.get("default")


def _profile_from(name: str, table: Mapping[str, Any], file: Path | None) -> Profile:
    tables: dict[str, dict[str, Any]] = table.get("profiles", {})
    if file is None:
        raise UsageError(f"there is no profile {name!r}: {NO_HOME}")
    if name not in tables:
        known = f"there are {', '.join(tables)}" if tables else "there are none"
        raise UsageError(f"there is no profile {name!r} in {file}: {known}")
    return make_profile(name, tables[name], file)


def make_profile(
    name: str, table: dict[str, Any], file: Path, *, is_written: bool = True
) -> Profile:
    """Return the profile of a table in the file, or, unless `is_written`, of one to be written.

    Raises `UsageError` for what a profile cannot have.
    """
    problem = _problem_with(table, _PROFILE)
    if problem is None and {"password_file", "password_command"} <= table.keys():
        problem = "password_command: there is a password_file, too"
    if problem is not None:
        where = f"{file}: profiles.{name}." if is_written else f"profile {name} cannot be written: "
        raise UsageError(f"{where}{problem}")
    return Profile(name, table, file.parent)


def _read_config(file: Path | None, *, may_be_missing: bool = False) -> dict[str, Any]:
    """Return the contents of the file, or nothing if there is none."""
    table: dict[str, Any] = {}
    if file is None:
        return table
    problem: str | None
    try:
        with file.open("rb") as stream:
            problem = check_owner(stream)
            text = stream.read().decode("utf-8-sig") if problem is None else ""
        table = tomllib.loads(text)
        problem = problem or _problem_with(table, _FILE)
    except FileNotFoundError:
        if may_be_missing or not os.environ.get("REDIS_ACTIONS_CONFIG"):
            return table
        problem = "there is no such file, but REDIS_ACTIONS_CONFIG names it"
    except OSError as error:
        problem = f"it cannot be read: {error.strerror}"
    except UnicodeError:  # the error holds the text of the file
        problem = "it is not UTF-8"
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # the former may hold the text
        where = re.search(r"\(at ([^)]*)\)$", str(error))
        problem = f"it is not TOML: see {where[1] if where else 'its brackets'}"
    if problem is not None:
        raise UsageError(f"{file}: {problem}")
    return table


def _problem_with(table: dict[str, Any], checks: dict[str, _Check]) -> str | None:
    """Return the first problem with a table, which begins with its key."""
    for key, value in table.items():
        if key in _SECRETS:
            return f"{key}: {_BELONGS}"
        if key not in checks:
            similar = similar_name(key, checks)
            if similar is not None:
                return f"{key} is unknown; did you mean {similar}?"
            return f"{key} is unknown; there are {', '.join(checks)}"
        is_valid, description = checks[key]
        if not is_valid(value):
            return f"{key} is not {description}"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _are_texts(value: object) -> bool:
    several = cast("list[object]", value) if isinstance(value, list) else [value]
    return bool(several) and all(map(_is_text, several))


def _is_command(value: object) -> bool:
    """Return True for a command line that a shell could split, or for its words."""
    try:
        return _are_texts(shlex.split(value) if isinstance(value, str) else value)
    except ValueError:  # a quote that is not closed
        return False


def _are_tables(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(each, dict) for each in cast("dict[str, object]", value).values())


def _is_time_limit(value: object) -> bool:
    """Return True for a duration as TOML has it, a number or a text, that is more than 0."""
    if isinstance(value, str):
        try:
            return parse_duration(value) > 0
        except ValueError:
            return False
    return is_duration(value) and 0 < value < math.inf


_TEXT: Final[_Check] = _is_text, "a text"
_SWITCH: Final[_Check] = lambda value: isinstance(value, bool), "true or false"
_FILE: Final[dict[str, _Check]] = {
    "default": _TEXT,
    "profiles": (_are_tables, "a table of tables, such as [profiles.prod]"),
}
_PROFILE: Final[dict[str, _Check]] = {
    "url": (
        lambda value: _are_texts(value) and "@" not in repr(value),
        "a URL or a list of them, without a user or a password in it",
    ),
    "user": _TEXT,
    "password_file": _TEXT,
    "password_command": (
        _is_command,
        'a command, such as "pass show redis" or ["pass", "show", "redis"]',
    ),
    "token_file": _TEXT,
    "keyring": _SWITCH,
    "auth": (lambda value: value in ("basic", "jwt"), '"basic" or "jwt"'),
    "ca_cert": _TEXT,
    "fingerprint": _TEXT,
    "insecure": _SWITCH,
    "client_cert": _TEXT,
    "client_key": _TEXT,
    "trusted_hosts": (_are_texts, "a text or a list of texts"),
    "request_timeout": (_is_time_limit, 'a duration such as 90 or "1m30s", longer than 0'),
}
