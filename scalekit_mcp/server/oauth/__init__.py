"""The authorization server of the caller mode `microsoft`: whom a host is, what it may do, and its tokens."""
