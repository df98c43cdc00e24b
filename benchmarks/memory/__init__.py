"""The verdict on memory, judged on recorded runs of real services in many runtimes."""
