"""Plants: values in every JSON body of the fake cluster that must not be in a capture.

`planting` puts them in while it runs: into each object, as values of fields, as keys and in lists,
and into texts such as those of errors. What the client interprets stays as it is. The fields end in
`_uid` or `_uids`, as the client quotes other unknown fields in the reason of a failure.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

import pytest
from aiohttp import web


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Values of each form that a capture knows, and of none. Numbers are uids.
PLANTS: Final[tuple[str | int, ...]] = (
    "Planted-Secret!", "Planted Name", "planted.host.internal", "planted-1.internal:9443",
    "https://planted.internal:9443/planted-path?planted=1", "sftp://Planted:Pw@planted.io/d",
    "planted@planted.internal", "10.77.66.55", "10.77.66.55:9443", "fd00:77::55", "[fd00:77::55]:9",
    "7b9d3c1e-77aa-4bcd-8fed-0123456789ab", "9F8E7D6C5B4A", "fade77fade77", "8877665544",
    "0088776655", "bdb:8877665", "887766:5544332", "1971-03-04T05:06:07.88Z", "Plänted 🌱 text",
    "PLANTED\nLINES", "eyJhIjoxfQ.eyJpYXQiOjEsImV4cCI6MiwieCI6InBsYW50ZWQifQ.planted",
    "sha256/Planted+Digest==", "/planted/path", 887766554433, 776655443,
)  # fmt: skip
_TEXTS: Final = frozenset({"description", "error_message", "message", "detail", "error_details"})


def found_in(text: str, plants: Iterable[str | int] = PLANTS) -> list[str]:
    """Return the plants that a text holds, as they are or as JSON writes them."""
    found = []
    for plant in map(str, plants):
        escaped = plant.encode("unicode_escape").decode()
        found += [each for each in (plant, escaped) if each in text]
    return found


def planted(body: object, plants: Iterable[str | int] = PLANTS) -> object:
    """Return a copy of a decoded JSON body with plants in each object.

    A map that is keyed by uid gets none itself, as the client would take them for entries.
    """
    values = list(plants)
    if isinstance(body, list):
        return [planted(each, values) for each in cast("list[object]", body)]
    if not isinstance(body, dict):
        return body
    fields = cast("dict[str, object]", body)
    found = {name: _value(name, each, values) for name, each in fields.items()}
    if not fields or all(name.isdecimal() for name in fields):
        return found
    found |= {f"planted_{place}_uid": value for place, value in enumerate(values)}
    found["planted_keys_uid"] = {str(value): {"uid": value} for value in values}
    found["planted_uids"] = values
    return found


def _value(name: str, value: object, plants: list[str | int]) -> object:
    if name in _TEXTS and isinstance(value, str) and value:
        return f"{value} ({', '.join(map(str, plants))})"
    return planted(value, plants)


@contextmanager
def planting(plants: Iterable[str | int] = PLANTS) -> Iterator[None]:
    """Put plants into each JSON body that the fake clusters of this process answer meanwhile."""
    values, answer = list(plants), web.json_response

    def planted_response(data: object = None, **options: object) -> web.Response:
        return answer(planted(data, values), **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "json_response", planted_response)
        yield
