"""Tools of any other connection: their list, their schemas made flat, and what they answer."""
