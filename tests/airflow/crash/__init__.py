"""Long tests of a running Airflow: a triggerer that is killed, and a thousand waits.

`nox -s airflow_crash` runs them.
"""
