"""What is said of an assessment, each in one format."""
