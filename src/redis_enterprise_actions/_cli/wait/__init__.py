"""Commands that wait: `wait`, and the calls that start work."""
