"""How a request leaves when it is due, and what comes back: little else, for it is done often."""
