"""Tests of the Airflow provider, which `nox -s airflow` runs with the real Airflow."""
