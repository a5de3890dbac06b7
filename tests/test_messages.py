"""Tests of the messages of the package: all of them stand in one table, to be read in one go."""

from __future__ import annotations

import re

from tests.messages import GOLDEN, PACKAGE, table


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
        "_cli/wait/arguments: wait takes REF or filters, not both",
    ):
        assert known in text


def test_installable() -> None:
    """Nothing tells to install an extra of this package, which is on no index, but libraries."""
    told = [match[1] for line in table() if (match := re.search(r"pip install (\S+)", line))]
    naming = [
        file for file in PACKAGE.rglob("*.py") if "enterprise-actions[" in file.read_text("utf-8")
    ]

    assert {"rich", "argcomplete", "keyring"} <= set(told)
    assert naming == []
