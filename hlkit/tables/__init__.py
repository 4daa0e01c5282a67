"""Rows become typed frames."""
