"""Folders a killed builder left: taken out of the way before they are sealed, and never afterwards."""

from pathlib import Path

import pytest

from domain.errors import ConflictingChange
from evidence import build
from evidence.leftovers import discard_unsealed
from tests.fixtures.evidence import Deployment, contents


def test_a_folder_built_by_other_software_and_never_recorded_makes_way(deployment: Deployment) -> None:
    left = build(deployment.evidence, contents(gross_kg=51_000))
    with pytest.raises(ConflictingChange):
        build(deployment.evidence, contents(gross_kg=52_340))
    discard_unsealed(deployment.evidence, left.folder)
    assert build(deployment.evidence, contents(gross_kg=52_340)).tagmanifest != left.tagmanifest
    assert [path.name for path in deployment.evidence.iterdir()] == [left.folder]


def test_a_sealed_package_never_makes_way(deployment: Deployment) -> None:
    package = deployment.seal(contents())
    with pytest.raises(ConflictingChange, match="lies sealed"):
        discard_unsealed(deployment.evidence, package.name)
    assert deployment.verify(Path(package)).ok
