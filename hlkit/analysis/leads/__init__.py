"""Questions about new leads."""
