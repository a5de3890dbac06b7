"""The commands `list` and `watch`."""
