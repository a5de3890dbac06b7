"""Tests of the messages of the package: all of them stand in one table, to be read in one go."""

from __future__ import annotations

import re

from tests.messages import GOLDEN, table


VAGUE = re.compile(r"\b(somebody|nobody|everybody|anybody|whoever|whomever|whom)\b", re.IGNORECASE)


def test_table() -> None:
    """The golden file has each message; `python -m tests.messages` writes it anew."""
    assert table() == GOLDEN.read_text("utf-8").splitlines()


def test_vague() -> None:
    """No message has a vague pronoun such as "somebody"."""
    assert [line for line in table() if VAGUE.search(line)] == []


def test_complete() -> None:
    """The table has the messages of errors, of the log and of the command."""
    text = "\n".join(table())

    for known in (
        "_client/http/auth: username= and password= go together",
        "_client/http/transport: the certificate of %s is not verified",
        "_cli/arguments: wait takes REF or filters, not both",
    ):
        assert known in text


def test_installable() -> None:
    """No message tells to install this package, as it is on no index; messages name libraries."""
    told = [match[0] for line in table() if (match := re.search(r"pip install \S+", line))]

    assert told
    assert [each for each in told if "redis" in each] == []
