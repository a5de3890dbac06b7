"""Replay of a capture: its file, the choice of its answers, and the cluster that gives them."""
