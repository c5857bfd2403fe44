"""WHAT MICROSOFT SEES: OAuth, Graph, the calendar mapping, the error tables."""
