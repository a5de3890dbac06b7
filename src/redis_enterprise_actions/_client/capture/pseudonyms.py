"""Pseudonyms: replacements of values that are stable within one capture and keep their form.

Two values never have the same pseudonym, and the same value always has the same one. Pseudonyms are
numbered in the order in which the values appear, so that the same exchanges give the same file. The
case of UUIDs, host names and words does not count, as the client compares them without.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

import msgspec

from redis_enterprise_actions._client.wire.reasons import SECRET_KEYS

from .words import (
    FIELD_NAME,
    KNOWN,
    KNOWN_FIELDS,
    OBJECTS,
    OPEN_FIELDS,
    PHRASES,
    PROGRESS_FIELD,
    QUANTITY_FIELDS,
    ROUTE_WORDS,
    TIME_FIELDS,
    URL_SCHEMES,
    VERSION_FIELD,
    is_uid_field,
)


_MAX_FORM: Final = 4096  # characters of a text whose form is looked at, as that takes time
_MAX_KEPT: Final = 200  # characters of a value that is kept to be recognised; else its hash is
_MAX_PADDED: Final = 10**5  # characters of the replacement of a body
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d(:\d\d)?)((?:[.,]\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?)", re.ASCII
)
_NUMBER: Final = re.compile(
    r"(?P<sign>-?)(?P<whole>0|[1-9][0-9]*)(?P<rest>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
)
_PADDED: Final = re.compile(r"0[0-9]+")
_OBJECT: Final = re.compile(
    rf"(?P<type>(?:{'|'.join(OBJECTS)}):)?(?P<uids>[0-9]{{1,18}}(?::[0-9]{{1,18}})*)"
)
_TOKEN: Final = re.compile(r"[\w-]++\.([\w-]++)\.[\w-]*+", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{8,}|[0-9A-F]{8,}")
_EMAIL: Final = re.compile(r"[^\s@:/]++@(?=[^\s@:/]++\Z).+\..+")
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*+)://(?:(?P<user>[^\s/?#]*)@)?+"
    r"(?P<place>[^\s/?#@]*+)(?P<path>[^\s?#]*+)(?P<query>\?[^\s#]*+)?(?P<fragment>#\S*+)?"
)
_PLACE: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]++\]|[\w.-]++)(?::(?P<port>[0-9]{1,5}))?")
_HOST: Final = re.compile(r"(?=.*[A-Za-z])[\w-]++(?:\.[\w-]++)++\.?", re.ASCII)
_SOFTWARE: Final = re.compile(r"[0-9]{1,6}|[0-9]{1,4}(?:\.[0-9]{1,4}){1,2}(?:-[0-9]{1,6})?")
_PERCENTAGE: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,20})?")
_DIGITS: Final = re.compile("[0-9]++")
_EPOCH: Final = re.compile(r"[1-9][0-9]{8,9}(?:\.[0-9]{1,9})?")  # from 1973 to 2286
_PSEUDONYM: Final = re.compile(r"name-[0-9]+")  # it must not pass as a real name of that form
_DIGIT: Final = re.compile("[0-9]")
_BLANK: Final = re.compile(r"\s")
# The first time becomes `_ORIGIN`, in its own zone.
_ORIGIN: Final = datetime(2000, 1, 1)  # noqa: DTZ001
# Times from `_FIRST` on for `_SPAN` are shifted within these, so that each stays a time, also as
# seconds since the epoch with 9 or 10 digits. Others, such as "never", are numbered in minutes.
_FIRST: Final = datetime(1970, 1, 1) + timedelta(seconds=10**8)  # noqa: DTZ001
_SPAN: Final = timedelta(seconds=10**10 - 10**8)
_PAST: Final = datetime(1, 1, 1)  # noqa: DTZ001
_FUTURE: Final = datetime(9000, 1, 1)  # noqa: DTZ001
_IPV4: Final = int(IPv4Address("198.18.0.0"))  # RFC 2544: for tests
_IPV6: Final = int(IPv6Address("2001:db8::"))  # RFC 3849: for documentation
_MAX_LIFETIME: Final = 1e9  # seconds of a token; more may be a date
_NODE_PORT: Final = 10_000
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class _Claims(msgspec.Struct):
    """Times of a token (RFC 7519), by which the client renews it."""

    iat: float
    exp: float


class Pseudonyms:
    """Table of the pseudonyms of one capture.

    `nodes` are the pseudonyms of the base URLs that were asked, `unknown` the words that have
    passed although the client does not know them, by field, and `unknown_fields` likewise the names
    of fields.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, int] = {}
        self.unknown: defaultdict[str, set[str]] = defaultdict(set)
        self.unknown_fields: set[str] = set()
        self._tables: defaultdict[str, dict[str | bytes, int]] = defaultdict(dict)
        self._places: dict[tuple[str, str | None], str] = {}
        self._shift: timedelta | None = None

    # --- parts of an exchange ---------------------------------------------------------------------

    def node(self, url: str) -> int:
        """Return the number, from 1 on, of the node with this base URL."""
        match = _URL.fullmatch(url)
        place = None if match is None else _PLACE.fullmatch(match["place"])
        if match is not None and place is not None:
            key = _place_key(match["scheme"], place["host"], place["port"])
            if key not in self._places:
                number = len(self.nodes) + 1
                self._places[key] = f"node-{number}.example:{_NODE_PORT + number}"
        return self.nodes.setdefault(self.text(url), len(self.nodes) + 1)

    def path(self, path: str) -> str:
        """Return a quoted path with its words, and with pseudonyms in place of other segments."""
        return "/".join(map(self._segment, path.split("/")))

    def query(self, query: str) -> str:
        """Return a quoted query, with `?`, with pseudonyms in place of its values; or empty."""
        if not query.startswith("?"):
            return ""
        return "?" + "&".join(self._setting(*each.partition("=")) for each in query[1:].split("&"))

    def location(self, location: str) -> str:
        """Return the URL, or the path, of a redirect with pseudonyms."""
        if _URL.fullmatch(location):
            return self.text(location)
        path, mark, query = location.partition("#")[0].partition("?")
        return self.path(path) + self.query(mark + query)

    def http_date(self, header: str) -> str | None:
        """Return a date of HTTP that is shifted as all times are, or None if it is none."""
        try:
            return format_datetime(self._shifted(parsedate_to_datetime(header)), usegmt=True)
        except (OverflowError, TypeError, ValueError):
            return None

    def body(self, text: str) -> str:
        """Return the replacement of a body that is no JSON: about as long, and HTML if it is."""
        if not text.strip():
            return text
        words = f"text {self._number('text', text)}"
        phrases = "".join(f", {phrase}" for phrase in PHRASES if phrase in text)
        is_page = text.lstrip("\ufeff \t\r\n").startswith("<")
        begin, end = ("<html><body>", "</body></html>") if is_page else ("", "")
        length = 10 ** (len(str(min(len(text), _MAX_PADDED))) - 1)
        missing = length - len(begin + words + phrases + end)
        return f"{begin}{words}{phrases}{'.' * missing}{end}"

    # --- JSON -------------------------------------------------------------------------------------

    def key(self, name: str) -> str:
        """Return the name of a field, or the pseudonym of a key that is none."""
        if FIELD_NAME.fullmatch(name) and not _is_value(name):
            if name not in KNOWN_FIELDS:
                self.unknown_fields.add(name)
            return name
        return self.text(name)

    def number(self, literal: str, field: str = "", *, is_secret: bool = False) -> str:
        """Return a number of JSON, renumbered if it is a uid, a port or a secret."""
        if is_secret or is_uid_field(field):
            return self._renumbered(literal) or literal
        return (field in TIME_FIELDS and self._epoch(literal)) or literal

    def text(self, text: str, field: str = "", *, is_secret: bool = False) -> str:
        """Return the pseudonym of a text, or the text itself if it may pass in this field.

        Blanks around it stay, as the client ignores them.
        """
        core = text.strip()
        if not core or (not is_secret and self._passes(core, field)):
            return text
        before = len(text) - len(text.lstrip())
        begin, end = text[:before], text[before + len(core) :]
        epoch = self._epoch(core) if field in TIME_FIELDS and not is_secret else None
        return f"{begin}{epoch or self._pseudonym(core)}{end}"

    def _passes(self, word: str, field: str) -> bool:
        """Return True if a text is a word, a version or a number that passes in a field."""
        if len(word) > _MAX_FORM:
            return False
        if word in KNOWN.get(field, ()) or word.casefold() in KNOWN.get(field, ()):
            return True
        if field in OPEN_FIELDS and FIELD_NAME.fullmatch(word) and not _is_value(word):
            self.unknown[field].add(word)
            return True
        return bool(
            (VERSION_FIELD.fullmatch(field) and _SOFTWARE.fullmatch(word))
            or (PROGRESS_FIELD.fullmatch(field) and _PERCENTAGE.fullmatch(word))
            or (_DIGITS.fullmatch(word) and len(word) <= QUANTITY_FIELDS.get(field, 0))
        )

    # --- forms of values --------------------------------------------------------------------------

    def _pseudonym(self, core: str) -> str:
        """Return the pseudonym of a text without blanks around it, of the first form that fits."""
        found = self._formed(core) if len(core) <= _MAX_FORM else None
        if found is not None:
            return found
        word = "text " if _BLANK.search(core) else "name-"
        folded = core.casefold() if len(core) <= _MAX_FORM else core
        return f"{word}{self._number(word, folded)}"

    def _formed(self, core: str) -> str | None:
        """Return the pseudonym of a text with a form other than that of a word."""
        return (
            self._uuid(core)
            or self._time(core)
            or self._renumbered(core)
            or self._padded(core)
            or self._address(core)
            or self._object(core)
            or self._token(core)
            or self._hex(core)
            or self._email(core)
            or self._url(core)
            or self._place(core)
        )

    def _number(self, table: str, value: str) -> int:
        """Return the number of a value in a table, from 1 on, in the order of appearance."""
        key: str | bytes = value
        if len(value) > _MAX_KEPT:
            key = hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
        entries = self._tables[table]
        return entries.setdefault(key, len(entries) + 1)

    def _uuid(self, core: str) -> str | None:
        if not _UUID.fullmatch(core):
            return None
        number = self._number("uuid", core.casefold())
        return _in_case_of(core, f"{number:08x}-0000-4000-8000-000000000000")

    def _time(self, core: str) -> str | None:
        """Return an ISO time that is shifted by the same minutes as all others."""
        match = _TIME.fullmatch(core)
        if match is None:
            return None
        date, separator, clock, seconds, rest = match.groups()
        try:
            shifted = self._shifted(datetime.fromisoformat(f"{date}T{clock}"))
        except ValueError:
            return None
        return shifted.isoformat(separator, "seconds" if seconds else "minutes") + rest

    def _shifted(self, time: datetime) -> datetime:
        """Return a time that is shifted by the same minutes as all others."""
        minute = time.replace(second=0, tzinfo=None)
        passed = time.replace(tzinfo=None) - _FIRST
        if not timedelta() <= passed < _SPAN:
            begin = _PAST if time.year < _ORIGIN.year else _FUTURE
            number = self._number(f"minute {begin.year}", minute.isoformat())
            shifted = begin + timedelta(minutes=number, seconds=time.second)
        else:
            if self._shift is None:
                self._shift = _ORIGIN - minute
            shifted = _FIRST + (passed + self._shift) % _SPAN
        return shifted.replace(tzinfo=time.tzinfo)

    def _epoch(self, literal: str) -> str | None:
        """Return a Unix time that is shifted as all times are."""
        if not _EPOCH.fullmatch(literal):
            return None
        whole, mark, rest = literal.partition(".")
        shifted = self._shifted(datetime.fromtimestamp(int(whole), UTC))
        return f"{shifted.timestamp():.0f}{mark}{rest}"

    def _renumbered(self, core: str) -> str | None:
        """Return a number of the table of uids. Zero stays, and so does a sign."""
        match = _NUMBER.fullmatch(core)
        if match is None:
            return None
        sign, whole, rest = match.groups()
        if rest not in {"", ".0"}:
            return f"{sign}{self._number('uid', whole + rest)}.5"
        return core if whole == "0" else f"{sign}{self._number('uid', whole)}{rest}"

    def _padded(self, core: str) -> str | None:
        """Return digits of the same length for digits that begin with a zero."""
        if not _PADDED.fullmatch(core):
            return None
        width = len(core) - 1
        return "0" + str(self._number(f"padded {width}", core)).zfill(width)[-width:]

    def _address(self, core: str) -> str | None:
        """Return an IP address of a network for documentation and tests."""
        try:
            address = ip_address(core)
        except ValueError:
            return None
        version = address.version
        number = self._number(f"IPv{version}", str(address))  # one spelling of several
        return str(IPv4Address(_IPV4 + number) if version == 4 else IPv6Address(_IPV6 + number))

    def _object(self, core: str) -> str | None:
        """Return the name of an object, such as `bdb:7` or `1:1`, with its numbers renumbered."""
        match = _OBJECT.fullmatch(core)
        if match is None or ":" not in core:
            return None
        uids = [self._renumbered(uid) or self._padded(uid) for uid in match["uids"].split(":")]
        return (match["type"] or "") + ":".join(filter(None, uids))

    def _token(self, core: str) -> str | None:
        """Return a token that is issued at 0, and ends after the same time."""
        match = _TOKEN.fullmatch(core)
        if match is None:
            return None
        padding = "=" * (-len(match[1]) % 4)
        try:
            claims = msgspec.json.decode(base64.urlsafe_b64decode(match[1] + padding), type=_Claims)
        except (ValueError, RecursionError):
            return None
        lifetime = min(claims.exp - claims.iat, _MAX_LIFETIME)
        shown = msgspec.json.encode(_Claims(0, lifetime))
        times = base64.urlsafe_b64encode(shown).decode().rstrip("=")
        return f"token.{times}.{self._number('token', core)}"

    def _hex(self, core: str) -> str | None:
        """Return hexadecimal digits of the same length, the first of which is a letter."""
        if not _HEX.fullmatch(core):
            return None
        number = self._number(f"hex {len(core)}", core)
        return _in_case_of(core, f"a{number:0{len(core) - 1}x}")

    def _email(self, core: str) -> str | None:
        if not _EMAIL.fullmatch(core):
            return None
        return f"user-{self._number('email', core)}@example.com"

    # --- URLs and hosts ---------------------------------------------------------------------------

    def _url(self, core: str) -> str | None:
        match = _URL.fullmatch(core)
        if match is None or match["scheme"].casefold() not in URL_SCHEMES:
            return None
        place = self._place_of(match["place"], match["scheme"]) if match["place"] else ""
        if place is None:
            return None
        user = match["user"]
        if user is not None:
            parts = [quote(self.text(unquote(part))) for part in user.split(":")]
            place = f"{':'.join(parts)}@{place}"
        path, query = self.path(match["path"]), self.query(match["query"] or "")
        fragment = match["fragment"] and f"#{quote(self.text(match['fragment'][1:]))}"
        return f"{match['scheme']}://{place}{path}{query}{fragment or ''}"

    def _place(self, core: str) -> str | None:
        """Return the pseudonym of a host name with a dot, or of a host with a port."""
        is_place = _HOST.fullmatch(core) or (":" in core and _PLACE.fullmatch(core))
        return self._place_of(core) if is_place else None

    def _place_of(self, text: str, scheme: str = "") -> str | None:
        match = _PLACE.fullmatch(text)
        if match is None:
            return None
        host, port = match["host"], match["port"]
        key = _place_key(scheme, host, port)
        if key not in self._places:
            address = self._address(host.strip("[]"))
            if address is None:
                name = self._number("host", host.casefold())
                address = _in_case_of(host, f"host-{name}.example")
            elif ":" in address:
                address = f"[{address}]"
            if port is None:
                return address
            self._places[key] = f"{address}:{self._renumbered(port) or port}"
        return self._places[key]

    def _segment(self, segment: str) -> str:
        if not segment or segment in ROUTE_WORDS:
            return segment
        return quote(self.text(unquote(segment, errors="surrogateescape")), safe="")

    def _setting(self, name: str, mark: str, value: str) -> str:
        """Return a setting of a query: numbers, truth values and names of fields pass."""
        key, text = unquote_plus(name), unquote_plus(value)
        shown = quote(self.key(key), safe="")
        is_list = key == "fields" and all(map(_is_field, text.split(",")))
        if is_list or text in {"true", "false"}:
            return f"{shown}{mark}{value}"
        is_secret = bool(SECRET_KEYS.search(key))
        replace = self.number if _NUMBER.fullmatch(text) else self.text
        return f"{shown}{mark}{quote(replace(text, key, is_secret=is_secret), safe='')}"


def quoted(text: str) -> str:
    """Return a text as JSON."""
    return json.dumps(text)


def _is_field(name: str) -> bool:
    return FIELD_NAME.fullmatch(name) is not None


def _is_value(word: str) -> bool:
    """Return True for a word that has the form of a field name, but is a uid or a pseudonym."""
    is_hex = _HEX.fullmatch(word) and _DIGIT.search(word)
    return bool(is_hex or _UUID.fullmatch(word) or _PSEUDONYM.fullmatch(word))


def _in_case_of(original: str, pseudonym: str) -> str:
    return pseudonym.upper() if original.isupper() else pseudonym


def _place_key(scheme: str, host: str, port: str | None) -> tuple[str, str | None]:
    with contextlib.suppress(ValueError):
        host = str(ip_address(host.strip("[]")))
    return host.casefold(), port or _DEFAULT_PORTS.get(scheme.casefold())
