"""A look-alike of Scalekit's hosted API, a client of the sandbox's Microsoft like any other."""
