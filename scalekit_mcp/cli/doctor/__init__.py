"""The command `doctor`: what it checks, and what it says of each mistake."""
