"""Run directories made of what somebody else has recorded."""
