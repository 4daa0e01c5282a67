"""The thin client: from a token to a typed DataFrame. It imports nothing else of hlkit."""
