"""Scenario files: the nodes, databases, work, faults and times of a fake cluster."""
