"""One run from its first process to its complete run directory."""
