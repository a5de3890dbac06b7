"""Tests of the package, one file for each module."""
