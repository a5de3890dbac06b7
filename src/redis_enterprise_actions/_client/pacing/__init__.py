"""Schedules of polls, rate limit and retries."""
