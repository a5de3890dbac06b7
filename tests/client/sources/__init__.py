"""Tests of `_client/sources`."""
