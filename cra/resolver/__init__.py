"""CARP's resolve: what an agent may know and do for a goal, without clock, randomness or I/O."""
