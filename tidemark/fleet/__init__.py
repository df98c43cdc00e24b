"""Many targets and many runs: compacted into Parquet, judged in processes or on a Dask cluster."""
