"""What drives a service: one Locust file per kind of load, thin and readable as examples."""
