"""Tests of `_cli.completion`, in the shells themselves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redis_enterprise_actions import UsageError
from redis_enterprise_actions._cli.arguments import build_parser, parse_arguments
from redis_enterprise_actions._cli.completion import SHELLS, answer_completion, completion_script
from redis_enterprise_actions._cli.main import main
from redis_enterprise_actions._cli.reference_cache import remember


if TYPE_CHECKING:
    from collections.abc import Callable

if sys.platform != "win32":
    from tests.terminal_process import TerminalProcess

PROGRAM = Path(sys.executable).parent / "redis-actions"
OFFERED = [
    ("", sorted(build_parser([]).commands)),  # and no options
    ("w", ["wait", "watch"]),
    ("--prof", ["--profile"]),
    ("--profile p", ["prod"]),
    ("--profile prod w", ["wait", "watch"]),
    ("help conn", ["connection"]),
    ("help wat", ["watch"]),
    ("wait -o j", ["json"]),
    ("completion ", ["--help", "-h", "bash", "fish", "zsh"]),
    ("wait --ti", ["--timeout"]),
    ("list --auth ", ["basic", "jwt"]),
    ("list --profile ", ["lab", "prod"]),
    ("list --profile p", ["prod"]),
    ("list --ca-cert ", ["beta.pem", "gamma/"]),
    ("list --token-file g", ["gamma/"]),
    ("list --status fa", ["failed"]),
    ("list --status running,fa", ["running,failed"]),
    ("watch --name ", []),
    ("wait --status running,fa", ["running,failed"]),
    ("wait --al", ["--all", "--allow-empty"]),
    ("wait --b", ["--bdb"]),
    ("wait b", []),  # no file, and no request
    ("list --pass", ["--password-file"]),  # --password is there to be refused
]


def needs(shell: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test if a shell is not installed."""
    there = shutil.which(shell) is not None and PROGRAM.exists()
    return pytest.mark.skipif(not there, reason=f"there is no {shell} here")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with files and profiles; put the command on the path."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "beta.pem").touch()
    (tmp_path / "here" / "gamma").mkdir()
    (tmp_path / "config.toml").write_text("[profiles.prod]\n[profiles.lab]\n")
    monkeypatch.setenv("REDIS_ACTIONS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("REDIS_ENTERPRISE_URL", "https://127.0.0.1:1")
    monkeypatch.setenv("PATH", f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def run(*command: str) -> str:
    """Run a shell and return its output."""
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert ran.stderr == ""
    return ran.stdout


# Print the completions of each line. argcomplete takes over the file descriptors 8 and
# 9 of its process, so the tests run it in a subprocess.
ANSWERING = """
import contextlib, json, os, sys
from redis_enterprise_actions._cli.arguments import build_parser
from redis_enterprise_actions._cli.completion import answer_completion

os.environ |= {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_SHELL": "bash", "COMP_TYPE": "9"}
answers = []
for line in json.load(sys.stdin):
    os.environ |= {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    os.environ["_ARGCOMPLETE_STDOUT_FILENAME"] = sys.argv[1]
    with contextlib.suppress(SystemExit):
        answer_completion(build_parser())
    with open(sys.argv[1]) as answer:
        answers.append(answer.read().split("\\v"))
print(json.dumps(answers))
"""


@pytest.mark.enable_socket
def test_offered(folder: Path) -> None:
    """Tab at the end of a line completes the words that fit there, and no others."""
    ran = subprocess.run(
        [sys.executable, "-c", ANSWERING, folder / "answer"],
        input=json.dumps([f"redis-actions {line}" for line, _ in OFFERED]),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answers = [sorted(word.strip() for word in words) for words in json.loads(ran.stdout)]

    assert answers == [offered or [""] for _, offered in OFFERED]


REMEMBERED = ["6c93e2a5-3f7e-4f2e-9a5b-0b0f5a0f5a0f", "crdb:t1", "node:1/maintenance_on"]


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("line", "urls", "offered"),
    [
        ("get ", [], REMEMBERED),
        ("wait 6c", [], REMEMBERED[:1]),
        ("cancel n", [], REMEMBERED[2:]),
        ("--url https://127.0.0.1:1/ get c", [], ["crdb:t1"]),
        ("--url https://other:9443 get c", [], []),
        ("get c", None, []),
        ("--profile prod get c", None, ["crdb:t1"]),
        ("--profile lab get c", None, []),
        ("--profile none get c", None, []),
    ],
)
def test_references(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    urls: list[str] | None,
    offered: list[str],
) -> None:
    """Tab offers the references of the cluster that the command would connect to."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder))
    remember(["https://127.0.0.1:1"], REMEMBERED)
    (folder / "config.toml").write_text(
        '[profiles.prod]\nurl = "https://127.0.0.1:1"\npassword_file = "gone"\n[profiles.lab]\n'
    )
    if urls is None:
        monkeypatch.delenv("REDIS_ENTERPRISE_URL")
    ran = subprocess.run(
        [sys.executable, "-c", ANSWERING, folder / "answer"],
        input=json.dumps([f"redis-actions {line}"]),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (words,) = json.loads(ran.stdout)

    assert sorted(word.strip() for word in words if not word.startswith("-")) == (offered or [""])


@pytest.mark.enable_socket
@needs("bash")
def test_bash(folder: Path) -> None:
    """Bash completes with the function that the script registers with `complete`."""
    some = [*OFFERED[1:3], *OFFERED[6:7], *OFFERED[9:12]]
    tries = "\n".join(f"try 'redis-actions {line}'" for line, _ in some)
    lines = run(
        *("bash", "--norc", "-c"),
        f"""
        eval "$(redis-actions completion bash)"
        function=$(complete -p redis-actions | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
        try() {{
            COMP_LINE=$1 COMP_POINT=${{#1}} COMP_TYPE=9 COMPREPLY=()
            $function redis-actions
            echo "${{COMPREPLY[*]}}"
        }}
        {tries}
        """,
    ).splitlines()

    assert [sorted(re.split(r"[\s\v]+", line.strip())) for line in lines] == [
        offered or [""] for _, offered in some
    ]


@needs("fish")
def test_fish(folder: Path) -> None:
    """Fish offers the same words, with the help text of each."""
    some = OFFERED[1:6]
    tries = "; ".join(f"complete -C 'redis-actions {line}'; echo" for line, _ in some)
    printed = run("fish", "--no-config", "-c", f"redis-actions completion fish | source; {tries}")
    blocks = re.split(r"^\n", printed, flags=re.MULTILINE)[:-1]

    assert [sorted(line.split("\t")[0] for line in block.splitlines()) for block in blocks] == [
        offered for _, offered in some
    ]
    assert "--timeout\tgive up after this long" in printed


@needs("zsh")
def test_zsh(folder: Path) -> None:
    """Zsh completes at Tab."""
    with TerminalProcess(["zsh", "-f", "-i"], columns=100) as terminal:
        terminal.type("PS1='% '; autoload -U compinit; compinit -u -D\n")
        terminal.type('eval "$(redis-actions completion zsh)"; echo rea""dy\n')
        terminal.read_until("ready")
        terminal.type("redis-actions list --prof\t")
        terminal.read_until("ile")
        terminal.type(" p\t")
        terminal.read_until("rod")
        terminal.type(" --ca-cert b\t")
        terminal.read_until("eta.pem")


@pytest.mark.parametrize("shell", SHELLS)
def test_script(shell: str, lines: Callable[[], list[str]]) -> None:
    """The command prints the script."""
    assert main(["completion", shell]) == 0
    assert "\n".join(lines()).strip() == completion_script(shell).strip()


def test_no_files_by_default() -> None:
    """The script does not make bash complete files by default."""
    (registered,) = re.findall(r"^\s*complete .*", completion_script("bash"), re.MULTILINE)

    assert "-o default" not in registered


def test_other_shells(capsys: pytest.CaptureFixture[str]) -> None:
    """Other shells are wrong usage."""
    with pytest.raises(SystemExit):
        parse_arguments(["completion", "tcsh"])
    assert "tcsh" in capsys.readouterr().err


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without argcomplete, `completion` names the extra to install; Tab prints nothing."""
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    with pytest.raises(UsageError, match=r"pip install argcomplete$"):
        completion_script("bash")

    with pytest.raises(SystemExit) as caught:
        answer_completion(build_parser())
    assert caught.value.code == 1
