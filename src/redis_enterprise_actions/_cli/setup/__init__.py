"""The commands `login`, `logout` and `profiles`."""
