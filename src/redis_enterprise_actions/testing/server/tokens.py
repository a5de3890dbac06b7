"""The fake's tokens: shaped like JWTs, and good for as long as the loop's clock says.

Whether a token is good is not read from it but remembered, so that one that was altered is not.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Mapping

# Every token's signature begins with this, so that a leak can be searched for.
TOKEN_MARK: Final = "fake-signature-"  # noqa: S105 - of a cluster that is not there
_SCHEMES: Final = frozenset({"JWT", "Bearer"})  # the vendor's pages have either
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


class Tokens:
    """The tokens that were issued. `now` is the loop's time, `epoch` its beginning in Unix time."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}

    def issue(self, *, ttl: float, now: float, epoch: float) -> str:
        """Return a new token that is good for `ttl` seconds."""
        issued = int(epoch + now)
        payload = {"iat": issued, "exp": int(issued + ttl), "jti": secrets.token_hex(8)}
        token = f"{_part(_HEADER)}.{_part(payload)}.{TOKEN_MARK}{secrets.token_hex(16)}"
        self._ends[token] = now + ttl
        return token

    def accept(self, header: str, *, now: float) -> bool:
        """Whether an Authorization header shows a token that is good."""
        scheme, _, token = header.partition(" ")
        return scheme in _SCHEMES and now < self._ends.get(token, now)

    def revoke(self) -> None:
        self._ends.clear()


def _part(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
