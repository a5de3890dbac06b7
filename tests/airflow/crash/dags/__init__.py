"""The folder that the instance takes its DAGs from."""
