"""Collector of the messages in the source: of errors, of the log, and of the command.

`python -m tests.messages` writes the table tests/golden/messages.txt, a line for each message:
every text of three words or more that is neither a docstring nor markup. Braces hold what is
filled in when a message is made.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import redis_enterprise_actions


if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE: Final = Path(redis_enterprise_actions.__file__).parent
GOLDEN: Final = Path(__file__).parent / "golden" / "messages.txt"
DOCUMENTED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def text_of(node: ast.Constant | ast.JoinedStr) -> str:
    """Return the text of a string or f-string, with the source of what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            parts.append(f"{{{ast.unparse(part.value)}}}")
        elif isinstance(part, ast.Constant):
            parts.append(str(part.value))
    return "".join(parts)


def texts_in(node: ast.AST) -> Iterator[str]:
    """Yield the strings and f-strings below a node, but for docstrings."""
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        yield text_of(node)
        return
    skipped = node.body[0] if isinstance(node, DOCUMENTED) and ast.get_docstring(node) else None
    for child in ast.iter_child_nodes(node):
        bare = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if child is not skipped and not bare:
            yield from texts_in(child)


def table() -> list[str]:
    """Return a line for each message, by module; those of the fake cluster are left out."""
    lines: set[str] = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        module = file.relative_to(PACKAGE).with_suffix("").as_posix()
        if module.startswith("testing/"):
            continue
        for text in texts_in(ast.parse(file.read_text("utf-8"))):
            words = text.split()
            if len(words) > 2 and "<" not in text and "{ " not in text:
                lines.add(f"{module}: {' '.join(words)}")
    return sorted(lines)


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(table()) + "\n", "utf-8")
