"""Tests of `_cli.calls`."""
