"""Tests of `testing.state`."""
