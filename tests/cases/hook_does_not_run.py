"""A hook is run however long the cluster's error is.

The fault: an error longer than 128 KiB, which is all that Linux lets into one variable, kept the
hook from running at all. What the hook is given of it is shortened.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from programs import check, command, run
from servers import action, answer, serving


if TYPE_CHECKING:
    from aiohttp import web


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


async def _main() -> None:
    for length in (100_000, 140_000):

        async def serve(request: web.BaseRequest, length: int = length) -> web.Response:
            return answer(action("failed", error="y" * length))

        with tempfile.TemporaryDirectory() as place:
            environment = Path(place, "environment")
            async with serving(serve) as url:
                ended = await command(
                    *("wait", "a", "--output", "json", "--hook", f'env > "{environment}"'), url=url
                )
            size = _size(environment)
            check(ended.code == 1 and size > 0, f"{length} characters: the hook got {size}")


if __name__ == "__main__":
    run(_main)
