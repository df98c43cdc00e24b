"""Charts over time in a browser, for all that show some: uPlot, vendored, and what draws by it."""
