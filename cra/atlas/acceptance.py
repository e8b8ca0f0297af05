"""Atlases that a project takes in: what their pins are and would become, and whether all fit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cra.atlas.lock import Change, compare, pin_of
from cra.atlas.manifest import load_atlas
from cra.atlas.model import Atlas, Pin
from cra.atlas.package import package_at
from cra.atlas.snapshot import place_of, read_policies, snapshot_of
from cra.config import AtlasSource
from cra.errors import AtlasError, Fault

State: TypeAlias = Literal["same", "new", "changed", "moved", "gone"]


@dataclass(frozen=True)
class Acceptance:
    """What accepting an atlas as it is now does to its pin; None where there is no pin."""

    before: Pin | None
    after: Pin | None
    # As it is now; None if it is configured no more.
    atlas: Atlas | None

    @property
    def pin(self) -> Pin:
        pin = self.after or self.before
        assert pin is not None
        return pin

    @property
    def state(self) -> State:
        if self.before is None:
            return "new"
        if self.after is None:
            return "gone"
        if self.before.digest != self.after.digest:
            return "changed"
        return "same" if self.before.source == self.after.source else "moved"

    @property
    def change(self) -> Change | None:
        """What is different in an atlas that was accepted before."""
        if self.before is None or self.atlas is None:
            return None
        return compare(self.before, self.atlas)


def acceptances(
    project: Path, sources: Iterable[AtlasSource], pins: Mapping[str, Pin]
) -> list[Acceptance]:
    """What accepting the configured atlases does to each pin. Raises AtlasError."""
    by_place = {place_of(project, pin.source): pin for pin in pins.values()}
    found = []
    for source in sources:
        pin = by_place.get(place_of(project, source.path))
        package = package_at(project, source.path, pin.atlas_id if pin else None)
        if pin is not None and pin.digest == package.digest:
            # As it was accepted: with the grants that a person may have made fewer.
            atlas = load_atlas(package, source.path, is_pinned=True)
            found.append(Acceptance(pin, pin, atlas))
        else:
            atlas = load_atlas(package, source.path)
            found.append(Acceptance(pins.get(atlas.atlas_id), pin_of(atlas, source.path), atlas))
    kept = {one.pin.atlas_id for one in found}
    return [*found, *(Acceptance(pins[name], None, None) for name in pins if name not in kept)]


def refuse_misfits(project: Path, atlases: Sequence[Atlas]) -> None:
    """Raise AtlasError if atlases do not go together, or not with the project's own rules."""
    snapshot_of(atlases, read_policies(project))


def pinned_atlases(project: Path, pins: Iterable[Pin]) -> list[Atlas]:
    """The atlases of pins, as they are now. Raises AtlasError."""
    return [
        load_atlas(package_at(project, pin.source, pin.atlas_id), pin.source, is_pinned=True)
        for pin in pins
    ]


def dependents(project: Path, pins: Mapping[str, Pin], atlas_id: str) -> list[str]:
    """The atlases that ask for one. What cannot be read asks for nothing."""
    found = []
    for name, pin in pins.items():
        try:
            [atlas] = pinned_atlases(project, [pin])
        except AtlasError:
            continue
        if atlas_id in atlas.dependencies:
            found.append(name)
    return found


def source_of(project: Path, path: Path) -> str:
    """How the configuration names an atlas at a path, which counts from where the user stands.

    Relative to the project, unless the user named a place outside of it by its absolute path.
    Raises AtlasError for a path that no configuration can hold.
    """
    place = Path(os.path.normpath(path.absolute()))
    # `..` after a link leads elsewhere than it reads, so what is relative has no links before it.
    root = os.path.realpath(project)
    real = Path(os.path.realpath(place.parent), place.name)
    is_outside = path.is_absolute() and not real.is_relative_to(root)
    source = str(place) if is_outside else os.path.relpath(real, root)
    try:
        source.encode()
    except UnicodeEncodeError:
        message = "expected a path in UTF-8, found other bytes"
        raise AtlasError(Fault.BAD_PACKAGE, message, where=repr(source)) from None
    return source
