"""Tests of the documentation: its code runs, and its lists are complete."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import yaml

import redis_enterprise_actions
from redis_enterprise_actions import ActionsClient, Outcome, Phase, RedisActionsError
from redis_enterprise_actions._client.config.options import SETTINGS
from redis_enterprise_actions._client.polling import wait_state
from redis_enterprise_actions._model import action as _action
from tests.page_runner import PageRunner, matches, parse_console


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "redis_enterprise_actions"
# The tutorial starts a fake cluster, which prints its password.
PAGES = [
    pytest.param(page, marks=pytest.mark.prints_password if page.stem == "tutorial" else ())
    for page in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageRunner]:
    """Return a runner of pages in an empty folder."""
    with PageRunner(tmp_path, monkeypatch) as runner:
        yield runner


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="pages are written for a POSIX shell")


@pytest.mark.enable_socket
@POSIX
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks(runner: PageRunner, page: Path) -> None:
    """Every block of a page runs, from the first to the last, and prints the text below it."""
    runner.run_page(page)


@pytest.mark.enable_socket
@POSIX
def test_wrong_blocks(runner: PageRunner, tmp_path: Path) -> None:
    """A block that fails, or that prints another text, is an error."""
    pages = {
        "raises": "```python\n1 / 0\n```\n",
        "prints": "```python\nprint(1)\n```\n\n```text\n2\n```\n",
        "says": "```console\n$ echo 1\n2\n```\n",
        "fails": "```sh\nfalse\ntrue\n```\n",
        "is no Python": "<!-- not run: no -->\n```python\nfor\n```\n",
        "is no command of ours": "<!-- not run: no -->\n```sh\nredis-actions sleep\n```\n",
        "is no shell": "<!-- not run: no -->\n```sh\nfor\n```\n",
        "is no YAML": "```yaml\na: [\n```\n",
        "has no command of ours": "```yaml\nscript: [redis-actions sleep]\n```\n",
        "has no argument of ours": "```yaml\nimage: redis-actions:1\nargs: [list, --sleep]\n```\n",
    }
    for name, text in pages.items():
        page = tmp_path / f"{name}.md"
        page.write_text(text, "utf-8")
        with pytest.raises(
            (AssertionError, ZeroDivisionError, SyntaxError, SystemExit, yaml.YAMLError)
        ):
            runner.run_page(page)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n...\nb\n", "a\n1\n2\nb\n", True),
        ("a ... b", "a b", False),
        ("...", "", True),
        ("a  b", "a\t    b", True),
        ("a b", "ab", False),
        ("a b", "a\nb", False),
        ("a", "a\nb", False),
    ],
)
def test_matches(expected: str, printed: str, same: bool) -> None:
    """Three dots match any text, and nothing else does; columns may be of any width."""
    assert matches(expected, printed) is same


def test_parse_console() -> None:
    """A command continues after a backslash, and its output is below it."""
    block = "$ one \\\n  two\nsaid\n$ three\n"

    assert parse_console(block) == [("one \\\n  two", "said\n"), ("three", "")]


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / "docs" / page).read_text("utf-8")


def public_errors() -> list[type[RedisActionsError]]:
    """Return every public error."""
    public = [getattr(redis_enterprise_actions, name) for name in redis_enterprise_actions.__all__]
    return [it for it in public if isinstance(it, type) and issubclass(it, RedisActionsError)]


def test_every_error_has_its_section() -> None:
    """The page of errors has advice and an exit code for every error."""
    sections = dict(
        re.findall(r"^### (\w+)\n\n((?:(?!^##).*\n)+)", text_of("errors.md"), re.MULTILINE)
    )
    bases = {"RedisActionsError", "RequestError", "WaitError"}

    assert sections.keys() == {error.__name__ for error in public_errors()} - bases
    for error in public_errors():
        if error.__name__ not in sections:
            continue
        assert "**Do:**" in sections[error.__name__]
        if error.__name__ != "ClientClosed":
            assert sections[error.__name__].startswith(f"*Exit code {error.outcome.exit_code}.* ")


def test_reference_has_every_public_name() -> None:
    """The reference has every public name."""
    names = re.findall(r"^::: redis_enterprise_actions\.(\w+)$", text_of("api.md"), re.MULTILINE)

    assert sorted([*names, "__version__"]) == redis_enterprise_actions.__all__


def test_environment() -> None:
    """The page of the environment lists every variable, with its argument and its option."""
    row = re.compile(r"^\| `([A-Z_]+)` \| .* \| `(\w+)[^`]*` \| `(--[a-z-]+)` \|$", re.MULTILINE)
    rows = row.findall(text_of("environment.md"))
    known = {setting.upper(): argument for argument, setting in SETTINGS.items()}

    assert {variable: argument for variable, argument, _ in rows} == known
    assert set(known.values()) == inspect.signature(ActionsClient).parameters.keys() - {"session"}
    options = {option for _, _, option in rows}
    assert all(f"`{option}" in text_of("command-line.md") for option in options)


def test_comparison_has_the_figures_of_the_benchmarks() -> None:
    """The figures in the comparison are those of the benchmarks."""
    row = re.compile(
        r"^\| [^|]* \| ([\d,.]+) \| ([\d.]+ s) \| ([\d.]+ s) \| (\d+) \|$", re.MULTILINE
    )
    measured = text_of("benchmarks.md").split("### 100 waits")[1].split("###")[0]
    rows = row.findall(text_of("comparison.md"))

    assert len(rows) == 5
    for requests, cpu, lag, at_once in rows:
        (line,) = re.findall(rf"^\|[^|]*\| {requests}\b.*$", measured, re.MULTILINE)
        assert f"| {cpu}" in line
        assert f"| {lag}" in line
        assert f"| {at_once} |" in line


def test_plot_has_the_figures_of_the_benchmarks() -> None:
    """Each point of the plot has the requests and the lag of a row of the table above it."""
    point = re.compile(r"<title>[^<]+: ([\d,]+) requests, ([\d.]+ s)<")
    points = point.findall(text_of("requests-against-lag.svg"))
    measured = text_of("benchmarks.md").split("### 100 waits")[1].split("###")[0]
    row = re.compile(r"^\|[^|]*\| ([\d,]+)\b(?:[^|]*\|){4} ([\d.]+ s)", re.MULTILINE)

    assert sorted(points) == sorted(row.findall(measured))


def test_page_of_json_has_every_outcome() -> None:
    """The page of the JSON lines lists every outcome of a wait."""
    words = set(Outcome) - {
        *(Outcome.WRONG_USAGE, Outcome.UNHEALTHY, Outcome.INTERRUPTED, Outcome.UNDER_WAY),
    }

    assert all(f"`{word}`" in text_of("jq.md") for word in words)


def test_jobs_in_kubernetes() -> None:
    """A job that only waits is repeated for those exit codes after which the work may go on."""
    _, waits = re.findall(
        r"^```yaml\n(.*?)^```", text_of("containers.md"), re.MULTILINE | re.DOTALL
    )
    (rule,) = yaml.safe_load(waits)["spec"]["podFailurePolicy"]["rules"]
    repeated = {Outcome.TIMED_OUT.exit_code, Outcome.UNREACHABLE.exit_code}
    ends = {outcome.exit_code for outcome in Outcome if outcome is not Outcome.INTERRUPTED}

    assert set(rule["onExitCodes"]["values"]) == ends - repeated - {0}


def test_front_page() -> None:
    """The front page links to the pages that readers need first."""
    front = text_of("index.md")

    for page in ("certificates.md", "errors.md#actionvanished", "ci.md#runners", "many-waits.md"):
        assert f"]({page}" in front


@pytest.mark.parametrize(
    "name",
    ["command-line.md"]
    + [f"{each}.schema.json" for each in ("action", "capture", "check", "doctor", "objects")],
)
def test_generated_files(name: str) -> None:
    """The generated files are up to date with the parser and the types."""
    hint = f"docs/{name} is out of date: run python docs/command_line.py"
    written = runpy.run_path(str(ROOT / "docs" / "command_line.py"))["PAGES"]

    assert text_of(name) == written[name](), hint


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_images(page: Path) -> None:
    """Each image of a page exists; the site builder checks other links only."""
    images = re.findall(r"!\[[^]]*\]\(([^):]+)\)", page.read_text("utf-8"))

    assert [image for image in images if not (page.parent / image).is_file()] == []


@pytest.mark.parametrize(
    "picture", sorted((ROOT / "docs").glob("screen-*.svg")), ids=lambda picture: picture.stem
)
def test_picture_of_a_screen(picture: Path) -> None:
    """The picture of a screen has a width of its own, and valid UUIDs."""
    text = picture.read_text("utf-8")

    assert re.match(r'<svg [^>]*width="\d+"', text)
    for uid in re.findall(r"[\w-]{36}", text):
        UUID(uid)


def test_picture_of_states() -> None:
    """The picture of the status words has each word, its phase, and the result of a wait."""
    _, *halves = text_of("states.svg").split("the wait goes on")
    of_work = {**_action.ACTION_PHASES, **_action.CRDB_TASK_PHASES, **_action.TRANSFER_PHASES}
    for table, half in zip([of_work, _action.DATABASE_PHASES], halves, strict=True):
        boxes = re.findall(r">Phase\.(\w+)<((?:(?!>Phase\.).)*)", half, re.DOTALL)
        drawn = {
            word: Phase[phase]
            for phase, box in boxes
            if phase != "UNKNOWN"
            for line in re.findall(r"<text x=[^>]*>([^<]+)<", box)
            for word in line.split(", ")
        }

        assert drawn == table
        for phase, box in boxes:
            (end,) = re.findall(r">(returns the Action|raises \w+)<", box) or [None]
            raised = wait_state._ERRORS.get(Phase[phase])
            expected = f"raises {raised.__name__}" if raised else "returns the Action"
            assert end == (expected if Phase[phase].terminal else None)


def section_on_one_wait() -> str:
    """Return the section of CONTRIBUTING.md that follows one wait through the code."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return text.split("## One wait in the code")[1].split("\n## ")[0]


def names_of(file: Path) -> Iterator[str]:
    """Yield the names that a module defines: `function`, `CONSTANT`, `Class`, `Class.member`."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
            yield from (f"{node.name}.{member}" for member in members_of(node))
        else:
            yield from members_of(node)


def members_of(node: ast.AST) -> Iterator[str]:
    """Yield the functions, variables and attributes of `self` below a node."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield each.name
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id
        elif isinstance(each, ast.Attribute) and ast.unparse(each.value) == "self":
            yield each.attr


def test_names_of_the_code() -> None:
    """Each name in the section on one wait in the code, and in its picture, exists."""
    page, picture = section_on_one_wait(), text_of("states-of-a-wait.svg")
    drawn = re.findall(r">[^<]*?\b(\w+(?:\.\w+|_\w+)+)[^<]*<", picture)
    named = {*re.findall(r"`([^`]+)`", page), *drawn}
    known = {name for file in SOURCE.rglob("*.py") for name in names_of(file)}
    arguments = {"decode", "on_progress", "outage_timeout"}

    assert len(named) > 50
    assert named - known - arguments - {"_client"} == set()
    assert (SOURCE / "_client").is_dir()


def test_numbers_of_the_picture() -> None:
    """Each number in the picture of the states has its row in the table below it."""
    drawn = re.findall(r">(\d+)<", text_of("states-of-a-wait.svg"))
    rows = re.findall(r"^\| (\d+) \|", section_on_one_wait(), re.MULTILINE)

    assert sorted(drawn, key=int) == rows
