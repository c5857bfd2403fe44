"""Connected accounts and tools for backends in any language, on Scalekit's wire."""
