"""Whether the memory of Locust, of the sampler and of the agent grows with the run."""

TICK_S = 0.01
