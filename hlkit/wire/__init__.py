"""What touches the network: the token, the cache, pacing, the session and the walk over pages."""
