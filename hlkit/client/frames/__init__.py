"""JSON rows to a typed DataFrame, and names beside ids."""
