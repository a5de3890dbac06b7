"""Connection settings of the command."""
