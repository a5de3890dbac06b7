"""JSON bodies of the API, read into values; one module per family of bodies."""
