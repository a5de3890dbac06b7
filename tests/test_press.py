"""Facts about `press`: what it has made is what it would make, and no link is broken unseen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from press import links
from press.life import lived
from press.made import MADE


if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parent.parent / "docs"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.mark.enable_socket
@pytest.mark.parametrize(("name", "make"), MADE.items(), ids=MADE)
def test_made(name: str, make: Callable[[], str]) -> None:
    """What is in `docs/` is what `python -m press` would write, to a pixel or two."""
    there, made = (DOCS / name).read_text("utf-8"), make()
    hint = f"docs/{name} is out of date: run python -m press"

    assert _NUMBER.split(made) == _NUMBER.split(there), hint
    for old, new in zip(_NUMBER.findall(there), _NUMBER.findall(made), strict=True):
        assert abs(float(old) - float(new)) <= 2, hint


@pytest.mark.enable_socket
def test_life() -> None:
    """The life that is drawn has what it is drawn for: an outage survived, and an end soon seen."""
    life = lived()
    in_vain = [at for at, answered in life.asked if not answered]

    assert min(in_vain) >= 45
    assert max(in_vain) <= 75
    assert life.told[0][2] == "pending"
    assert life.told[-1][2] == "completed"
    assert 120 <= life.returned <= 121


LINKS = [
    ("", None),
    ("#here", None),
    ("#nowhere", "no such anchor"),
    ("other/", None),
    ("other/#there", None),
    ("other/#here", "no such anchor"),
    ("third/", "no such page"),
    ("a%20picture.svg", None),
    ("https://example.com/x", None),
    ("https:///x", "no address"),
    ("gopher://example.com", "no address"),
]


@pytest.mark.parametrize(("link", "problem"), LINKS, ids=[link or "none" for link, _ in LINKS])
def test_links(tmp_path: Path, link: str, problem: str | None) -> None:
    """A link is followed to its page and its anchor, as far as it stays in the site."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text('<p id="there"><a href="../#here">', "utf-8")
    (tmp_path / "a picture.svg").touch()
    page = f'<p id="here"><a href="{link}">'
    (tmp_path / "index.html").write_text(page, "utf-8")
    (tmp_path / "404.html").write_text('<a href="/nowhere">', "utf-8")

    expected = [] if problem is None else [f"index.html: {link}: {problem}"]
    assert links.broken(tmp_path) == expected


def test_links_as_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says how many links are broken, and fails if there are any."""
    (tmp_path / "index.html").write_text('<img src="x.svg">', "utf-8")

    assert links.main([str(tmp_path)]) == 1
    assert "index.html: x.svg: no such page" in capsys.readouterr().out
    (tmp_path / "x.svg").touch()
    assert links.main([str(tmp_path)]) == 0
