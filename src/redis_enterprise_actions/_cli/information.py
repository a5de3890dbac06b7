"""The commands `help` and `version`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from .arguments import build_parser, version_text
from .connection_options import ENVIRONMENT, add_connection_options
from .help import LOCAL_CODES, TOPICS, Table, page, rows_of
from .output import write_output


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .execution import Execution
    from .parser import CommandParser

_EXIT_CODES: Final = (
    ("0", "success; of wait: all have completed or reached --until, or with --any, one has"),
    ("1", "failed, cancelled or aborted"),
    ("2", "wrong usage, or nothing to wait for"),
    ("3", "timed out, or stalled"),
    ("4", "not found, or vanished"),
    ("5", "the cluster could not be asked, or refused"),
    ("6", "completed, but a report, the capture or the hook failed"),
    ("7", "no go: the cluster is not healthy"),
    ("8", "not followed: the answer to a call names nothing"),
    ("70", "unexpected error"),
    ("74, 141", "the output could not be written"),
    ("130, 143, 129", "interrupted: SIGINT, SIGTERM, SIGHUP"),
)
_REFERENCES: Final = (
    ("UID, action:UID", "an action, by its action_uid or task_id"),
    ("node:UID/ACTION", "an action of a node, such as node:1/maintenance_on"),
    ("cluster:ACTION", "an action of the cluster, such as cluster:change_master"),
    ("crdb:ID", "a task of an Active-Active database"),
    ("export:BDB", "the export of a database, by the database's uid"),
    ("import:BDB", "the import into a database"),
    ("backup:BDB", "the backup of a database"),
    ("bdb:UID", "a change to a database"),
    ("bdb:UID@gone", "the deletion of a database"),
    ("bootstrap:HOST[:PORT]", "the bootstrap of a node (bootstrap: that of the first URL)"),
    ("the start of a UUID", "8 or more characters of a UID or ID, found in the cluster's list"),
)
_CONDITIONS: Final = (
    ("bdb:UID@available", "the cluster reports the database as available"),
    ("bdb:UID@available,lag=MS", "the same, and its replicas are at most MS milliseconds behind"),
    ("bdb:UID@in-sync", "all Replica Of sources of the database are in sync"),
    ("crdb:GUID@replicating", "all links are up, with one committed configuration"),
    ("cluster@quiet", "no work is under way on the cluster"),
    ("cluster@healthy", "the next node may be worked on; see redis-actions check"),
    ("cluster@healthy,ignore=UID", "the same, but this node may be in maintenance mode"),
    ("bootstrap@idle", "the node answers, and its bootstrap has not begun"),
)
_SEVERAL: Final = (
    "Of several waits, the exit code is the one that comes first in the order 1, 4, 3, 5, 2."
)


def add_help(command: CommandParser) -> None:
    """Add the arguments of `help`."""
    command.describe(
        "Show the help of a command, or of a topic: connection, exit-codes, references.",
        examples=[
            "redis-actions help wait",
            "redis-actions help wait --all",
            "redis-actions help connection",
        ],
        exit_codes=LOCAL_CODES,
    )
    text = "a command, or a topic"
    command.add_argument("topic", metavar="TOPIC", nargs="*", help=text)
    text = "show options that are rarely used, too"
    command.add_argument("--all", action="store_true", help=text)


def add_version(command: CommandParser) -> None:
    """Add the help of `version`."""
    command.describe(
        "Print the version, as --version does.",
        examples=["redis-actions version"],
        exit_codes=LOCAL_CODES,
    )


def run_help(args: argparse.Namespace, _: Execution) -> int:
    """Print the help of the topic, or of the command itself."""
    topics: list[str] = args.topic
    if len(topics) == 1 and topics[0] in _TOPICS:
        write_output(_TOPICS[topics[0]]())
        return 0
    parser = build_parser(topics)
    others: tuple[str, ...] = TOPICS
    for name in topics:
        parser, others = parser.command(name, others), ()
    parser.show_all = args.all
    write_output(parser.format_help())
    return 0


def run_version(_: argparse.Namespace, __: Execution) -> int:
    """Print the version."""
    write_output(f"{version_text()}\n")
    return 0


def connection_topic() -> str:
    """Return the options and environment variables of the connection."""
    parser = argparse.ArgumentParser(add_help=False)
    add_connection_options(parser, default=None)
    return page(
        "These options say which cluster to connect to, as which user. They may stand in front of "
        "the command, and behind it. Each overrides its environment variable, which is in brackets "
        "here, and that overrides the profile.",
        "  redis-actions list --profile prod\n"
        "  redis-actions --url https://cluster.example.com:9443 --user ops list",
        Table("options", rows_of(parser._actions)),  # noqa: SLF001 - there is no other way
        Table("other environment variables", ENVIRONMENT),
    )


def references_topic() -> str:
    """Return the kinds of references."""
    return page(
        "A reference (REF) names an operation. submit prints one, and list has one in each line. "
        "What they print may have more at its end, after @, which tells one run from another. "
        "The table of list on a terminal has no room for that.",
        '  redis-actions wait "$(redis-actions submit POST /v1/bdbs/1/upgrade --no-wait)"\n'
        "  redis-actions list | cut -f1 | redis-actions wait -",
        Table("references", _REFERENCES),
        Table("conditions, which wait takes, too", _CONDITIONS),
        "wait - reads lines, and JSON: what list --json and submit --json print, and answers of "
        "the API.",
    )


def exit_codes_topic() -> str:
    """Return the exit codes of all commands."""
    return page(Table("exit codes", _EXIT_CODES), _SEVERAL)


_TOPICS: Final[Mapping[str, Callable[[], str]]] = {
    "connection": connection_topic,
    "exit-codes": exit_codes_topic,
    "references": references_topic,
}
