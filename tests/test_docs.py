"""Facts about the pages in `docs/`: what they show runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


PATH = [os.environ["PATH"]] if "PATH" in os.environ else []
PAGE = (Path(__file__).parent.parent / "docs" / "testing.md").read_text("utf-8")
(SETTINGS,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(block, id=section.splitlines()[0])
    for section in PAGE.split("\n## ")
    for block in re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block_of_testing(tmp_path: Path, block: str) -> None:
    """Each block on the page about tests is a file of tests that pass, under its settings."""
    (tmp_path / "pyproject.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "test_theirs.py").write_text(block, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), *PATH])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
