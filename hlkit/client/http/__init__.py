"""What touches the network: token, transport, retry, rate limit, cache, session, progress."""
