"""The commands of a terminal, over the public names."""
