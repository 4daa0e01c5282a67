"""Questions about opportunities and pipelines."""
