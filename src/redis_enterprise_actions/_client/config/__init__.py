"""Settings of a client: environment variables, profiles and their secrets."""
