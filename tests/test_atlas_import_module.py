"""`cra atlas create --from-module`: functions become actions, and what cannot be one is said."""

from __future__ import annotations

import json

import pytest

from cra.adapters import functions
from cra.adapters.docstring import first_line, parameters_in
from cra.adapters.functions import effect_of
from cra.errors import UsageError
from tests.program import answer, at_terminal, cra

REACHED = "If not, go to the directory that it is imported from, or install it"
ORDERS = '''"""Orders of a shop."""

import enum
import functools
import os
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional, TypedDict

from .money import CENTS


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Line:
    sku: str
    size: Size = Size.SMALL
    total: int = field(init=False, default=7)


@dataclass
class Order:
    number: int
    lines: list[Line] = field(default_factory=list)


class Address(TypedDict, total=False):
    street: str


def get_order(number: int, detail: Literal["short", "long"] = "short") -> dict[str, int]:
    """Read an order.

    Args:
        number: Its number,
            from one on.
    """
    return {"number": number, "cents": CENTS}


def find_lines(
    order: Order, to: Optional[Address] = None, size: Size | None = Size.LARGE
) -> Order:
    assert isinstance(order, Order), order
    assert [type(line) for line in order.lines] == [Line] * len(order.lines)
    assert size is None or isinstance(size, Size)
    assert to is None or to == {"street": "here"}
    return order


async def read_sizes(names: Annotated[set[str], "in words"], any: Any = None, none=1) -> set[Size]:
    assert type(names) is set
    return {Size(name) for name in names}


def place(number: int) -> int:
    return number


def delete_order(number: int) -> None:
    """Delete it."""
'''
ODD = """import functools
from datetime import datetime

def since(when: datetime): ...
def between(a: int, when: datetime | None = None, *rest, **more): ...
def positional(a, /): ...
def partly(b=1, /, a=2): return a
def numbers():
    yield 1
twice = lambda x: x
def unread(x: "Nope"): ...
def keyed(x: dict[int, str]): ...
def either(x: "Own | int"): ...
class Own:
    def __init__(self): ...
made = functools.partial(print, 1)
def _hidden(): ...
"""


@pytest.fixture
def place(tmp_path):
    answer(tmp_path, "init", "--no-sign")
    # What is around a module is not run.
    write(tmp_path, "shop/__init__.py", "raise RuntimeError('run')\n")
    write(tmp_path, "shop/orders.py", ORDERS)
    write(tmp_path, "shop/money.py", "CENTS = 100\n")
    return tmp_path


def write(place, name, text):
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def imported(place, module, *more):
    made = answer(place, "atlas", "create", "desk", "--from-module", module, "--json", *more)
    return json.loads(made)["imported"]


def actions(place):
    found = json.loads((place / "desk/actions-1.json").read_text())
    return {action["action_id"]: action for action in found}


def result(place, action, **arguments):
    given = json.dumps(arguments)
    return json.loads(cra_with(place, given, "execute", action, "--params", "-"))


def cra_with(place, stdin, *arguments):
    done = cra(place, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_functions_run_as_actions(place):
    found = imported(place, "shop.orders")
    assert found["left_out"] == found["warnings"] == []
    assert found["actions"] == [
        "desk.get_order",
        "desk.find_lines",
        "desk.read_sizes",
        "desk.place",
        "desk.delete_order",
    ]
    assert answer(place, "atlas", "validate", "desk") == "valid: local.desk 0.1.0"
    assert answer(place, "atlas", "test", "desk").endswith("5 passed, 0 failed")
    answer(place, "atlas", "add", "desk", "--yes")
    answer(place, "resolve", "--goal", "read an order")

    assert result(place, "desk.get_order", number=3) == {"number": 3, "cents": 100}
    order = {"number": 1, "lines": [{"sku": "a", "size": "large"}, {"sku": "b"}]}
    found = result(place, "desk.find_lines", order=order, to={"street": "here"}, size=None)
    assert found["lines"][0] == {"sku": "a", "size": "large", "total": 7}
    assert found["lines"][1]["size"] == "small"
    assert result(place, "desk.read_sizes", names=["small"]) == ["small"]


def test_what_changes_something_waits_and_what_deletes_is_denied(place):
    imported(place, "shop.orders")
    answer(place, "atlas", "add", "desk", "--yes")
    answer(place, "resolve", "--goal", "place and delete an order")

    waits = cra(place, "execute", "desk.place", "-p", "number=3")
    denied = cra(place, "execute", "desk.delete_order", "-p", "number=3")

    assert (waits.returncode, denied.returncode) == (4, 1)
    assert "desk-changes" in waits.stdout
    assert "desk-deletes" in denied.stdout
    code, screen = at_terminal(place, "execute", "desk.place", "-p", "number=3", typed="y\n")
    assert code == 0
    assert "[y/N] 3\r\n" in screen


def test_a_signature_and_a_docstring_make_the_schema(place):
    imported(place, "shop.orders")

    reading = actions(place)["desk.get_order"]
    assert reading["description"] == "Read an order."
    assert reading["risk_tier"] == "medium"
    assert reading["parameters_schema"] == {
        "type": "object",
        "properties": {
            "number": {"type": "integer", "description": "Its number, from one on."},
            "detail": {"enum": ["short", "long"], "default": "short"},
        },
        "required": ["number"],
        "additionalProperties": False,
    }
    assert reading["returns_schema"]["additionalProperties"] == {"type": "integer"}
    assert actions(place)["desk.delete_order"]["risk_tier"] == "high"


def test_what_no_action_can_be_is_said_with_its_place(place):
    write(place, "odd.py", ODD)

    found = imported(place, "odd")

    assert found["actions"] == ["desk.between", "desk.partly"]
    left, reduced = (
        [(one["where"], one["words"]) for one in found[key]] for key in ("left_out", "reduced")
    )
    form = "of a type that JSON has no form for"
    assert reduced == [
        ("odd.py:5", f"between: without the parameter when, {form}: datetime"),
        ("odd.py:5", "between: without the parameters *rest, which have no names"),
        ("odd.py:5", "between: without the parameters *more, which have no names"),
        (
            "odd.py:7",
            "partly: without the parameter b, positional only, and actions are called by name",
        ),
    ]
    assert left == [
        ("odd.py:4", f"since: when is {form}: datetime"),
        ("odd.py:6", "positional: a is positional only, and actions are called by name"),
        ("odd.py:8", "numbers: a generator, whose work is not done when it returns"),
        ("odd.py:10", "twice: a lambda, which has no name"),
        ("odd.py:11", "unread: x is annotated with Nope, which cannot be read"),
        ("odd.py:12", f"keyed: x is {form}: dict[int, str]"),
        ("odd.py:13", f"either: x is {form}: Own"),
    ]
    assert answer(place, "atlas", "test", "desk").endswith("2 passed, 0 failed")


def test_all_says_what_is_public(place):
    write(
        place,
        "few.py",
        "from json import dumps\n__all__ = ['_own', 'dumps', 'Kind', 'gone']\n"
        "def _own(): ...\ndef other(): ...\nclass Kind: ...\n",
    )

    found = imported(place, "few")

    assert found["actions"] == ["desk.own", "desk.dumps"]
    words = [one["words"] for one in found["left_out"]]
    assert [one for one in words if one.startswith("Kind")] == [
        "Kind: a class; an action is a function"
    ]
    assert "gone: no function" in words
    reduced = [one["words"] for one in found["reduced"]]
    assert "dumps: without the parameters *kw, which have no names" in reduced


def test_what_a_module_needs_beside_itself_is_said(place):
    write(place, "needs.py", "import os\nimport pytest\n\ndef get() -> int:\n    return 1\n")

    found = imported(place, "needs")

    words = "imports pytest, which has to be installed where the atlas runs"
    assert found["reduced"] == [{"where": "needs.py:2", "words": words}]


BROKEN = {
    "raise ValueError('no\\x1b[2J')": ("bad.py:1", "ValueError: no\\x1b[2J"),
    "x = 1\ndef (": ("bad.py:2", "found SyntaxError: invalid syntax\n"),
    "from . import nosuch": (
        "bad.py:1",
        "ImportError: cannot import name 'nosuch' from 'the atlas'",
    ),
    "import money": ("bad.py:1", "ModuleNotFoundError: No module named 'money'"),
    "import sys\nsys.exit(3)": ("bad.py:2", "SystemExit: 3"),
    "import os\nos._exit(3)": ("bad.py", "it ended its interpreter with the exit code 3"),
    "import os\nos.environ['HOME_OF_MINE']": ("bad.py:2", "KeyError"),
}


@pytest.mark.parametrize(("code", "expected"), BROKEN.items())
def test_a_module_that_cannot_be_loaded_is_an_error_with_its_place(place, code, expected):
    write(place, "bad.py", code + "\n")
    write(place, "money.py", "")
    where, words = expected

    said = cra(place, "atlas", "create", "desk", "--from-module", "bad", HOME_OF_MINE="1")

    assert said.returncode == 2
    assert "expected a module that can be loaded from an atlas" in said.stderr
    assert words in said.stderr
    assert f"where: {where}\n" in said.stderr
    assert "\x1b" not in said.stderr
    assert "Traceback" not in said.stderr
    assert not (place / "desk").exists()


@pytest.mark.parametrize("name", ["nosuch", "shop.nosuch", "shop.orders.deep", "zlib", "../x", ""])
def test_a_module_that_is_not_there_is_an_error(place, name):
    said = cra(place, "atlas", "create", "desk", "--from-module", name)

    assert said.returncode == 2
    assert "expected a module" in said.stderr
    assert not (place / "desk").exists()


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("books.py", "did you mean --from-module books?"),
        ("./books.py", "did you mean --from-module books?"),
        ("shop/orders.py", "did you mean --from-module shop.orders?"),
        ("src/notes.py", "did you mean cd src, and --from-module notes?"),
        ("book", f"did you mean --from-module books? {REACHED}"),
        ("shop.order", f"did you mean --from-module shop.orders? {REACHED}"),
        ("shp.orders", f"did you mean --from-module shop? {REACHED}"),
    ],
)
def test_a_name_that_is_a_file_or_nearly_a_module_is_answered_with_the_one_meant(place, name, fix):
    write(place, "books.py", "def get() -> int:\n    return 1\n")
    write(place, "src/notes.py", "")
    write(place, "shop/__init__.py", "")

    said = cra(place, "atlas", "create", "desk", "--from-module", name)

    assert said.returncode == 2
    assert said.stderr.endswith(f"fix: {fix}\n")


def test_a_module_that_does_not_end_is_said_to_be_one(place, monkeypatch):
    write(place, "books.py", "while True:\n    pass\n")
    monkeypatch.setattr(functions, "_TIMEOUT", 0.5)

    with pytest.raises(UsageError) as refused:
        functions.imported_functions(functions.find_module("books", [str(place)]), "desk")

    assert refused.value.message == (
        "expected a module that can be loaded from an atlas, found one that does not end within "
        "0.5 s"
    )


def test_the_readme_says_what_a_docstring_says_a_function_does(place):
    write(place, "books.py", 'def find_book(title: str):\n    """Find books by title."""\n')

    imported(place, "books")

    row = "| `desk.find_book` | Find books by title | is allowed |"
    assert row in (place / "desk/README.md").read_text()


def test_a_package_is_taken_by_its_own_file_alone(place):
    write(place, "kit/__init__.py", "def get() -> int:\n    return 1\n")
    assert imported(place, "kit", "--dry-run")["actions"] == ["desk.get"]

    write(place, "kit/__init__.py", "from .inner import get\n")
    write(place, "kit/inner.py", "def get() -> int:\n    return 1\n")
    said = cra(place, "atlas", "create", "desk", "--from-module", "kit")

    assert said.returncode == 2
    assert "found the package kit, whose file imports others of it" in said.stderr
    assert "fix: name one of its modules: kit.NAME" in said.stderr


def test_what_a_module_imports_relatively_is_taken_along(place):
    write(place, "a/__init__.py", "")
    write(place, "a/b/__init__.py", "raise SystemExit\n")
    write(place, "a/util.py", "def helper():\n    return 1\n")
    write(place, "a/b/sibling.py", "TWO = 2\n")
    write(place, "a/b/inner/__init__.py", "from .deep import THREE\n")
    write(place, "a/b/inner/deep.py", "THREE = 3\n")
    write(place, "a/b/other.py", "unused = 1\n")
    write(
        place,
        "a/b/mod.py",
        "from ..util import helper\nfrom . import sibling\nfrom .inner import THREE\n"
        "def get_all() -> list[int]:\n    return [helper(), sibling.TWO, THREE]\n",
    )
    imported(place, "a.b.mod")
    answer(place, "atlas", "add", "desk", "--yes")
    answer(place, "resolve", "--goal", "get all")

    assert result(place, "desk.get_all") == [1, 2, 3]
    taken = sorted(str(path.relative_to(place / "desk")) for path in place.glob("desk/a/**/*.py"))
    assert taken == [
        "a/b/inner/__init__.py",
        "a/b/inner/deep.py",
        "a/b/mod.py",
        "a/b/sibling.py",
        "a/util.py",
    ]


def test_names_of_a_module_meet_none_of_the_code_beside_it(place):
    write(
        place,
        "names.py",
        "import enum as e\nfrom dataclasses import dataclass\n"
        "class Kind(e.Enum):\n    A = 'a'\n"
        "@dataclass\nclass plain:\n    kind: Kind\n"
        "def enum(given: Kind) -> Kind:\n    return given\n"
        "def get_dataclasses(x: plain) -> plain:\n    return x\n"
        "def read_enum(given: Kind) -> Kind:\n    return given\n",
    )
    imported(place, "names")
    answer(place, "atlas", "add", "desk", "--yes")
    answer(place, "resolve", "--goal", "read an enum")

    assert result(place, "desk.get_dataclasses", x={"kind": "a"}) == {"kind": "a"}
    assert result(place, "desk.read_enum", given="a") == "a"


def test_a_dataclass_that_is_made_otherwise_is_no_parameter(place):
    write(
        place,
        "own.py",
        "from dataclasses import InitVar, dataclass\n"
        "@dataclass\nclass Made:\n    a: int\n    b: InitVar[int]\n"
        "def get(x: Made): ...\ndef read(): ...\n",
    )

    found = imported(place, "own")

    assert found["actions"] == ["desk.read"]
    assert found["left_out"][0]["words"].endswith("Made, which is made of more than its fields")


def test_what_a_module_prints_is_no_answer(place):
    write(place, "loud.py", "import os\nprint('loud')\nos.write(1, b'louder')\ndef get(): ...\n")

    assert imported(place, "loud", "--dry-run")["actions"] == ["desk.get"]


def test_a_schema_that_cra_does_not_accept_leaves_the_function_out(place):
    many = ", ".join(f"'{number:0400}'" for number in range(200))
    write(
        place,
        "large.py",
        f"from typing import Literal\ndef get(x: Literal[{many}]): ...\ndef read(): ...\n",
    )

    found = imported(place, "large")

    assert found["actions"] == ["desk.read"]
    assert "a schema that cra does not accept" in found["left_out"][0]["words"]


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("get_order", "reads"),
        ("listOrders", "reads"),
        ("count", "reads"),
        ("counter_reset", "changes"),
        ("get_or_create", "changes"),
        ("readAndClear", "changes"),
        ("budget", "changes"),
        ("soft_delete", "deletes"),
        ("find_and_remove", "deletes"),
        ("dropTable", "deletes"),
        ("_", "changes"),
    ],
)
def test_the_effect_of_a_function_is_read_off_its_name(name, effect):
    assert effect_of(name) == effect


STYLES = [
    """Do it.

    Args:
        a (int): One
            and more.
        b: Two: twice.

    Returns:
        c: no
    """,
    """Do it.

    Parameters
    ----------
    a : int
        One
        and more.
    b
        Two: twice.

    Returns
    -------
    c
        no
    """,
    """Do it.

    :param int a: One
        and more.
    :param b: Two: twice.
    :returns c: no
    """,
]


@pytest.mark.parametrize("text", STYLES)
def test_three_styles_of_docstrings_describe_parameters(text):
    assert parameters_in(text, ["a", "b", "c"]) == {"a": "One and more.", "b": "Two: twice."}
    assert first_line(text) == "Do it."


def test_a_docstring_without_parameters_describes_none():
    assert parameters_in("Do it: a: b.", ["a"]) == parameters_in(None, ["a"]) == {}
