"""The scenarios of an atlas, each decided with the atlas alone."""

from __future__ import annotations

from cra.atlas.model import Atlas
from cra.atlas.problem import Problems, refusal
from cra.atlas.snapshot import snapshot_of
from cra.config import Config, UserDirs
from cra.resolver.scenario import Scenario, read_scenarios, run_scenario
from cra.runtime.project import Project


def run_scenarios(
    atlas: Atlas, label: str, dirs: UserDirs
) -> list[tuple[Scenario, tuple[str, ...]]]:
    """Each scenario of an atlas, and what came out otherwise than it expects.

    Raises AtlasError with every mistake in them.
    """
    problems = Problems()
    scenarios = read_scenarios(atlas, label, problems)
    if problems.errors:
        raise refusal("scenarios", problems.errors, f"mend them; cra atlas validate {label}")
    # Its rules are about its own actions, so the atlases that it needs decide nothing here.
    alone = snapshot_of([atlas._replace(dependencies={})])
    world = Project(Config(), alone, dirs=dirs, environ={}).world
    return [(scenario, run_scenario(world, scenario)) for scenario in scenarios]
