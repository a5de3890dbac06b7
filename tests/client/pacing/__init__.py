"""Tests of `_client/pacing`."""
