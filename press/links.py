"""Follows the links of a built site: `python -m press.links DIRECTORY ...`.

Looks at links within the site, and at their anchors. What is elsewhere is not asked for; that it
has the form of an address is all that is seen of it.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit


_LINKS: Final = {"a": "href", "link": "href", "img": "src", "script": "src"}
_OWN_PAGE: Final = "404.html"  # whose links are from the root, which is not known here


class _Page(HTMLParser):
    """What a page links to, and what it can be linked by."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link, an anchor, or both."""
        said = dict(attrs)
        self.anchors.add(said.get("id") or said.get("name") or "")
        link = said.get(_LINKS.get(tag, ""))
        if link:
            self.links.add(link)


def broken(site: Path) -> list[str]:
    """Return a line for each link that leads nowhere."""
    pages = {file.resolve(): _Page(file.read_text("utf-8")) for file in site.rglob("*.html")}
    return sorted(
        f"{file.relative_to(site.resolve())}: {link}: {problem}"
        for file, page in pages.items()
        if file.name != _OWN_PAGE
        for link in page.links
        if (problem := _problem(file, link, pages))
    )


def _problem(file: Path, link: str, pages: dict[Path, _Page]) -> str | None:
    """Return what is wrong with a link on a page, or None."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        outside = parts.scheme in {"http", "https"} and parts.netloc
        return None if outside or parts.scheme in {"data", "mailto"} else "no address"
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "no such page"
    if target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "no such anchor"
    return None


def main(sites: list[str]) -> int:
    """Print what is broken; return the exit code."""
    lines = [f"{site}: {line}" for site in sites for line in broken(Path(site))]
    print(*lines, f"{len(lines)} broken links in {', '.join(sites)}", sep="\n")
    return 1 if lines or not sites else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
