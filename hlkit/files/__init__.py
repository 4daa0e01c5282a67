"""Writing frames to files, and summarizing their columns."""
