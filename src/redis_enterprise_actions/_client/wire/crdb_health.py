"""JSON bodies of health reports of Active-Active databases, and what they say against one.

Vendor pages: requests/crdbs/health_report, objects/crdb/health_report.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from redis_enterprise_actions._model.text import one_line, shortened

from .error_body import unreadable_reply
from .lenient_json import TextOrInt, as_text, decode, decode_or_default, decode_struct
from .reasons import without_secret_fields


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_COMMITTED: Final = "commit-completed"
_MAX_WORD: Final = 200  # characters of the cluster's words


class _Link(msgspec.Struct):
    """A replication link of a connection."""

    link_uid: TextOrInt = None
    status: str = ""


class _Connection(msgspec.Struct):
    """A connection of an instance to a cluster."""

    name: str = ""
    status: msgspec.Raw = msgspec.Raw()
    replication_links: list[msgspec.Raw] | None = None


class _Cluster(msgspec.Struct):
    """The cluster of an instance."""

    name: str = ""


class _Instance(msgspec.Struct):
    """An instance in a configuration."""

    id: TextOrInt = None
    cluster: msgspec.Raw = msgspec.Raw()


class _Configuration(msgspec.Struct):
    """A configuration that an instance has stored."""

    version: TextOrInt = None
    status: str = ""
    instances: list[msgspec.Raw] | None = None


class HealthReport(msgspec.Struct):
    """The entry of one instance in a health report."""

    cluster_name: str = ""
    active_config_version: TextOrInt = None
    connection_error: msgspec.Raw = msgspec.Raw()
    connections: list[msgspec.Raw] | None = None
    configurations: list[msgspec.Raw] | None = None

    @property
    def owner(self) -> str:
        """The name of the instance's cluster, for messages."""
        return _word(self.cluster_name) or "a cluster without a name"


class _Member(NamedTuple):
    """An instance in the active configuration: the name of its cluster, or else its id."""

    name: str
    key: str


def read_health(body: bytes, path: str) -> list[HealthReport]:
    """Decode the answer of GET /v1/crdbs/{guid}/health_report. Raises `UnreadableReply`."""
    try:
        return [decode_struct(raw, HealthReport) for raw in decode(body, list[msgspec.Raw])]
    except ValueError as error:
        raise unreadable_reply(path, error, body) from None


def replication_findings(answers: Sequence[Sequence[HealthReport]]) -> list[str]:
    """Return what the reports of one or several clusters say against replication.

    Each answer has to be complete by itself, and all have to agree on the active version.
    """
    findings = list(
        dict.fromkeys(each for reports in answers for each in _report_findings(reports))
    )
    versions = {as_text(report.active_config_version) for each in answers for report in each}
    known = sorted(_word(version) for version in versions - {None} if version)
    if len(known) > 1:
        findings.append(f"the active versions {', '.join(known)} differ")
    return findings


def _report_findings(reports: Sequence[HealthReport]) -> Iterator[str]:
    """Yield what one cluster's report says."""
    if not reports:
        yield "the health report is empty"
    reported = Counter(_key(report.cluster_name) for report in reports)
    for report in reports:
        if error := _text(report.connection_error):
            yield f"{report.owner} cannot be reached: {error}"
            continue
        version = as_text(report.active_config_version)
        if version is None:
            yield f"{report.owner} has no active version"
            continue
        active = _active_configurations(report, version)
        for status in {each.status.strip().casefold(): None for each in active}:
            if status != _COMMITTED:
                state = f"is {_word(status)}" if status else "is missing"
                yield f"the configuration {_word(version)} of {report.owner} {state}"
        members = [_member(raw) for each in active for raw in each.instances or ()]
        if not members:
            yield f"the configuration {_word(version)} of {report.owner} names no instances"
        counts = _counts(active)
        for key, member in {each.key: each for each in members}.items():
            if reported[key] < counts[key]:
                yield f"there is no report of {member.name}"
        yield from _connection_findings(report, members, counts)


def _counts(configurations: Iterable[_Configuration]) -> Counter[str]:
    """Return how many instances are in each cluster: one each, unless clusters share a name."""
    counts = Counter[str]()
    for each in configurations:
        counts |= Counter(_member(raw).key for raw in each.instances or ())
    return counts


def _connection_findings(
    report: HealthReport, members: Iterable[_Member], counts: Counter[str]
) -> Iterator[str]:
    own, connected = _key(report.cluster_name), Counter[str]()
    for raw in report.connections or ():
        connection = decode_or_default(raw, _Connection)
        name, key = _word(connection.name) or "a cluster without a name", _key(connection.name)
        status = _text(connection.status).casefold()
        if status not in {"", "ok"}:
            yield f"the connection of {report.owner} to {name} is {status}"
        links = [decode_or_default(each, _Link) for each in connection.replication_links or ()]
        connected[key] += bool(links) or key != own  # a cluster may list itself
        if not links and key != own:
            yield f"{report.owner} has no replication link to {name}"
        for link in links:
            state = link.status.strip().casefold()
            if state != "up":
                uid = _word(as_text(link.link_uid) or "?")
                yield f"link {uid} of {report.owner} is {_word(state) or 'without a status'}"
    for key, member in {each.key: each for each in members}.items():
        if connected[key] < counts[key] - (key == own):
            yield f"{report.owner} has no connection to {member.name}"


def _active_configurations(report: HealthReport, version: str) -> list[_Configuration]:
    """Return the configurations of a version: usually one, or an empty one if there is none."""
    every = [decode_or_default(raw, _Configuration) for raw in report.configurations or ()]
    return [each for each in every if as_text(each.version) == version] or [_Configuration()]


def _text(raw: msgspec.Raw) -> str:
    """Return a value of any JSON type as one line; empty if it is absent, null or blank text."""
    text = bytes(raw).decode("utf-8", "replace").strip()
    if text == "null":
        return ""
    return _word(without_secret_fields(decode(raw, str) if text.startswith('"') else text))


def _member(raw: msgspec.Raw) -> _Member:
    instance = decode_or_default(raw, _Instance)
    name = decode_or_default(instance.cluster, _Cluster).name
    text = _word(name) or f"instance {_word(as_text(instance.id) or '?')}"
    return _Member(text, _key(name) or text)


def _key(name: str) -> str:
    return name.strip().casefold()


def _word(text: str) -> str:
    return shortened(one_line(text).strip(), _MAX_WORD)
