"""Tests of `_client/wire`."""
