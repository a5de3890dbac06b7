"""Control API of a fake cluster: an HTTP server on a port of its own, for tests in any language."""
