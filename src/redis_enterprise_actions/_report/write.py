"""Writer of reports to files. The suffix of the name selects the format."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

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


class ReportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A report as JSON. `schema` is the version of its shape; fields may be added."""

    schema: Literal[1]
    records: tuple[Record, ...]


def _json(records: Sequence[Record]) -> str:
    encoded = json_text(ReportDocument(schema=1, records=tuple(records)))
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
    summary of a job, and `.json` is `{"schema": 1, "records": [...]}`. An existing file is replaced
    atomically; if that fails, it stays as it was.

    Raises `UsageError` as `check_report` does, and `OSError`.
    """
    text = _format_of(Path(path))(records)
    target = _target_of(Path(path))
    draft = target.with_name(f".report-{secrets.token_hex(8)}")  # short, as names have a limit
    try:
        draft.write_text(text, "utf-8", newline="\n")
        draft.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _format_of(path: Path) -> Callable[[Sequence[Record]], str]:
    formatted = _FORMATS.get(path.suffix.lower())
    if formatted is None:
        raise UsageError(f"the name of a report must end with {', '.join(_FORMATS)}: {path}")
    return formatted


def _target_of(path: Path) -> Path:
    """Return the file to write, with links followed so that a link stays one."""
    try:
        target = Path(os.path.realpath(path))
        problem = _problem_with(target)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    else:
        if problem is None:
            return target
    raise UsageError(f"a report cannot be written there: {path}: {problem}")


def _problem_with(target: Path) -> str | None:
    """Return the reason why a file cannot be written, or None. Raises `OSError` as `stat` does."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(target.stat().st_mode):
            return "it is a directory"
    if not target.parent.is_dir():
        return "there is no such directory"
    return None if os.access(target.parent, os.W_OK | os.X_OK) else "its directory is not writable"
