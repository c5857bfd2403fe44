"""Tools of further connections: what one is, and the check of its arguments."""
