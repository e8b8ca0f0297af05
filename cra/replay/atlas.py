"""The golden traces that an atlas brings with it, in its `goldens/`: they test the atlas alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from cra.atlas.model import Atlas
from cra.atlas.snapshot import snapshot_of
from cra.config import Config
from cra.replay.check import Report, Settings, check
from cra.replay.golden import FOLDER, find_manifests
from cra.replay.writing import put


def check_atlas(atlas: Atlas, package: Mapping[str, bytes]) -> list[Report]:
    """What comes of each golden of an atlas, decided with this atlas alone, its grants accepted,
    and the default configuration. Nothing runs."""
    files = {name: data for name, data in package.items() if name.startswith(f"{FOLDER}/")}
    if not files:
        return []
    # As in a scenario: the atlases that it needs decide nothing here.
    alone = snapshot_of([atlas._replace(dependencies={})])
    settings = Settings(snapshot=alone, is_at_rest=True)
    with TemporaryDirectory(prefix="cra-goldens-") as folder:
        place = Path(folder)
        for name, data in files.items():
            put(place / name, data)
        config = Config(project=place)
        return [check(path, config, settings) for path in find_manifests(place)]
