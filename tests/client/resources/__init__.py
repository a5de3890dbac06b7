"""Tests of `_client/resources`."""
