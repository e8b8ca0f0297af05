"""Text made from the templates that ship with the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cra.shipped import shipped


def render(name: str, values: Mapping[str, Any]) -> str:
    """A template, filled. A value that it names and does not get is an error."""
    from jinja2 import FileSystemLoader, StrictUndefined  # takes 50 ms, for those who write alone
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(shipped("templates")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(name).render(values)
