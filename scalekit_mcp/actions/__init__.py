"""THE SEAM: `Actions`, and the two implementations behind it."""
