"""The governed runtime: the only layer that causes effects, and records each of them."""
