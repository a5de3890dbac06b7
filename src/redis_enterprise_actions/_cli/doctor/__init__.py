"""The command `doctor`: diagnosis of connection problems."""
