"""Names that an object of a JSON text has twice, of which JSON decoders keep one in silence."""

from __future__ import annotations

import json
from typing import cast


class _Object(list[tuple[str, object]]):
    """The names and values of an object of JSON, in their order."""


def repeated_name(text: str | bytes) -> str | None:
    """Return a name that an object of a JSON text has twice, such as `$.plan.error`, or None.

    Raises `RecursionError` for a text that is nested too deeply.
    """
    return _repeated("$", json.loads(text, object_pairs_hook=_Object))


def _repeated(place: str, value: object) -> str | None:
    if isinstance(value, _Object):
        names = [name for name, _ in value]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            return f"{place}.{repeated}"
        inner = [(f"{place}.{name}", each) for name, each in value]
    elif isinstance(value, list):
        each = enumerate(cast("list[object]", value))
        inner = [(f"{place}[{index}]", item) for index, item in each]
    else:
        return None
    return next(filter(None, (_repeated(*each) for each in inner)), None)
