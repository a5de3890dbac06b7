"""What CI runs: plain `nox` runs every session on the interpreters that are found."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import nox


nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.11", "3.12", "3.13"]

# `.ci/run` runs both at a time, and `nox` one after the other. They take about as long.
HALVES = {
    "1": (f"tests-{PYTHONS[0]}", "package"),
    "2": (
        *("lint", "types", "docs", "engines", "airflow"),
        *(f"tests-{each}" for each in PYTHONS[1:]),
    ),
}
nox.options.sessions = HALVES.get(os.environ.get("HALF", ""), (*HALVES["2"], *HALVES["1"]))

AIRFLOW = Path("src/redis_enterprise_actions/airflow")
AIRFLOW_TESTS = (
    *("pytest", "-c", "tests/airflow/pytest.ini", "--rootdir", ".", "--confcutdir", "."),
    "tests/airflow",
)
PYPROJECT = nox.project.load_toml("pyproject.toml")


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with both type checkers, in the package and as its users see them."""
    session.install("-e", ".[cli,keyring,otel]", *group("types"))
    session.run("mypy")
    session.run("pyright", "--project", "pyproject.toml")  # not one from a folder above


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; every line of the package has to be reached, and on 3.11 every branch."""
    session.install("-e", ".[cli,otel]", *group("tests"))
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    # Before Python 3.14 branches can only be traced, which takes twice the time.
    how, core = (("--branch",), "ctrace") if session.python == "3.11" else ((), "sysmon")
    env = {"COVERAGE_FILE": str(Path(session.create_tmp()) / "coverage"), "COVERAGE_CORE": core}
    session.run("coverage", "erase", env=env)
    session.run("coverage", "run", *how, "-m", "pytest", env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    session.run("coverage", "report", env=env)


@nox.session(python="3.12")
def airflow(session: nox.Session) -> None:
    """Check and test what is built for Airflow, with the real one; lines and branches to 100 %."""
    env = airflow_at_home(session, *group("airflow"))
    session.run("mypy", *(str(file) for file in sorted(AIRFLOW.glob("*.py"))), silent=True)
    session.run("pyright", "--project", "tests/airflow", "--pythonpath", python_of(session))
    session.run("airflow", "db", "migrate", env=env, silent=True)
    session.run(
        *("coverage", "run", "--rcfile", "tests/airflow/coverage.ini", "-m", *AIRFLOW_TESTS),
        *session.posargs,
        env=env,
    )
    if not session.posargs:
        session.run("coverage", "report", "--rcfile", "tests/airflow/coverage.ini", env=env)


@nox.session(python="3.12")
def airflow_lowest(session: nox.Session) -> None:
    """Run the same tests with Airflow 3.1, which remembers nothing from one try to the next."""
    env = airflow_at_home(session, *group("airflow-lowest"))
    session.run("airflow", "db", "migrate", env=env, silent=True)
    session.run(*AIRFLOW_TESTS, *session.posargs, env=env)


@nox.session(python="3.12")
def airflow_crash(session: nox.Session) -> None:
    """Kill a real triggerer in the middle of a dozen waits, and let another run a thousand."""
    env = airflow_at_home(session, *group("airflow"))
    session.run(
        "python", "-m", "tests.airflow.crash.kill", f"{env['AIRFLOW_HOME']}-killed", env=env
    )
    session.run("airflow", "db", "migrate", env=env, silent=True)
    session.run("python", "-m", "tests.airflow.crash.thousand", env=env)


def airflow_at_home(session: nox.Session, *wanted: str) -> dict[str, str]:
    """Install Airflow; return an environment in which it keeps to the session's directory."""
    session.install("-e", ".[airflow]", *wanted)
    home = Path(session.create_tmp()).resolve()
    shutil.rmtree(home)
    (home / "dags").mkdir(parents=True)
    return {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "COVERAGE_FILE": str(home / "coverage"),
    }


def python_of(session: nox.Session) -> str:
    """Return the session's interpreter."""
    return str(Path(session.virtualenv.location).resolve() / "bin" / "python")


@nox.session
def engines(session: nox.Session) -> None:
    """Run the examples for engines that the ordinary tests do without, inside those engines."""
    session.install("-e", ".", *group("tests"), *group("engines"))
    session.run("pytest", "-p", "no:cacheprovider", "tests/engines", *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Run one long chaos; `-- --waits 10000 --seed 7` says how long, and which."""
    session.install("-e", ".[cli]", *group("tests"))
    lots = random.SystemRandom()
    session.run(
        *("pytest", "-s", "-p", "no:cacheprovider", "tests/test_chaos.py"),
        *("--waits", "3000", "--seed", str(lots.randrange(10**6)), *session.posargs),
    )


@nox.session
def live(session: nox.Session) -> None:
    """Ask the cluster that the environment names; nothing is started or changed there."""
    session.install("-e", ".[cli]", *group("tests"))
    session.run("pytest", "--live", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run a short version of the benchmarks; tables and a plot go to the session's directory."""
    session.install("-e", ".", *group("bench"))
    results = Path(session.create_tmp()) / "results"
    session.run("python", "benchmarks/simulate.py")
    session.run("python", "benchmarks/run.py", "--quick", "--out", str(results))
    session.run("python", "benchmarks/micro.py", "--quick", "--out", str(results))
    session.log(f"the tables and the plot are in {results}")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation with both builders, without a warning, and follow its links."""
    session.install(*group("docs"))
    site = Path(session.create_tmp()).resolve() / "site"
    session.run("mkdocs", "build", "--site-dir", str(site), env={"NO_MKDOCS_2_WARNING": "1"})
    session.run("zensical", "build", "--strict", "--clean")
    session.run("python", "-m", "press.links", str(site), "site")


@nox.session
def package(session: nox.Session) -> None:
    """Run the tests against the wheel, with the oldest versions that pyproject.toml lets in.

    They run where there is no `src` to fall back on.
    """
    session.install("build")
    elsewhere = Path(session.create_tmp()).resolve() / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    elsewhere.mkdir()
    session.run("python", "-m", "build", "--outdir", str(elsewhere / "dist"), silent=True)
    (wheel,) = (elsewhere / "dist").glob("*.whl")
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    mine = [each for name in extras if name != "airflow" for each in extras[name]]
    oldest = [each.replace(">=", "==") for each in (*project["dependencies"], *mine)]
    session.install(str(wheel), *oldest, *group("tests"))  # as one, so that they fit each other
    for name in ("tests", "examples", "benchmarks", "docs", "press"):
        shutil.copytree(name, elsewhere / name)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(name, elsewhere)
    shutil.copytree(".ci", elsewhere / ".ci")
    session.chdir(elsewhere)
    session.run("pytest", *session.posargs)
