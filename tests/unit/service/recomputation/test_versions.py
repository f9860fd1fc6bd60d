"""An algorithm's name stands for its figures for ever, and packages of old are still computed by it."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError
from domain.ids import sha256_of
from domain.law import published_tables
from evidence.parsing import canonical_json
from service.recomputation import as_text, recompute
from service.recomputation.algorithms import PENALTIES, SCREENINGS, WEIGHINGS
from tests.unit.service.recomputation.golden import packages
from tests.unit.service.recomputation.golden.figures import figures

KEPT = sorted(file.name for file in packages.FOLDER.glob("packages-*.json"))
"""One file for every set of names there has been; a file is never changed or taken away."""
REMAKE = (
    "then print `python -m tests.unit.service.recomputation.golden figures` into golden/figures.json, and "
    "`... packages` into a further golden/packages-<n>.json"
)


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    """Return what many vehicles come to now."""
    return figures()


def test_figures_change_only_with_a_name(now: dict[str, Any]) -> None:
    pinned = packages.read("figures.json")
    assert now["vehicles"] == pinned["vehicles"], "the vehicles themselves changed"
    same = (now["algorithms"], now["tables"]) == (pinned["algorithms"], pinned["tables"])
    if same:
        assert now == pinned, f"results changed: give the algorithm a new name, {REMAKE}"
    assert same, f"an algorithm or a table of law is another: {REMAKE}"


@pytest.mark.parametrize("name", KEPT)
def test_packages_of_old_are_computed_again_or_say_by_what_they_can_be(name: str, tmp_path: Path) -> None:
    for package in packages.lay_out(packages.read(name), tmp_path):
        try:
            found = recompute(package)
        except ConfigurationError as error:
            assert "recompute it with zhichao" in str(error)  # noqa: PT017
            continue
        assert found.equal, as_text(found, "en")


@pytest.mark.parametrize("name", KEPT)
def test_the_tables_of_old_packages_are_still_known_as_published(name: str) -> None:
    """Whoever changes a table of law keeps it as it was in domain/law/superseded."""
    for file, text in packages.read(name)["rules"].items():
        assert sha256_of(text.encode()) in published_tables(), file


def test_packages_are_kept_of_every_version_that_runs(tmp_path: Path) -> None:
    used = set()
    for name in KEPT:
        for package in packages.lay_out(packages.read(name), tmp_path / name):
            used |= set(recompute(package).algorithms.values())
    assert {*SCREENINGS, *PENALTIES} <= used, REMAKE


def test_what_weighs_is_pinned_by_its_own_golden_vehicle() -> None:
    """tests/unit/weigh/golden has the figures under these names."""
    golden = packages.FOLDER.parents[2] / "weigh" / "golden" / "figures.json"
    text = golden.read_text(encoding="utf-8")
    assert all(name in text for names in WEIGHINGS.values() for name in names)


def test_a_package_sealed_before_packages_held_their_rule_says_so(tmp_path: Path) -> None:
    (package, *_) = packages.lay_out(packages.read(KEPT[0]), tmp_path)
    file = package / "data/event.json"
    event = json.loads(file.read_bytes())
    for later in ("software", "proposal"):
        del event[later]
    event["completeness"] = {"profile": "standard", "missing": []}
    file.write_bytes(canonical_json(event))
    with pytest.raises(ConfigurationError, match=r"cannot be computed again .* evidence verify"):
        recompute(package)
