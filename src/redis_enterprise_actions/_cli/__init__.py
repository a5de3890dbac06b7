"""The command `redis-actions`."""
