"""Policy: what a call may do, decided by rules, without clock, randomness or I/O."""
