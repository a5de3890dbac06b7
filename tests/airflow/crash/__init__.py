"""What takes minutes: Airflow as it is run, with a triggerer that is killed, and a thousand waits.

`nox -s airflow_crash` runs it.
"""
