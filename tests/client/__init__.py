"""Tests of `_client`."""
