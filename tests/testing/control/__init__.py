"""Tests of `testing.control`."""
