"""Tests of `_client/submit`."""
