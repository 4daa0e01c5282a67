"""The explorer: thin views over functions that need no widget."""
