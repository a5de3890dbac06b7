"""Commands that make a call: `submit`, `get`, `cancel`, and the named calls of resources."""
