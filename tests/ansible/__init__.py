"""Tests of the Ansible collection, with the real Ansible; `nox -s ansible` runs them."""
