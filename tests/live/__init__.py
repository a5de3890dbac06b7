"""Tests against the cluster of the environment; `pytest --live` runs them."""
