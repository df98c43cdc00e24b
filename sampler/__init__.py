"""What watches a target: procfs and netlink readers, the recorder, the run directory's files.

Needs nothing beyond the standard library and psutil, so that it can be put on a host alone.
"""
