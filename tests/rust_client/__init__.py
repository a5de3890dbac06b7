"""Tests of the fake cluster with `redis-enterprise`, a typed client of the same API, in Rust."""
