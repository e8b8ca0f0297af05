"""A pytest plugin: goldens in a project's own tests.

    def test_a_large_refund_is_denied(golden):
        golden.check("refund-denied")

Wherever cra is installed, each run of pytest loads this module: what it needs is loaded by a test
that asks for it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from cra.testing.goldens import Goldens

_UPDATE: Final = "--snapshot-update"


# Last: every other plugin and conftest.py has said by then which options it has.
@pytest.hookimpl(trylast=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> None:
    """Add --snapshot-update, unless it is there: syrupy's means the same."""
    _, unknown = parser.parse_known_and_unknown_args([_UPDATE])
    if unknown:
        about = "record goldens that are missing, and let what was found be those that differ"
        parser.getgroup("cra").addoption(_UPDATE, action="store_true", default=False, help=about)


@pytest.fixture
def golden(pytestconfig: pytest.Config) -> Goldens:
    """The goldens of the project that CRA_PROJECT names, or that pytest's rootdir is in."""
    from cra.config import find_project
    from cra.testing.goldens import Goldens

    stated = os.environ.get("CRA_PROJECT")
    root = Path(stated) if stated else find_project(pytestconfig.rootpath)
    updates = bool(pytestconfig.getoption(_UPDATE, default=False))
    return Goldens(root or pytestconfig.rootpath, updates=updates)
