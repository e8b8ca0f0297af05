"""Golden traces: recorded once, replayed against today's atlases and rules, and compared."""
