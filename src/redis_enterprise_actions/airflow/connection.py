"""Settings of a client, as read from an Airflow connection."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypedDict, cast
from urllib.parse import urlsplit

from redis_enterprise_actions import ActionsClient, UsageError


if TYPE_CHECKING:
    from typing import Self

_DEFAULT_PORT: Final = 9443
_UI_PORT: Final = 8443
_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})
# Options and variables in the client's messages, and the words for them here
_WORDS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"its URL \(REDIS_ENTERPRISE_URL\)", "its URL to the field urls of the connection"),
        (r"\b(\w+)= \((?:--[\w-]+, )?REDIS_ENTERPRISE_\w+\)", r"the field \1 of the connection"),
        (r"\busername= and password=, or token=,", "the fields login and password,"),
        (r"\busername= and password=", "the fields login and password"),
        (r"\b(username|login)=", "the field login"),
        (r"\bverify=False", "the field verify (false)"),
        (
            r"\b(password|auth|ca_cert|fingerprint|client_cert|client_key|trusted_hosts)=(?=['\"])",
            r"the field \1 ",
        ),
        (
            r"\b(password|auth|ca_cert|fingerprint|client_cert|client_key|trusted_hosts)=",
            r"the field \1",
        ),
        (r"\bparams=(?=\{)", "query="),
        (r" \(--[\w-]+(?: [^()]*)?\)", ""),
    )
)
_TRUST_OPTIONS: Final = ("ca_cert", "fingerprint", "client_cert", "client_key")


class AirflowConnection(Protocol):
    """The attributes of an Airflow connection that are read."""

    conn_id: str
    schema: str | None
    host: str | None
    port: int | None
    login: str | None
    password: str | None

    @property
    def extra(self) -> str | None:
        """Extra fields of the connection, as JSON."""
        ...


class _Trust(TypedDict, total=False):
    ca_cert: str
    fingerprint: str
    client_cert: str
    client_key: str


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class ConnectionSettings:
    """URLs, credentials and TLS options of a cluster. The `repr` shows no secret.

    `ui_url` is the address of its user interface, without credentials.
    """

    conn_id: str = dataclasses.field(compare=False)
    urls: tuple[str, ...]
    username: str | None
    password: str | None
    auth: Literal["basic", "jwt"]
    verify: bool
    trusted_hosts: tuple[str, ...]
    trust: tuple[tuple[str, str], ...]  # names and values of `_Trust`
    ui_url: str = dataclasses.field(compare=False)

    def __repr__(self) -> str:
        return f"<settings for {', '.join(self.urls)}>"

    @classmethod
    def from_connection(cls, connection: AirflowConnection) -> Self:
        """Read a connection. Raises `UsageError` if its fields are wrong or name no cluster."""
        try:
            return cls._read(connection)
        except UsageError as error:
            raise UsageError(f"connection {connection.conn_id!r}: {error}") from None

    @classmethod
    def _read(cls, connection: AirflowConnection) -> Self:
        extra = _parse_extra(connection)
        urls = (*_url(connection), *_parse_list(extra.get("urls")))
        if not urls:
            raise UsageError("it has neither a host nor urls")
        return cls(
            conn_id=connection.conn_id,
            urls=tuple(dict.fromkeys(urls)),
            username=connection.login or None,
            password=connection.password or None,
            auth=cast('Literal["basic", "jwt"]', extra.get("auth") or "basic"),
            verify=_parse_verify(extra.get("verify")),
            trusted_hosts=_parse_list(extra.get("trusted_hosts")),
            trust=tuple((name, str(extra[name])) for name in _TRUST_OPTIONS if extra.get(name)),
            ui_url=_parse_ui_url(str(extra.get("ui_url") or ""), urls[0]),
        )

    def make_client(self) -> ActionsClient:
        """Return a new client. Raises `UsageError` for settings that contradict each other."""
        try:
            return ActionsClient(
                self.urls,
                username=self.username,
                password=self.password,
                auth=self.auth,
                verify=self.verify,
                trusted_hosts=self.trusted_hosts,
                **cast("_Trust", dict(self.trust)),
            )
        except UsageError as error:
            problem = in_words_of_connections(str(error))
            raise UsageError(f"connection {self.conn_id!r}: {problem}") from None


def in_words_of_connections(message: str) -> str:
    """Return a message with the fields of a connection in place of options and variables."""
    for pattern, words in _WORDS:
        message = pattern.sub(words, message)
    return message


def _parse_extra(connection: AirflowConnection) -> dict[str, object]:
    """Return the extra fields. Airflow's own reader would log fields that it cannot read."""
    try:
        extra: object = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise UsageError("its extra is not a JSON object")
    return cast("dict[str, object]", extra)


def _url(connection: AirflowConnection) -> tuple[str, ...]:
    host = connection.host or ""
    if not host or "://" in host:
        return (host,) if host else ()
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"  # an IPv6 address
    return (f"{connection.schema or 'https'}://{host}:{connection.port or _DEFAULT_PORT}",)


def _parse_ui_url(ui_url: str, url: str) -> str:
    """Return the address of the user interface; by default, port 8443 of the first node."""
    try:
        split = urlsplit(ui_url or url)
        host, port = split.hostname or "", split.port
    except ValueError:
        host, port, split = "", None, urlsplit("")
    if ui_url and (not host or split.scheme not in {"http", "https"} or "@" in split.netloc):
        raise UsageError("ui_url is not a URL such as https://cluster.example.com:8443")
    if not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    if not ui_url:
        return f"https://{host}:{_UI_PORT}"
    return f"{split.scheme}://{host}{f':{port}' if port else ''}{split.path}"


def _parse_list(value: object) -> tuple[str, ...]:
    """Return the items of a list, or of text with spaces or commas between them."""
    if isinstance(value, list):
        items = cast("list[object]", value)
    else:
        items = re.split(r"[\s,]+", "" if value is None else str(value))
    return tuple(str(item) for item in items if item)


def _parse_verify(value: object) -> bool:
    """Return False only if the value explicitly switches verification off."""
    word = "" if value is None else str(value).strip().casefold()
    if word and word not in _TRUE | _FALSE:
        raise UsageError(f"verify is {value!r}, which is neither true nor false")
    return word not in _FALSE
