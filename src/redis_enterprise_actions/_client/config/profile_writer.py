"""Writing of profiles into the configuration file, whose comments and other profiles stay."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from redis_enterprise_actions._model.errors import UsageError

from .config_file import NO_HOME, config_path
from .profiles import load_profiles, make_profile


if TYPE_CHECKING:
    from collections.abc import Mapping

    from .profiles import Profile

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_COMMENT: Final = re.compile(r"\s*(#.*)?$")
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")


def new_profile(name: str, table: dict[str, Any]) -> Profile:
    """Return a profile that is not in the file yet. Raises `UsageError` for what it cannot have."""
    file = config_path()
    if file is None:
        raise UsageError(f"profile {name} cannot be written: {NO_HOME}")
    return make_profile(name, table, file.absolute(), is_written=False)


def save_profile(profile: Profile, *, check_only: bool = False) -> bool:
    """Write a profile into the file, in place of one of its name. Return True if it is the default.

    The first profile of a file is its default. The file is made for its user alone. Raises
    `UsageError` if it cannot be written, or the place of the profile in it is not clear; with
    `check_only`, which writes nothing, for the latter.
    """
    file = cast("Path", config_path())  # `new_profile` has found it
    profiles, default = load_profiles(may_be_missing=True)
    if default is None and not profiles:
        default = profile.name
    try:
        old = ""
        with contextlib.suppress(FileNotFoundError):
            old = file.read_bytes().decode("utf-8-sig")
        new = with_profile(old, profile.name, profile.table, default)
        if new is None:
            table = "; ".join(_table_text(profile.name, profile.table).splitlines())
            raise UsageError(
                f"{file} has an unusual form, and stays as it is: write there yourself: {table}"
            )
        if check_only:
            new.encode()
        elif new != old:
            write_private(file, new)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    except UnicodeError:  # lone surrogates, which stand for bytes of an argument
        raise UsageError(f"profile {profile.name!a} has a setting that is not UTF-8") from None
    return profile.name == default


def with_profile(text: str, name: str, table: Mapping[str, Any], default: str | None) -> str | None:
    """Return the text of a file with a profile inserted or replaced, and the default set.

    In the table of the profile, comments stay, and the lines of settings that do not change. Return
    None where the result would not be the file with this change alone: where the profile is no
    table of its own.
    """
    wanted = tomllib.loads(text)
    if wanted.get("profiles", {}).get(name) == table and wanted.get("default") == default:
        return text
    lines = _LINE.findall(text.replace("\r\n", "\n"))
    start, end = _place_of(lines, name)
    if start < len(lines):
        lines[start + 1 : end] = _changed(lines[start + 1 : end], table)
    else:
        gap = "\n\n" if lines and not lines[-1].endswith("\n") else "\n"
        lines += [gap if lines else "", _table_text(name, table)]
    if default is not None and "default" not in wanted:
        lines.insert(0, f"default = {_value_text(default)}\n\n")
        wanted["default"] = default
    wanted.setdefault("profiles", {})[name] = table
    made = "".join(lines).replace("\n", "\r\n" if "\r\n" in text else "\n")
    try:
        return made if tomllib.loads(made) == wanted else None
    except tomllib.TOMLDecodeError:
        return None


def _place_of(lines: list[str], name: str) -> tuple[int, int]:
    """Return where the table of a profile begins and ends, or the end of the file for both.

    Comments and blank lines before the next table belong to that.
    """
    headers = [number for number, line in enumerate(lines) if _header(line) is not None]
    for number, following in zip(headers, [*headers[1:], len(lines)], strict=False):
        if _header(lines[number]) == {"profiles": {name: {}}}:
            end = following
            while _COMMENT.match(lines[end - 1]):
                end -= 1
            return number, end
    return len(lines), len(lines)


def _changed(lines: list[str], table: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table with other settings: comments and equal settings stay."""
    kept: list[str] = []
    new = dict(table)
    for line in lines:
        setting = {} if _COMMENT.match(line) else _parse(line)
        if not line.strip() or setting is None or not setting.items() <= new.items():
            continue
        kept.append(line if line.endswith("\n") else f"{line}\n")
        new = {key: value for key, value in new.items() if key not in setting}
    return [*kept, _settings_text(new)]


def _header(line: str) -> dict[str, Any] | None:
    """Return the empty tables that a line begins, or None for any other line."""
    return _parse(line) if line.lstrip().startswith("[") else None


def _parse(line: str) -> dict[str, Any] | None:
    """Return the contents of a line, or None if the line is not TOML by itself."""
    try:
        return tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None


def _table_text(name: str, table: Mapping[str, Any]) -> str:
    key = name if _BARE_KEY.fullmatch(name) else _value_text(name)
    return f"[profiles.{key}]\n{_settings_text(table)}"


def _settings_text(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value_text(value)}\n" for key, value in table.items())


def _value_text(value: object) -> str:
    """Return a value in TOML, which is written as in JSON, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_private(file: Path, text: str) -> None:
    """Replace a file as a whole, or make it, for its user alone. Raises `OSError`, `UnicodeError`.

    A file that is there keeps its mode and its owner. A link stays one: its target is replaced.
    """
    target = Path(os.path.realpath(file))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=".redis-actions-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode())
        if target.exists():
            with contextlib.suppress(PermissionError):  # root's file in a directory of ours
                shutil.chown(draft, target.stat().st_uid, target.stat().st_gid)
            shutil.copymode(target, draft)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink()
        raise
