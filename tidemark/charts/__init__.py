"""Charts over time in a browser, for all that show them: uPlot, vendored, and what draws with it."""
