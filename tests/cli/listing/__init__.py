"""Tests of `_cli/listing`."""
