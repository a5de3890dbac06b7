"""Write into `docs/` all that is made: `python -m press`."""

from __future__ import annotations

from pathlib import Path

from .made import MADE


DOCS = Path(__file__).parent.parent / "docs"

for name, make in MADE.items():
    (DOCS / name).write_text(make(), "utf-8", newline="\n")
    print(f"docs/{name}")
