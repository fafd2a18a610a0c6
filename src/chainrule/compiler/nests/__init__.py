"""Loop nests: what is computed at every index, before anything is said of a processor."""
