"""JSON Schema of scenarios and of the control API."""

from __future__ import annotations

from typing import Final

import msgspec

from redis_enterprise_actions.testing.scenario.document import Scenario

from .messages import (
    CALLS,
    CallAnswer,
    ClockAnswer,
    ClockCall,
    EmptyCall,
    ErrorAnswer,
    RequestsAnswer,
    StateAnswer,
)


_PREFIX: Final = "/_fake/"


def json_schema() -> dict[str, object]:
    """Return the schema of a scenario, which docs/fake-cluster.schema.json holds.

    Below `paths`, it has the schema of the body of each call, and of its answer.
    """
    calls = [*CALLS.values(), ClockCall, EmptyCall]
    answers = [CallAnswer, ClockAnswer, StateAnswer, RequestsAnswer, ErrorAnswer]
    types = [Scenario, *calls, *answers]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    ref = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, dict[str, object]]] = {
        f"{_PREFIX}{name}": {"POST": {"body": ref[call], "answer": ref[CallAnswer]}}
        for name, call in CALLS.items()
    }
    paths[f"{_PREFIX}reset"] = {"POST": {"body": ref[EmptyCall], "answer": ref[StateAnswer]}}
    paths[f"{_PREFIX}clock"] = {
        "GET": {"answer": ref[ClockAnswer]},
        "POST": {"body": ref[ClockCall], "answer": ref[ClockAnswer]},
    }
    paths[f"{_PREFIX}requests"] = {"GET": {"answer": ref[RequestsAnswer]}}
    paths[_PREFIX] = {"GET": {"answer": ref[StateAnswer]}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "v": 1,
        "title": "A scenario of redis-actions fake-cluster, and the bodies of its control API",
        **ref[Scenario],
        "paths": dict(sorted(paths.items())),
        "error": ref[ErrorAnswer],
        "$defs": components,
    }
