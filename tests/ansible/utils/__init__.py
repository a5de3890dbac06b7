"""Tests of the single parts of the collection, in this process."""
