"""Cases that every implementation of specs/PROTOCOL.md answers alike, and cra's answers to them."""
