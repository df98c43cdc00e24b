"""From the series of a run to a decision, a forecast and an assessment."""
