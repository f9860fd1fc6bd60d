"""Every number of every package follows from the package alone."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from domain.screening import Formula
from evidence import PackageContents, build, sealed_event
from service.recomputation import as_text, recompute
from service.settings import Settings
from simulators.scenario import SCENARIOS, load_scenario
from store.blobs import BlobStore
from tests.counts import count
from tests.fixtures.packages import Traffic
from tests.unit.ingest.samples import mp4, picture_frame, weigh_frame, wire

STATIONS = [
    (path.stem, entry.station)
    for path in sorted(SCENARIOS.glob("*.toml"))
    for entry in load_scenario(path.stem).stations
]
PACKAGES = count(500, reduced=20) // len(STATIONS) + 1


def traffic(
    scenario: str, station: str, folder: Path, settings: Settings | None = None
) -> Iterator[PackageContents]:
    """Yield the contents of packages of a station."""
    loaded = load_scenario(scenario)
    (entry,) = (one for one in loaded.stations if one.station == station)
    return Traffic(loaded, entry, settings or Settings(), BlobStore(folder / "blobs")).contents()


@pytest.mark.parametrize(("scenario", "station"), STATIONS)
def test_every_figure_comes_out_again(scenario: str, station: str, tmp_path: Path) -> None:
    for contents in islice(traffic(scenario, station, tmp_path), PACKAGES):
        found = recompute(tmp_path / build(tmp_path, contents).folder)
        assert found.equal, as_text(found, "en")
        assert found.not_computed == ()
        assert all(table.published and table.in_package for table in found.tables)


def test_a_rule_of_the_deployments_own_is_the_one_computed_by(tmp_path: Path) -> None:
    """The settings of the machine that recomputes decide nothing."""
    own = Settings(rule_formula=Formula.BOUND, rule_guard_k_milli=1_500, rule_default_u_gross_ppm=9_000)
    contents = next(traffic("doubts", "SIM-DOUBT-2", tmp_path, own))
    found = recompute(tmp_path / build(tmp_path, contents).folder)
    assert found.equal
    (guard,) = (step for step in found.steps if step.name == "guard")
    assert "1.5 ×" in guard.explanation.en
    (deduction,) = (step for step in found.steps if step.name == "deduction")
    assert "÷ (1 + 5 %)" in deduction.explanation.zh


def test_a_clip_stands_for_motion_as_it_did(tmp_path: Path) -> None:
    scenario = load_scenario("three-stations")
    (site,) = (one for one in scenario.stations if one.station == "SIM-K2310")
    strict = replace(site, site=replace(site.site, completeness_profile="full"))
    made = {}
    for name, clip in (("with", mp4()), ("without", None)):
        folder = tmp_path / name
        traffic_of = Traffic(scenario, strict, Settings(), BlobStore(folder / "blobs"), clip=clip)
        package = folder / build(folder, next(traffic_of.contents())).folder
        found = recompute(package)
        assert found.equal, as_text(found, "en")
        made[name] = sealed_event(package)["completeness"]["missing"]
    assert made == {"with": [], "without": ["no-clip-or-second-image"]}


def test_a_supplement_is_computed_like_any_package(tmp_path: Path) -> None:
    contents = next(traffic("doubts", "SIM-DOUBT-3", tmp_path))
    first = build(tmp_path, contents)
    event = contents.event | {"answers": []}
    later = replace(contents, event=event, supplement=1, predecessor_tagmanifest=first.tagmanifest)
    found = recompute(tmp_path / build(tmp_path, later).folder)
    assert found.equal
    assert (found.package, found.not_computed) == (f"{first.folder}.s1", ())


def test_frames_of_a_gateway_are_decoded_as_they_were(tmp_path: Path) -> None:
    """One frame carries several images, here the same one twice."""
    scenario = load_scenario("doubts")
    station = replace(scenario.stations[0], station="G1")
    heavy = {"sumWeight": 27_900, "axleWeight": [9_400, 18_500]}
    wheels = {"leftWheelWeight": ..., "rightWheelWeight": ...}
    contents = Traffic(scenario, station, Settings(), BlobStore(tmp_path / "blobs")).contents_of(
        [
            wire("gateway/v1/G1/gw-1/frame", frame)
            for frame in (weigh_frame(**heavy, **wheels), picture_frame())
        ]
    )
    assert contents is not None
    found = recompute(tmp_path / build(tmp_path, contents).folder)
    assert found.equal, as_text(found, "en")
