"""The business on one screen: nine tiles, and what is worth a look."""
