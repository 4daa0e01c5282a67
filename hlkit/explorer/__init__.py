"""The explorer: tabs of widgets over functions that work without widgets."""
