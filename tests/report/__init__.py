"""Tests of `_report`."""
