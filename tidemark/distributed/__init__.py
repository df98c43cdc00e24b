"""One load from many processes: Locust's master keeps the run, its workers send."""
