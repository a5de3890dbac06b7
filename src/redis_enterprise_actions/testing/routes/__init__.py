"""Routes of the fake cluster, by kind of object."""
