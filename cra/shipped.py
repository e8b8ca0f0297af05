"""What ships with the program beside its code."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """The directory `specs`, `templates` or `examples`, of which the atlases ship: inside the
    installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / f"_{name}"
    return inside if inside.is_dir() else package.parent / name
