"""Tests of `_cli/doctor`."""
