"""Tests of `_client/config`."""
