"""What the file of profiles says: clusters by name, each with what it takes to ask it.

Knows where the file is, and what may be in it. Refuses to hold a secret, and to repeat a value:
what is wrong with the file is told by its keys.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from redis_enterprise_actions._model.errors import UsageError

from .options import Masked, similar_name


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    _Shape: TypeAlias = tuple[Callable[[object], bool], str]

# What a profile may say, and the variable of the environment that says the same.
_VARIABLES: Final = {
    "url": "URL",
    "trusted_hosts": "TRUSTED_HOSTS",
    "user": "USER",
    "auth": "AUTH",
    "client_cert": "CLIENT_CERT",
    "client_key": "CLIENT_KEY",
    "ca_cert": "CA_CERT",
    "fingerprint": "FINGERPRINT",
    "insecure": "INSECURE",
}
_KEYS: Final = {variable: key for key, variable in _VARIABLES.items()}
_FILES: Final = frozenset({"client_cert", "client_key", "ca_cert", "password_file", "token_file"})
_SECRETS: Final = frozenset({"password", "token"})
_BELONGS: Final = (
    "a secret is not kept in this file, but in password_file or token_file, in the keyring "
    '("keyring = true", and redis-actions login), or in the environment'
)
_OTHERS_MAY_WRITE: Final = 0o002

NO_HOME: Final = "no home directory is known, and REDIS_ACTIONS_CONFIG is not set"


class Profile:
    """One cluster as the file has it. Its `repr` shows no value."""

    def __init__(self, name: str, table: Masked, folder: Path) -> None:
        self.name = name
        self.urls = _several(table.get("url", ""))
        self.keyring: bool = table.get("keyring", False)
        self._table = table
        self._folder = folder

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self._table!r})"

    def setting(self, variable: str) -> str:
        """Return what it says of `URL` and the like, as the environment would say it."""
        key = _KEYS.get(variable, "")
        if key in _FILES:
            return str(self.path(key) or "")
        value = self._table.get(key, "")
        return str(value).lower() if isinstance(value, bool) else " ".join(_several(value))

    def path(self, key: str) -> Path | None:
        """Return where a file is; a relative path begins where the file of profiles is."""
        if key not in self._table:
            return None
        try:
            return self._folder / Path(self._table[key]).expanduser()
        except RuntimeError:  # whose value is not repeated
            problem = (
                f"{key} of profile {self.name} begins with ~, and there is no such home directory"
            )
        raise UsageError(problem)


def load_profile(name: str | None) -> Profile | None:
    """Return the profile of that name, or the one that the environment or the file prefers.

    None means that nobody asks for one. Raises `UsageError`.
    """
    file = config_path()
    table = _read_config(file)
    wanted = name or os.environ.get("REDIS_ACTIONS_PROFILE") or table.get("default")
    return None if wanted is None else _profile_from(wanted, table, file)


def load_profiles() -> tuple[list[Profile], str | None]:
    """Return all profiles, and the name of the one that the file prefers."""
    file = config_path()
    table = _read_config(file)
    return [_profile_from(name, table, file) for name in _tables(table)], table.get("default")


def profile_names() -> list[str]:
    """Return the names of the profiles, or none where the file is no use."""
    try:
        return list(_tables(_read_config(config_path())))
    except UsageError:
        return []


def config_path() -> Path | None:
    """Return where the file of profiles is, or would be; None where nobody has a home directory."""
    given = os.environ.get("REDIS_ACTIONS_CONFIG")
    if given:
        return Path(given)
    variable = "APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME"
    try:
        folder = os.environ.get(variable) or Path.home() / ".config"
    except RuntimeError:  # HOME is not set, and the system does not know the user
        return None
    return Path(folder, "redis-actions", "config.toml")


def _several(value: str | list[str]) -> list[str]:
    return value.split() if isinstance(value, str) else value


# --- reading, where no error and no frame of one shows a value -----------------------------------


def _profile_from(name: str, table: Masked, file: Path | None) -> Profile:
    tables = _tables(table)
    if file is None:
        raise UsageError(f"there is no profile {name!r}: {NO_HOME}")
    if name not in tables:
        there_are = f"there are {', '.join(tables)}" if tables else "there are none"
        raise UsageError(f"there is no profile {name!r} in {file}: {there_are}")
    profile = Masked(tables[name])
    problem = _first_problem(profile, _PROFILE)
    if problem is not None:
        raise UsageError(f"{file}: profiles.{name}.{problem}")
    return Profile(name, profile, file.parent)


def _tables(table: Masked) -> Masked:
    return Masked(table.get("profiles", {}))


def _read_config(file: Path | None) -> Masked:
    """Return what the file holds; nothing if there is none."""
    table = Masked()
    if file is None:
        return table
    try:
        table.update(tomllib.loads(_text(file)))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = re.search(r"\(at ([^)]*)\)$", str(error))
        problem: str | None = f"it is not TOML: see {where[1] if where else 'its brackets'}"
    else:
        problem = _first_problem(table, _TOP)
    if problem is not None:
        raise UsageError(f"{file}: {problem}")
    return table


def _text(file: Path) -> str:
    try:
        with file.open("rb") as it:
            if os.name == "posix" and os.fstat(it.fileno()).st_mode & _OTHERS_MAY_WRITE:
                problem = f"anybody may change it, and divert passwords: chmod o-w {file}"
            else:
                return it.read().decode("utf-8-sig")
    except FileNotFoundError:
        if not os.environ.get("REDIS_ACTIONS_CONFIG"):
            return ""
        problem = "there is no such file, which REDIS_ACTIONS_CONFIG names"
    except OSError as error:
        problem = f"it cannot be read: {error.strerror}"
    except UnicodeError:
        problem = "it is not UTF-8"
    raise UsageError(f"{file}: {problem}")


def _first_problem(table: Masked, shapes: dict[str, _Shape]) -> str | None:
    """Return what is wrong with a table, which begins with the key of it."""
    for key in table:
        if key in _SECRETS:
            return f"{key}: {_BELONGS}"
        if key not in shapes:
            similar = similar_name(key, shapes)
            if similar is not None:
                return f"{key} is unknown; did you mean {similar}?"
            return f"{key} is unknown; there are {', '.join(shapes)}"
        fits, words = shapes[key]
        if not fits(table[key]):
            return f"{key} is not {words}"
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _are_texts(value: object) -> bool:
    several = cast("list[object]", value) if isinstance(value, list) else [value]
    return bool(several) and all(map(_is_text, several))


def _are_urls(value: object) -> bool:
    return _are_texts(value) and "@" not in repr(value)


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _are_tables(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return all(isinstance(each, dict) for each in cast("dict[str, object]", value).values())


_TEXT: Final[_Shape] = _is_text, "a text"
_TEXTS: Final[_Shape] = _are_texts, "a text or a list of texts"
_SWITCH: Final[_Shape] = _is_switch, "true or false"
_TOP: Final[dict[str, _Shape]] = {
    "default": _TEXT,
    "profiles": (_are_tables, "a table of tables, such as [profiles.prod]"),
}
_PROFILE: Final[dict[str, _Shape]] = {
    "url": (_are_urls, "a URL or a list of them, without a user or a password in it"),
    "user": _TEXT,
    "password_file": _TEXT,
    "token_file": _TEXT,
    "keyring": _SWITCH,
    "auth": (lambda value: value in ("basic", "jwt"), '"basic" or "jwt"'),
    "ca_cert": _TEXT,
    "fingerprint": _TEXT,
    "insecure": _SWITCH,
    "client_cert": _TEXT,
    "client_key": _TEXT,
    "trusted_hosts": _TEXTS,
}
