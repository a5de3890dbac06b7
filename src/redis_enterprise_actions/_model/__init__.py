"""Values: actions, references, flight records and errors; no I/O, no clock."""
