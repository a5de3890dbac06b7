"""Captures: files with what a client asked and the cluster answered, with values replaced."""
