"""Atlases: packages of context, actions and policies, read once into an immutable snapshot."""
