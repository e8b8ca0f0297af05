"""`cra template list`: what `cra init` makes projects from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cra.cli import output
from cra.cli.options import Json

if TYPE_CHECKING:
    from cra.cli.answers.project import TemplatesAnswer


def list_templates(*, as_json: Json = False) -> None:
    """List the templates: what each is for, the atlas that it brings, and what it asks.

    A question is answered on a terminal, or in advance with --set NAME=VALUE.

      cra template list
      cra init my-desk --template support-desk --set refund_limit=20
    """
    from cra.scaffold.template import templates

    facts: TemplatesAnswer = [
        {
            "name": one.name,
            "about": one.about,
            "atlas": one.atlas,
            "questions": [
                {
                    "name": question.name,
                    "asks": question.asks,
                    "default": question.default,
                    "expected": question.expected,
                }
                for question in one.questions
            ],
        }
        for one in templates()
    ]
    if as_json:
        output.answer_json(facts)
        return
    for at, each in enumerate(facts):
        if at:
            output.answer()
        output.answer(output.style(each["name"], "accent"))
        output.answer(output.wrapped(each["about"], indent="  "))
        output.answer(f"  atlas: {each['atlas']}")
        for question in each["questions"]:
            text = f"--set {question['name']}={question['default']}  {question['asks']}"
            output.answer(output.wrapped(text, indent="  ", hang="  "))
