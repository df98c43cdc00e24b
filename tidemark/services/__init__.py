"""What is driven and watched: a service, how it is written down, and how it is started."""
