"""Facts about `_live`: what is drawn on the terminal, and that it is as it was at the end."""

from __future__ import annotations

import io
import re
import sys

import msgspec
import pytest
from rich.console import Console

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._live import Live
from redis_enterprise_actions._scene import Scene
from redis_enterprise_actions._select import Selection
from tests.conftest import at


SCENE = Scene(where="https://n1:9443", selection=Selection(), interval=5)


def terminal(out: io.TextIOBase, **options: object) -> Console:
    """Return a terminal of 60 columns."""
    return Console(file=out, force_terminal=True, width=60, height=9, **options)  # type: ignore[arg-type]


def test_live() -> None:
    """Each drawing is the whole scene, in colours; the screen is another one, and is given back."""
    out = io.StringIO()
    with Live(SCENE, terminal(out, color_system="standard")) as live:
        live.draw()
        live.show(msgspec.structs.replace(SCENE, actions=(at(40.0),)))
        live.draw()
    drawn = out.getvalue()

    assert drawn.startswith("\x1b[?1049h")
    assert "\x1b[?25h" in drawn[-20:]
    assert drawn.count("SMUpdateBDB") == 2
    assert "\x1b[36m━━━━" in drawn
    assert "[n1" not in drawn


def test_it_moves() -> None:
    """What has no progress moves from drawing to drawing."""
    out = io.StringIO()
    with Live(msgspec.structs.replace(SCENE, actions=(at(),)), terminal(out)) as live:
        live.draw()
        live.draw()
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out.getvalue())
    first, second = re.findall(r"[━─]+", plain)

    assert [first.index("━"), second.index("━")] == [0, 1]


def test_plain() -> None:
    """No colour where there is none, and no letters that the output does not have."""
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    with Live(
        msgspec.structs.replace(SCENE, actions=(at(40.0),)), terminal(out, no_color=True)
    ) as live:
        live.draw()
    out.flush()
    drawn = out.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]

    assert "####" in drawn
    assert "\x1b[36m" not in drawn


def test_markup() -> None:
    """What the cluster says is text, and no markup of rich's."""
    out = io.StringIO()
    odd = msgspec.structs.replace(at(), name="[bold]x[/bold]", state="[/]")
    with Live(msgspec.structs.replace(SCENE, actions=(odd,)), terminal(out)) as live:
        live.draw()

    assert "[bold]x[/bold]" in out.getvalue()


def test_no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rich is missing, it says what to install."""
    monkeypatch.setitem(sys.modules, "rich.live", None)

    with pytest.raises(UsageError) as caught:
        Live(SCENE)
    assert str(caught.value).endswith("pip install 'redis-enterprise-actions[cli]'")
