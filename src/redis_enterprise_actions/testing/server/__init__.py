"""HTTP server of the fake cluster: nodes, authentication, TLS, faults."""
