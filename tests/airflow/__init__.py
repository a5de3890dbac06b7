"""The tests of what is built for Airflow, which `nox -s airflow` runs with the real Airflow."""
