"""Context Registry Agents: a governed runtime that records what an agent may do and did."""

__version__ = "0.1.0"
