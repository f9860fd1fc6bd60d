"""Golden figures, pinned to the names of the algorithms that a package seals."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError
from tests.unit.weigh.golden.figures import figures
from tests.unit.weigh.golden.vehicle import LOADS_KG
from weigh.assumptions import criteria_digest, digest_of, population_digest
from weigh.estimate import ASSUMED_POPULATION
from weigh.waveform import Criteria

GOLDEN = Path(__file__).parent / "golden" / "figures.json"
REMAKE = "then remake the golden figures with `python -m tests.unit.weigh.golden`, and read what changed"


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """Return the figures as they were pinned."""
    found: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    """Return the figures as they come out now."""
    return figures()


def test_the_vehicle_itself_is_unchanged(golden: dict[str, Any], now: dict[str, Any]) -> None:
    assert now["samples"] == golden["samples"]


@pytest.mark.parametrize("how", ["calibrated", "nominal"])
def test_figures_change_only_with_a_name(golden: dict[str, Any], now: dict[str, Any], how: str) -> None:
    """A package names algorithms and assumptions; under the same names a vehicle weighs the same for ever."""
    names, pinned = now[how]["weighing"]["algorithms"], golden[how]["weighing"]["algorithms"]
    if names == pinned:
        assert now[how] == golden[how], f"results changed: give the algorithm a new name, {REMAKE}"
    assert names == pinned, f"an algorithm or assumption has a new name: {REMAKE}"


def test_the_golden_vehicle_weighs_about_what_it_was_drawn_with(golden: dict[str, Any]) -> None:
    for how, tolerance in (("nominal", 0.002), ("calibrated", 0.03)):
        loads = [axle["load_kg"] for axle in golden[how]["weighing"]["axles"]]
        assert loads == pytest.approx(LOADS_KG, rel=tolerance)
    assert golden["calibrated"]["held"] == []


def test_every_threshold_and_every_axle_is_in_the_digest() -> None:
    seen = {criteria_digest(Criteria())}
    for name, value in Criteria()._asdict().items():
        seen.add(criteria_digest(Criteria()._replace(**{name: value + 1})))
    assert len(seen) == len(Criteria._fields) + 1
    steer, drive, trailer = ASSUMED_POPULATION
    assert population_digest((steer, trailer, drive)) != population_digest(ASSUMED_POPULATION)


def test_digests_are_of_whole_numbers() -> None:
    assert digest_of({"b": 0.25, "a": (1, 2.5)}) == digest_of({"a": [1.0, 2.5], "b": 0.25})
    with pytest.raises(ConfigurationError, match="finer than a millionth"):
        digest_of({"a": 1e-7})
