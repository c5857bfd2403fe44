"""Microsoft's sign-in: authorization, tokens, and what its refusals mean."""
