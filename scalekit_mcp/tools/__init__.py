"""WHAT THE MODEL SEES: the catalogue of tools, their argument and output models."""
