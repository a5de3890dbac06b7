"""Facts about the package, one file for each module."""
