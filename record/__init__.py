"""The ground below all rooms: what a run records, how it is written and read; stdlib alone."""
