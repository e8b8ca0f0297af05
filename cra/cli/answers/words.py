"""Texts that are one of some words, which stand where they come from: in an enum, say."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeAlias

from cra.ledger.verdict import Level, Verdict


class OneOf(NamedTuple):
    """Beside `str` in `Annotated`: the words as the schema's `enum`."""

    words: tuple[str, ...]

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Callable[[Any], Any]) -> Any:
        return {**handler(core_schema), "enum": list(self.words)}


VerdictName: TypeAlias = Annotated[str, OneOf(tuple(Verdict.__members__))]
LevelName: TypeAlias = Annotated[str, OneOf(tuple(map(str, Level)))]
