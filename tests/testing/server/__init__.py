"""Tests of `testing.server`."""
