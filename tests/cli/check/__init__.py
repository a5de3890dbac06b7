"""Tests of `_cli.check`."""
