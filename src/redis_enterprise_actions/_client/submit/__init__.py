"""Requests that start work, and the handle in the answer."""
