"""One soak run from start to end, the comparison of several, and the command line."""
