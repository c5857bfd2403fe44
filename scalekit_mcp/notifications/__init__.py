"""What is told to others when a status changes."""
