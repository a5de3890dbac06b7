"""HTTP to the nodes of one cluster: transport, node pool, authentication, TLS."""
