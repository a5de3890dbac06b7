"""The commands that make calls: `submit`, `get` and `cancel`."""
