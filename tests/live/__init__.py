"""Tests that ask the cluster of the environment; `pytest --live` runs them."""
