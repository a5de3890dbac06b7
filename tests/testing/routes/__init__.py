"""Tests of `testing.routes`."""
