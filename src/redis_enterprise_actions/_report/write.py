"""Writer of reports to files. The suffix of the name selects the format."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.record import Record
from redis_enterprise_actions._model.text import json_text

from .html import html_page
from .markdown import markdown_report
from .svg import svg_file
from .timeline import timeline


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class ReportDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="v", tag=1):
    """A report as JSON. `v` is the version of its shape; fields may be added."""

    records: tuple[Record, ...]


def _json(records: Sequence[Record]) -> str:
    encoded = json_text(ReportDocument(records=tuple(records)))
    return f"{msgspec.json.format(encoded)}\n"


_FORMATS: Final[dict[str, Callable[[Sequence[Record]], str]]] = {
    ".html": html_page,
    ".svg": lambda records: svg_file(timeline(records)),
    ".md": markdown_report,
    ".json": _json,
}


def check_report(path: str | os.PathLike[str]) -> None:
    """Raise `UsageError` if no report can be written to `path`. Nothing is written.

    The suffix must be `.html`, `.svg`, `.md` or `.json`, and the directory must exist and be
    writable.
    """
    _format_of(Path(path))
    _target_of(Path(path))


def write_report(path: str | os.PathLike[str], records: Sequence[Record]) -> None:
    """Write the records of waits as a timeline, in the format that the suffix names.

    `.html` is a page and `.svg` a drawing, both of which load nothing; `.md` is Markdown for the
    summary of a job, and `.json` is `{"v": 1, "records": [...]}`. An existing file is replaced
    atomically, by one with the same permissions; if that fails, it stays as it was. A link stays
    one. A FIFO, a device or a link to `/dev/stdout` is written to.

    Raises `UsageError` as `check_report` does, and `OSError`, also for a FIFO without a reader.
    """
    text = _format_of(Path(path))(records)
    target = _target_of(Path(path))
    if isinstance(target, _Replaced):
        _replace(target, text)
        return
    opened = os.dup(target) if isinstance(target, int) else _open_device(target)
    with os.fdopen(opened, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _open_device(path: Path) -> int:
    """Open a device or a FIFO. Raises `OSError` instead of waiting for a reader of a FIFO."""
    if not path.is_fifo():
        return os.open(path, os.O_WRONLY)
    try:
        opened = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise OSError(errno.ENXIO, "no process reads the FIFO", str(path)) from None
    os.set_blocking(opened, True)
    return opened


class _Replaced(NamedTuple):
    """Regular file that a report replaces, and its status, None if it is not there yet."""

    path: Path
    before: os.stat_result | None


def _replace(target: _Replaced, text: str) -> None:
    path, before = target
    draft = path.with_name(f".report-{secrets.token_hex(8)}")  # short, as names have a limit
    mode = 0o666 if before is None else 0o600
    opener = partial(os.open, mode=mode)
    try:
        with open(draft, "x", encoding="utf-8", newline="\n", opener=opener) as file:
            file.write(text)
        if before is not None and os.name == "posix":
            _copy_permissions(before, draft)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _copy_permissions(before: os.stat_result, draft: Path) -> None:
    """Give a draft the owner, the group and the mode of the file that it will replace."""
    mode = stat.S_IMODE(before.st_mode)
    try:
        os.chown(draft, before.st_uid, before.st_gid)
    except OSError:  # not allowed, or the owner is not known in this user namespace
        if draft.stat().st_gid != before.st_gid:
            mode &= ~stat.S_IRWXG  # they are for another group
    draft.chmod(mode)


def _format_of(path: Path) -> Callable[[Sequence[Record]], str]:
    formatted = _FORMATS.get(path.suffix.lower())
    if formatted is None:
        raise UsageError(f"the name of a report must end with {', '.join(_FORMATS)}: {path}")
    return formatted


def _target_of(path: Path) -> _Replaced | Path | int:
    """Return the file to replace, with links followed, or what is written to without that.

    This is the path of a FIFO or a device, or the number of an open file that the path links to.
    """
    target: _Replaced | Path | int
    try:
        before = None
        with contextlib.suppress(FileNotFoundError):
            before = path.stat()
        descriptor = _descriptor(path)
        if descriptor is not None:
            target, problem = descriptor, _problem_with_descriptor(descriptor)
        elif before is None or stat.S_ISREG(before.st_mode):
            target = _Replaced(Path(os.path.realpath(path)), before)
            problem = _problem_with_folder(target.path.parent)
        elif stat.S_ISDIR(before.st_mode) or stat.S_ISSOCK(before.st_mode):
            is_folder = stat.S_ISDIR(before.st_mode)
            target, problem = path, "it is a directory" if is_folder else "it is a socket"
        else:
            target, problem = path, None if os.access(path, os.W_OK) else "it is not writable"
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    else:
        if problem is None:
            return target
    raise UsageError(f"a report cannot be written there: {path}: {problem}")


def _descriptor(path: Path) -> int | None:
    """Return the N of `/dev/fd/N` if a path is that or a link to it, as `/dev/stdout` is."""
    with contextlib.suppress(OSError):  # it is no link, or the system has no `/dev/fd`
        while not path.parent.samefile("/dev/fd"):
            path = path.parent / path.readlink()
        return int(path.name) if path.name.isdecimal() else None
    return None


def _problem_with_descriptor(descriptor: int) -> str | None:
    """Return why an open file cannot be written, or None. Raises `OSError` if it is closed."""
    import fcntl  # noqa: PLC0415 - not on Windows, which has no /dev/fd

    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    return "it is open for reading only" if flags & os.O_ACCMODE == os.O_RDONLY else None


def _problem_with_folder(folder: Path) -> str | None:
    """Return the reason why no file can be made in a folder, or None."""
    if not folder.is_dir():
        return "there is no such directory"
    return None if os.access(folder, os.W_OK | os.X_OK) else "its directory is not writable"
