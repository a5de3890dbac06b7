"""Tests of `_model`."""
