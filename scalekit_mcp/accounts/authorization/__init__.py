"""One authorization, from the link to the connected account."""
