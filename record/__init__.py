"""The ground below all rooms: what a run records, and how it is written and read.

The standard library alone.
"""
