"""The scheduling tools: their parameters, checks and words."""
