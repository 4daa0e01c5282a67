"""The explorer: small views over plain functions. State is in traits, logic in functions that need no widget."""
