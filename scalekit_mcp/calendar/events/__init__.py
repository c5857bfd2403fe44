"""Pure mappings between the arguments of tools and events in Graph's shape."""
