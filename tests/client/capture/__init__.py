"""Tests of `_client/capture`."""
