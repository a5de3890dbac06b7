"""Tests of the cells on the page about notebooks, with IPython's event loop for all cells."""

from __future__ import annotations

import atexit
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from redis_enterprise_actions import ActionsClient, FinishedAction
from redis_enterprise_actions.testing import Plan


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.threaded_cluster import ThreadedCluster

pytestmark = pytest.mark.system

PAGE = Path(__file__).parents[1] / "docs" / "notebooks.md"
CELL = re.compile(r"<!-- not run: a cell of a notebook -->\n```python\n(.*?)```", re.DOTALL)


class Notebook:
    """Shell that runs cells, and keeps what they display."""

    def __init__(self) -> None:
        self.shell = InteractiveShell.instance()
        self.shell.history_manager.enabled = False
        self.displayed: list[dict[str, object]] = []

    def run(self, cell: str) -> object:
        """Run a cell; return its value."""
        with capture_output() as captured:
            ran = self.shell.run_cell(cell)
        ran.raise_error()
        self.displayed += [each.data for each in captured.outputs]
        value: object = ran.result
        return value


@pytest.fixture
def notebook(
    threaded: ThreadedCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Notebook]:
    """Return a notebook beside a cluster with three databases."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    threaded.do(lambda cluster: [cluster.add_bdb(uid) for uid in (1, 2, 3)])
    for method in ("POST", "PUT"):
        threaded.do(
            lambda cluster, method=method: cluster.plan(
                method, "/v1/", Plan(duration=0.5), times=None
            )
        )  # type: ignore[misc]
    notebook = Notebook()
    yield notebook
    atexit.unregister(notebook.shell.atexit_operations)
    notebook.shell.atexit_operations()
    InteractiveShell.clear_instance()


def test_cells(notebook: Notebook) -> None:
    """The cells run one after another, and show what the page says."""
    cells = CELL.findall(PAGE.read_text("utf-8"))
    make, start, progress, end, several, begin, awaited, close = cells

    notebook.run(make)
    assert str(notebook.run(start)).startswith("action:")
    notebook.run(progress)
    finished = notebook.run(end)
    assert isinstance(finished, FinishedAction)
    assert finished._repr_html_().startswith("<svg")
    pages = [str(data.get("text/html")) for data in notebook.displayed]
    assert len(pages) >= 2
    assert any("SMUpgradeBDB" in page for page in pages)
    done = notebook.run(several)
    assert isinstance(done, list)
    assert [text.split(":")[0] for text in done] == ["SMUpgradeBDB on bdb"] * 2
    assert all("completed" in text for text in done)
    notebook.run(begin)
    assert isinstance(notebook.run(awaited), FinishedAction)
    notebook.run(close)


def test_mistakes(notebook: Notebook) -> None:
    """A forgotten `await` and a second loop are errors with the words of the page."""
    page = PAGE.read_text("utf-8")
    notebook.run(
        "from redis_enterprise_actions import ActionsClient\nclient = ActionsClient.from_env()"
    )
    cells = {
        "with client: pass": "use `async with` instead of `with`",
        "await client.wait_for(client.databases.upgrade(1))": "was not awaited: write",
        "call = client.databases.upgrade(1)\ntry:\n    call.wait()\nfinally:\n    call.close()": (
            "'coroutine' object has no attribute 'wait'"
        ),
        "import asyncio\nloop = asyncio.new_event_loop()\nawait client.list_actions()\n"
        "call = client.list_actions()\n"
        "await asyncio.to_thread(loop.run_until_complete, call)": (
            "the client belongs to the event loop that it was first used in"
        ),
    }
    for cell, words in cells.items():
        with pytest.raises(Exception, match=re.escape(words)):
            notebook.run(cell)
        assert words in page
    notebook.run("loop.close()\nawait client.aclose()")
    assert isinstance(notebook.shell.user_ns["client"], ActionsClient)
