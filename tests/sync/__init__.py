"""Tests of `redis_enterprise_actions.sync`."""
