"""Tests of `_client/polling`."""
