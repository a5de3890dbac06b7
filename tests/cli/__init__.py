"""Tests of `_cli`."""
