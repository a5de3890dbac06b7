"""Tests of `_cli/settings`."""
