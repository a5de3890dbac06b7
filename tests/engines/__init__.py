"""Tests of the examples for Prefect and Temporal, inside those engines."""
