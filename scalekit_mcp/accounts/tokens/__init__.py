"""Access tokens that are valid now: refresh, and what a refusal means for one account or for many."""
