"""The poll loop: planner, waiters and the state of each wait."""
