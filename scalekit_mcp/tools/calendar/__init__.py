"""The tools of the toolset `calendar`: their arguments, the checks between arguments, the texts."""
