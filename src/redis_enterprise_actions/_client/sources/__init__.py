"""Status endpoints, one module per kind of work."""
