"""Tests of `_cli.setup`."""
