"""What watches a target: procfs and netlink readers, the recorder, the run directory's files.

It needs nothing beyond the standard library, so that it can be put on a host alone.
"""
