"""The sampler as one file for another host: it records there, and serves what it has recorded.

Like the sampler it needs nothing beyond the standard library. `archive` packs both into a file
that Python 3.9 runs.
"""
