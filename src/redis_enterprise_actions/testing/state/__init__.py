"""State of the fake cluster: databases, nodes, CRDBs and the work on them."""
