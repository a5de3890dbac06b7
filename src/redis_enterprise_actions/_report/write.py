"""Where a report is written, and in which format: its name tells."""

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
    """What a report holds as JSON. `schema` is the version of its shape; fields may be added."""

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
    """Raise `UsageError` if no report can be written to `path`, before there is anything to tell.

    Its suffix is to be `.html`, `.svg`, `.md` or `.json`, and its directory is to be there and
    writable. Nothing is written.
    """
    _format_of(Path(path))
    _target_of(Path(path))


def write_report(path: str | os.PathLike[str], records: Sequence[Record]) -> None:
    """Write what waits have been through as a timeline, in the format that the suffix names.

    `.html` is a page, and `.svg` a drawing, that need nothing from elsewhere, `.md` is Markdown for
    the summary of a job, and `.json` is `{"schema": 1, "records": [...]}`. What was there is
    replaced at once, or, where that fails, stays as it was.

    Raises `UsageError` as `check_report` does, and `OSError`.
    """
    written = _format_of(Path(path))(records)
    place = _target_of(Path(path))
    draft = place.with_name(f".report-{secrets.token_hex(8)}")  # short, as names have a limit
    try:
        draft.write_text(written, "utf-8", newline="\n")
        draft.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _format_of(path: Path) -> Callable[[Sequence[Record]], str]:
    written = _FORMATS.get(path.suffix.lower())
    if written is None:
        raise UsageError(f"a report is one of {', '.join(_FORMATS)}, as its name ends: {path}")
    return written


def _target_of(path: Path) -> Path:
    """Return the file that is to be written, which is where a link leads to: a link stays one."""
    try:
        place = Path(os.path.realpath(path))
        problem = _problem_of(place)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    else:
        if problem is None:
            return place
    raise UsageError(f"a report cannot be written there: {path}: {problem}")


def _problem_of(place: Path) -> str | None:
    """Return why a file cannot be written, as far as that shows. Raises what `stat` raises."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(place.stat().st_mode):
            return "it is a directory"
    if not place.parent.is_dir():
        return "there is no such directory"
    return None if os.access(place.parent, os.W_OK | os.X_OK) else "its directory is not writable"
