"""A run that is under way, shown: followed in its directory, in the terminal and in the browser."""
