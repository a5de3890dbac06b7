"""Request that starts work: checks of its arguments, and the secrets that its body holds."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import urlencode

import msgspec

from redis_enterprise_actions._client.http.messages import Request, Upload
from redis_enterprise_actions._client.http.redaction import secrets_in, without_secrets
from redis_enterprise_actions._client.pacing.durations import seconds
from redis_enterprise_actions._client.sources.paths import quoted_uid
from redis_enterprise_actions._model.errors import UsageError
from redis_enterprise_actions._model.reference import Reference, ReferenceKind
from redis_enterprise_actions._model.secret import Secret
from redis_enterprise_actions._model.unawaited import refuse_unawaited

from .calls import OTHER_CALL, CallRule, Follow, find_rule


if TYPE_CHECKING:
    from redis_enterprise_actions._client.pacing.durations import Duration

_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# Escapes in a path that servers may read in different ways, so that a rule for one path would apply
# to another.
_REFUSED_ESCAPES: Final = (
    "[01]|7F|C2%[89]"  # controls
    "|5C"  # a backslash, which some take for a slash
    "|2F"  # a slash
    r"|2[DE]|3\d|[46][1-9A-F]|[57][\dA]|5F|7E"  # what needs none, a dot among it (RFC 3986)
    "|C[01]|E0%[89]|F0%8"  # the same in longer forms, which are invalid
    r"|25[\dA-F]{2}"  # what is escaped twice
)
_PATH: Final = re.compile(
    r"(?!.*/\.{1,2}(?:/|$))"  # no segment . or ..
    rf"/v\d+(?:/(?:[\w.~@:,+-]|(?i:%(?!{_REFUSED_ESCAPES})[\dA-F]{{2}}))+)+",
    re.ASCII,
)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~\w-]+", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\t -~]*")
_RESERVED_HEADERS: Final = frozenset({
    *("authorization", "content-type", "content-length", "host", "cookie", "transfer-encoding"),
    "connection",
})  # fmt: skip
UPLOAD_TIMEOUT: Final = 600.0  # seconds; modules have up to some 100 MB
_BOOTSTRAP: Final = re.compile(r"/v\d+/bootstrap(?:/.*)?", re.ASCII)
_OFF: Final = frozenset({"false", "0", "no"})
_TASK_ID: Final = "X-Task-ID"
_PURGE: Final = "/purge"  # the only CRDB call whose page does not have X-Task-ID


class SubmitRequest(NamedTuple):
    """Request that starts work.

    `call` is the HTTP request, `ref` refers to the work as far as the path names it, and `secrets`
    are those in the body. `names_task` is True if the caller has chosen the id of a task of an
    Active-Active database, which may be that of an older task.
    """

    call: Request
    rule: CallRule
    ref: Reference | None = None
    dry_run: bool = False
    secrets: tuple[Secret, ...] = ()
    names_task: bool = False

    @property
    def follow(self) -> Follow:
        """Object to follow if the answer has no handle."""
        return self.rule.follow

    @property
    def starts_nothing(self) -> bool:
        """True for a dry run, except that of an Active-Active database, which is a task."""
        return self.dry_run and self.follow is not Follow.CRDB_TASK

    @property
    def is_for_installed_node(self) -> bool:
        """True for a call about a bootstrap: it goes to one node, without credentials."""
        return _BOOTSTRAP.fullmatch(self.call.path) is not None

    def redacted(self, text: str | None) -> str | None:
        """Return a text of the cluster without the secrets in the body."""
        return without_secrets(self.secrets, text)


def build_request(
    method: str,
    path: str,
    json: object,
    params: Mapping[str, object] | None,
    headers: Mapping[str, str] | None,
    *,
    request_timeout: float | None,
    client_timeout: float,
    node: Reference | None = None,
    upload: Upload | None = None,
) -> SubmitRequest:
    """Check the arguments of a call, and build its request. Raises `UsageError`.

    `node` refers to the bootstrap of the node that a call for one is to go to. `upload` is the body
    if that is no JSON.

    `request_timeout` is the call's own limit in seconds. Without one, the limit is `client_timeout`
    or, if that is longer, the documented time of the call.
    """
    refuse_unawaited(method, path, headers, params, json)
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise UsageError(f"{method!r} does not start work: use DELETE, PATCH, POST or PUT")
    method = method.upper()
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise UsageError(
            f"{path!r} is not a path of the API such as /v1/bdbs/1: it may have no query, no "
            "segment . or .., and no escape (%XX) of what needs none, or of a slash"
        )
    sent_headers = checked_headers(headers)
    query = _encode_query(params)
    rule, ref = find_rule(method, path)
    body, sent = _encode_body(method, json)
    dry_run = is_dry_run(rule, sent, params)
    names_task = any(name.casefold() == _TASK_ID.casefold() for name in sent_headers)
    if rule.follow is Follow.CRDB_TASK:
        ref = _task_reference(path, sent_headers)
    elif rule.follow is Follow.BOOTSTRAP:
        ref = node or ref
    secrets = secrets_in(sent)
    least = UPLOAD_TIMEOUT if upload is not None else 0.0
    call = Request(
        method,
        path,
        query,
        body=upload or body,
        headers=sent_headers,
        timeout=request_timeout or max(client_timeout, rule.timeout or 0.0, least),
        secrets=secrets,
    )
    return SubmitRequest(call, rule, ref, dry_run, secrets, names_task)


def request_limit(request_timeout: Duration | None) -> float | None:
    """Return the time limit of a call's request in seconds, or None. Raises `UsageError`."""
    limit = None if request_timeout is None else seconds(request_timeout, "request_timeout")
    if limit is not None and not 0 < limit < math.inf:
        raise UsageError("request_timeout= must be more than 0 and not endless")
    return limit


def check_json(json: object) -> None:
    """Raise `UsageError` unless a body can be encoded."""
    _encode_body("POST", json)


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of `headers`. Raises `UsageError`."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise UsageError("headers= is not a mapping of names to values")
    for key, value in headers.items():
        if not isinstance(key, str) or not _HEADER_NAME.fullmatch(key):
            raise UsageError(f"{key!r} is not a valid header name")
        if key.casefold() in _RESERVED_HEADERS:
            raise UsageError(f"headers= cannot set the header {key}")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise UsageError(f"the value of the header {key} is not printable ASCII text")
    if len({key.casefold() for key in headers}) < len(headers):
        raise UsageError("headers= has the same header twice")
    return dict(headers)


def is_dry_run(rule: CallRule, json: object, params: Mapping[str, object] | None) -> bool:
    """Return True if the arguments ask for a dry run. Raises `UsageError`.

    The API ignores a setting in the wrong place, and `dry_run` of a call that has none, so that the
    call would start the work.
    """
    body = cast("Mapping[object, object]", json if isinstance(json, dict) else {})
    query = params or {}
    wanted = [each["dry_run"] for each in (body, query) if each.get("dry_run") is not None]
    if (
        "dry_run" not in rule.query | rule.body
        and rule is not OTHER_CALL
        and any(str(value).casefold() not in _OFF for value in wanted)
    ):
        raise UsageError("the API has no dry run of this call, and would start the work")
    for name in sorted(rule.query & set(body)):
        raise UsageError(
            f"the API reads {name} from the query of this call, not from the body: pass it as "
            f"params={{{name!r}: ...}} (--param {name}=...)"
        )
    for name in sorted(rule.body & set(query)):
        raise UsageError(
            f"the API reads {name} from the body of this call, not from the query: pass it as "
            f"json={{{name!r}: ...}} (--data)"
        )
    if "dry_run" in rule.query & set(query):
        return str(query["dry_run"]).casefold() in {"", "true", "1", "yes"}
    return "dry_run" in rule.body and body.get("dry_run") is True


def _encode_query(params: Mapping[str, object] | None) -> str:
    if params is None:
        return ""
    if not isinstance(params, Mapping):
        raise UsageError("params= is not a mapping of names to values")
    texts = {
        str(key): str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in params.items()
    }
    try:
        return f"?{urlencode(texts)}" if texts else ""
    except UnicodeEncodeError:
        raise UsageError("params= cannot be encoded as UTF-8") from None


def _encode_body(method: str, json: object) -> tuple[Secret | None, object]:
    """Return the body, and the same as dicts, lists and scalars.

    The body is `{}` if there is none, as the API wants an object from all but DELETE.
    """
    if json is None:
        return None if method == "DELETE" else Secret("{}"), None
    try:
        body = msgspec.json.encode(json)
        return Secret(body.decode()), msgspec.json.decode(body)
    except (TypeError, ValueError, RecursionError):
        pass
    refuse_unawaited(json)
    # Not in the handler: a UnicodeEncodeError as the context would hold the body.
    raise UsageError("json= cannot be encoded as JSON")


def _task_reference(path: str, headers: dict[str, str]) -> Reference | None:
    """Return the task that a call starts, by its `X-Task-ID`, which is added if it is missing."""
    header = next((name for name in headers if name.casefold() == _TASK_ID.casefold()), None)
    if header is not None:
        quoted_uid(headers[header], "a task")
        headers[header] = headers[header].strip()
    if path.endswith(_PURGE):
        return None
    return Reference(ReferenceKind.CRDB, headers.setdefault(header or _TASK_ID, str(uuid.uuid4())))
