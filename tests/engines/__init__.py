"""Facts about the examples for engines, inside those engines."""
