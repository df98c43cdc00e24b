"""What the load generator costs and how late it is, beside others: `python -m benchmarks.load`."""
