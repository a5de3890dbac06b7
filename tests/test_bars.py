"""Facts about `_bars`: what is drawn, at the widths that terminals have."""

from __future__ import annotations

import io
import re

import msgspec
import pytest
from rich.console import Console

from redis_enterprise_actions import PendingOp
from redis_enterprise_actions._bars import Bars
from tests.conftest import at


@pytest.mark.parametrize("width", [40, 80, 200])
def test_each_row_has_everything(width: int) -> None:
    """However long the words, each row has its title, its bar and its time, in one line."""
    shards = tuple(PendingOp(shard_uid=str(n), op_name="reshard", progress=5.0) for n in range(9))
    busy = msgspec.structs.replace(
        at(40.0),
        object_type="bdb",
        object_uid="1",
        state="a_state_with_a_rather_long_name",
        pending_ops=shards,
        error="e" * 500,
    )
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    with Bars(console) as bars:
        bars.changed(busy)
        bars.changed(msgspec.structs.replace(at(status="queued"), uid="a2", name="retry[bdb]"))
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n")
    rows = [line for line in drawn.splitlines() if line.strip()]

    assert all(len(row) <= width for row in rows)
    assert any(re.search(r"SMUp\S*.* ━.* 0:00:00$", row.rstrip()) for row in rows)
    assert any(re.search(r"retry\S*.* ━.* queued +0:00:00$", row.rstrip()) for row in rows)


def test_ends() -> None:
    """An action that has ended is drawn as ended, and nothing stays when all is over."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None)
    with Bars(console) as bars:
        bars.changed(at(40.0))
        bars.changed(at(None, "completed"))

    assert "completed" in out.getvalue()
    assert out.getvalue().rstrip().endswith("\x1b[2K")
