"""Requests to a cluster, and waiting for what it is doing."""
