"""Facts about `_report_file`: which formats there are, and that files are whole or not there."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from redis_enterprise_actions import (
    Evidence,
    Outcome,
    Phase,
    UsageError,
    _report_file,
    check_report,
    write_report,
)
from redis_enterprise_actions._report_file import Flights
from tests.flights import CASES, QUIET, TROUBLED


if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis_enterprise_actions import Record

SCHEMA = Path(__file__).parent.parent / "docs" / "flight-record.schema.json"


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("r.html", "<!DOCTYPE html>"),
        ("r.HTML", "<!DOCTYPE html>"),
        ("r.svg", "<svg "),
        ("r.md", "### 2 waits"),
        ("r.json", "{\n"),
    ],
)
def test_formats(tmp_path: Path, name: str, begin: str) -> None:
    """The name of the file says in which format it is written."""
    check_report(str(tmp_path / name))
    write_report(str(tmp_path / name), [QUIET, TROUBLED])
    written = (tmp_path / name).read_text("utf-8")

    assert written.startswith(begin)
    assert written.endswith("\n")
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["report", "report.pdf", "report.json.gz", ".html", "no/r.html"])
def test_nowhere_to_write(tmp_path: Path, name: str) -> None:
    """Another format, and a place that is not there, are told before there is anything to tell."""
    for attempt in (check_report, lambda path: write_report(path, [])):
        with pytest.raises(UsageError, match="a report"):
            attempt(tmp_path / name)


def test_directory(tmp_path: Path) -> None:
    """A directory is no file, whatever its name."""
    (tmp_path / "r.html").mkdir()

    with pytest.raises(UsageError, match="cannot be written there"):
        check_report(tmp_path / "r.html")


def test_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writing fails, what was there stays, and nothing else is left."""
    path = tmp_path / "r.md"
    path.write_text("before", "utf-8")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, [QUIET])

    assert path.read_text("utf-8") == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["r.md"]


def test_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even a draft can be written, the reason for that is raised."""

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", fail)

    with pytest.raises(OSError, match="disk full"):
        write_report(tmp_path / "r.md", [QUIET])


def test_link(tmp_path: Path) -> None:
    """A link stays one, and what it leads to is written."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "r.md"
    link.symlink_to(tmp_path / "there" / "real.md")
    write_report(link, [QUIET])

    assert link.is_symlink()
    assert (tmp_path / "there" / "real.md").read_text("utf-8").startswith("### 1 wait")


def test_permissions(tmp_path: Path) -> None:
    """A report is as readable as any file that is made there."""
    (tmp_path / "any").touch()
    write_report(tmp_path / "r.md", [QUIET])

    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("any", "r.md")}
    assert len(modes) == 1


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_json(tmp_path: Path, records: Sequence[Record]) -> None:
    """As JSON it has a version, and the records as they were given."""
    write_report(tmp_path / "r.json", records)
    written = (tmp_path / "r.json").read_bytes()

    assert json.loads(written)["schema"] == 1
    assert msgspec.json.decode(written, type=Flights).records == tuple(records)


def test_schema() -> None:
    """The documented schema is that of the code, however docstrings are broken into lines.

    From 3.13 on, Python takes the indentation away from them.
    """
    schema = json.dumps(msgspec.json.schema(Flights))
    documented, coded = (
        json.loads(re.sub(r"(\\n| )+", " ", json.dumps(json.loads(text))))
        for text in (SCHEMA.read_text("utf-8"), schema)
    )

    assert documented == coded


@pytest.mark.parametrize("words", [Outcome, Evidence, Phase])
def test_words_are_documented(words: type[Outcome | Evidence | Phase]) -> None:
    """The page about reports names every word that a program may meet."""
    page = (SCHEMA.parent / "flight-record.md").read_text("utf-8")

    assert [word for word in words if f"`{word}`" not in page] == []


def test_formats_are_told() -> None:
    """The refusal names every format."""
    with pytest.raises(UsageError) as caught:
        check_report("r.pdf")

    assert all(suffix in str(caught.value) for suffix in _report_file._FORMATS)
