"""Questions about the contacts themselves."""
