"""The commands of `tidemark`, one per module."""
