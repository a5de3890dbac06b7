"""Facts about the documentation: what its pages show runs, and what they list is complete."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reader import Reader, alike, typed


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Somebody who types off what is in a page, in an empty folder."""
    with Reader(tmp_path, monkeypatch) as reader:
        yield reader


@pytest.mark.skipif(sys.platform == "win32", reason="the pages are written for a POSIX shell")
@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_blocks(reader: Reader, page: Path) -> None:
    """Every block of a page runs, from the first to the last, and prints what is below it."""
    reader.read(page)


def test_reader_sees_what_is_wrong(reader: Reader, tmp_path: Path) -> None:
    """A block that fails, or prints something else, is an error."""
    pages = {
        "raises": "```python\n1 / 0\n```\n",
        "prints": "```python\nprint(1)\n```\n\n```text\n2\n```\n",
        "says": "```console\n$ echo 1\n2\n```\n",
        "fails": "```sh\nfalse\ntrue\n```\n",
        "is no Python": "<!-- not run: no -->\n```python\nfor\n```\n",
        "is no command of ours": "<!-- not run: no -->\n```sh\nredis-actions sleep\n```\n",
        "is no shell": "<!-- not run: no -->\n```sh\nfor\n```\n",
    }
    for name, text in pages.items():
        page = tmp_path / f"{name}.md"
        page.write_text(text, "utf-8")
        with pytest.raises((AssertionError, ZeroDivisionError, SyntaxError, SystemExit)):
            reader.read(page)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n...\nb\n", "a\n1\n2\nb\n", True),
        ("a ... b", "a b", False),
        ("...", "", True),
        ("a", "a\nb", False),
    ],
)
def test_alike(expected: str, printed: str, same: bool) -> None:
    """Three dots stand for anything, and nothing else does."""
    assert alike(expected, printed) is same


def test_typed() -> None:
    """A command goes on after a backslash, and what it prints is below it."""
    block = "$ one \\\n  two\nsaid\n$ three\n"

    assert typed(block) == [("one \\\n  two", "said\n"), ("three", "")]
