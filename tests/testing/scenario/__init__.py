"""Tests of `testing.scenario`."""
