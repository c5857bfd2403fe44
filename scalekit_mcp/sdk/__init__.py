"""What code that was written for Scalekit's own SDK finds under its names, for synchronous programs."""
