"""Facts about what follows the waits of a command: reports that cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions._cli.wait.command import EXIT_FOLLOW_UP_FAILED, ReportWriter


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("trouble", ["gone", "taken"])
def test_report_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble: str) -> None:
    """A report that cannot be written in the end is said, and does not keep the next from it."""
    file, other = tmp_path / "place" / "report.json", tmp_path / "report.md"
    if trouble == "taken":
        file.mkdir(parents=True)
    with ReportWriter([str(file), str(other)]) as reports:
        pass

    assert reports.exit_code == EXIT_FOLLOW_UP_FAILED
    assert capsys.readouterr().err.startswith(f"redis-actions: --report {file} cannot be written: ")
    assert other.exists()


def test_error_goes_on(tmp_path: Path) -> None:
    """Whatever happens, they are written, and it goes on happening."""
    file = tmp_path / "report.json"
    with pytest.raises(KeyboardInterrupt), ReportWriter([str(file)]) as reports:
        raise KeyboardInterrupt

    assert reports.exit_code == 0
    assert file.exists()
