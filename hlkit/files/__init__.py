"""Frames leave as files, and what is in a frame is summarized."""
