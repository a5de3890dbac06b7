"""Types of the values in scenarios and in calls of the control API, with their limits.

The limits keep numbers within what clocks, ports and paths can hold. NaN is within no limit.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

from redis_enterprise_actions.testing.server.requests import MAX_UID
from redis_enterprise_actions.testing.settings import MAX_NODES


MAX_SECONDS: Final = 1_000_000_000.0  # 31 years
_MAX_COUNT: Final = 1_000_000
_MAX_TEXT: Final = 10_000

Seconds = Annotated[float, Meta(ge=0, le=MAX_SECONDS, description="seconds")]
WholeSeconds = Annotated[int, Meta(ge=0, le=1_000_000_000, description="seconds")]
Duration = Annotated[float, Meta(gt=0, le=MAX_SECONDS, description="seconds, more than 0")]
Fraction = Annotated[float, Meta(ge=0, le=1, description="fraction of the duration")]
Speed = Annotated[float, Meta(ge=0, le=1_000_000, description="seconds per second; 0 stands still")]
Uid = Annotated[int, Meta(ge=1, le=MAX_UID)]
Node = Annotated[int, Meta(ge=1, le=MAX_NODES, description="number of a node, from 1")]
Port = Annotated[int, Meta(ge=0, le=65_535, description="0 takes a free port")]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
DowntimeArray = Annotated[
    tuple[WholeSeconds | Seconds, ...],
    Meta(min_length=2, max_length=3, description="fraction of the duration, seconds, status"),
]
EpisodeCount = Annotated[int, Meta(ge=0, le=10_000)]
Status = Annotated[int, Meta(ge=200, le=599, description="HTTP status")]
Times: TypeAlias = Annotated[int, Meta(ge=1, le=_MAX_COUNT)] | Literal["always"]
Text = Annotated[str, Meta(max_length=_MAX_TEXT)]
# Unlike `$`, the end of these patterns is not before a line feed.
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,200}(?!\n)$")]
Method = Annotated[str, Meta(pattern=r"^[A-Z]{1,20}(?!\n)$", description="such as POST")]
Path = Annotated[str, Meta(pattern=r"^/[!-~]{0,2000}(?!\n)$", description="such as /v1/bdbs/1")]
HeaderName = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}(?!\n)$")]
HeaderText = Annotated[str, Meta(pattern=r"^[ -~]{0,2000}(?!\n)$")]
