"""Records of two runs that are to be the same: what they are compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest


if TYPE_CHECKING:
    from collections.abc import Callable

    from redis_enterprise_actions import Record

TOLERANCE: Final = 0.1  # seconds; the times of a capture are rounded to a millisecond


class Observed:
    """Records of the waits of a client, in the order of their beginning, by `client.observe`."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def observe(self, record: Record) -> Callable[[Record], object]:
        """Keep the last record of a wait at the place of its beginning."""
        place = len(self.records)
        self.records.append(record)
        return lambda record: self.records.__setitem__(place, record)


def fields_of(record: Record, change: Callable[[str], str]) -> dict[str, Any]:
    """Return the fields of a record with its texts changed, and without the wall clock."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record))
    del fields["began"]
    for name in ("ref", "title", "message"):
        fields[name] = fields[name] and change(fields[name])
    for outage in fields["outages"]:
        outage["reason"] = change(outage["reason"])
    return fields


def approximate(value: object) -> object:
    """Return a value of a record in which numbers are approximate."""
    if isinstance(value, dict):
        return {name: approximate(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [approximate(each) for each in value]
    return pytest.approx(value, abs=TOLERANCE) if isinstance(value, float) else value


def without_urls(text: str, urls: list[str]) -> str:
    """Return a text with the numbers of nodes in place of their URLs."""
    for number, url in enumerate(urls, 1):
        host, _, port = url.removeprefix("http://").partition(":")
        for name in (url, f"{host}:{port}", f"('{host}', {port})"):
            text = text.replace(name, f"<node {number}>")
    return text
