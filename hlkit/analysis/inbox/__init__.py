"""Questions about conversations."""
