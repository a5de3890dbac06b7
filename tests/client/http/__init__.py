"""Tests of `_client/http`."""
