"""Tests of `_cli.wait`."""
