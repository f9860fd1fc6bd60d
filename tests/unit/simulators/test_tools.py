"""Scenario files, registry, photographs and the score."""

import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from domain.errors import ConfigurationError
from domain.events import CaptureRole
from simulators.__main__ import main
from simulators.photos import PhotoRoad, read_manifest
from simulators.plate_image import render_plate
from simulators.play import new_epoch, shares
from simulators.registry import registry_toml
from simulators.scenario import SCENARIOS, load_scenario
from simulators.scene import photograph
from simulators.score import Score, equals_oracle, score, table
from simulators.vehicles import make_vehicle
from simulators.wire import with_comment
from store.registry_file import parse_registry

ALL = sorted(path.stem for path in SCENARIOS.glob("*.toml"))
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("name", ALL)
def test_the_store_accepts_every_scenarios_registry(name: str) -> None:
    scenario = load_scenario(name)
    registry = parse_registry(registry_toml(scenario, 2026), allow_test_profiles=True)
    assert [each.station_id for each in registry.stations] == [each.station for each in scenario.stations]
    for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)):
        valid = [each for each in registry.certificates if each.valid_from <= day <= each.valid_to]
        assert len(valid) == len(scenario.stations)
    assert all("模拟" in each.citation for each in registry.legal_basis)
    assert len(registry.officers) == 3


def test_registry_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registry", "three-stations", "--year", "2026"]) == 0
    assert capsys.readouterr().out == registry_toml(load_scenario("three-stations"), 2026)


def test_an_unknown_scenario_is_named_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registry", "nowhere"]) == 2
    assert "three-stations" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name = [", "not TOML"),
        ('name = "x"\nspeed = 3', "speed"),
        (
            'name = "x"\ninterval_ms = 1\nunusable_per_100 = 0\n[[station]]\nunreported = ["x"]',
            "unreported may name",
        ),
    ],
)
def test_a_wrong_scenario_file_says_what_is_wrong(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=complaint):
        load_scenario(str(path))


def test_photographs_are_full_size_and_each_vehicle_has_its_own() -> None:
    pictures = set()
    for number in range(3):
        vehicle = make_vehicle(4, "S", number)
        for role in (CaptureRole.FRONT, CaptureRole.REAR, CaptureRole.SIDE):
            jpeg = photograph(vehicle, role)
            with Image.open(io.BytesIO(jpeg)) as image:
                image.load()
                assert (image.size, image.format) == ((1920, 1080), "JPEG")
            pictures.add(jpeg)
    assert len(pictures) == 9


def test_a_comment_changes_the_bytes_and_not_the_picture() -> None:
    jpeg = photograph(make_vehicle(4, "S", 0), CaptureRole.SIDE)
    marked = with_comment(jpeg, "S cam-side 1")
    assert marked != jpeg
    with Image.open(io.BytesIO(jpeg)) as plain, Image.open(io.BytesIO(marked)) as commented:
        assert plain.tobytes() == commented.tobytes()
        assert commented.info["comment"] == b"S cam-side 1"


def test_plates_have_the_sizes_of_the_standard() -> None:
    sizes = {
        (plate.plate_class.value, rear): render_plate(plate, rear=rear).size
        for number in range(60)
        for plates in [make_vehicle(1, "S", number).plates]
        for plate, rear in ((plates.vehicle, False), (plates.vehicle, True), (plates.trailer, True))
        if plate
    }
    assert sizes == {
        ("large", False): (440, 140),
        ("large", True): (440, 220),
        ("trailer", True): (440, 220),
        ("small", False): (440, 140),
        ("small", True): (440, 140),
        ("nev-large", False): (480, 140),
        ("nev-large", True): (480, 140),
    }


def test_photos_become_hits_with_their_bytes_untouched(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 photograph \xff\xd9")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("file,plate,kind\na.jpg,云A12345,full\na.jpg,云A12346,crop\n")
    photographs = read_manifest(tmp_path, manifest)
    road = PhotoRoad(load_scenario("photos-test").stations[0], photographs)
    first, second = road.passage(0, AT, "e"), road.passage(1, AT, "e")
    assert first is not None
    assert second is not None
    assert first.truth["oracle"]["outcome"] == "overloaded"
    assert first.drafts[1].body == (tmp_path / "a.jpg").read_bytes()
    assert [first.drafts[1].extra["role"], second.drafts[1].extra["role"]] == ["front", "plate"]
    assert second.truth["plate"] == "云A12346"
    assert road.passage(2, AT, "e") is None


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a.jpg,", "needed"),
        ("b.jpg,云A12345", "not there"),
        ("a.jpg,云A12345,full,sideways", "sideways"),
    ],
)
def test_a_wrong_manifest_names_the_line(line: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"file,plate,kind,role\n{line}\n")
    with pytest.raises(ConfigurationError, match=f"line 2.*{complaint}"):
        read_manifest(tmp_path, manifest)


def row(event: str, outcome: str, plate: str | None, *, over_kg: int = 0) -> dict[str, Any]:
    """Return a passage as the JSON API gives it."""
    return {
        "event_id": event,
        "screening": {
            "outcome": outcome,
            "vehicle_code": "12",
            "adjudication": {"limit_kg": 18_000, "adjudged_kg": 18_000 + over_kg, "over_kg": over_kg},
        },
        "reading": {"text": plate} if plate else None,
        "package_state": "complete" if outcome == "overloaded" else None,
        "case_state": "lead" if outcome == "overloaded" else None,
    }


def entry(outcome: str, *, overloaded: bool, over_kg: int = 0) -> dict[str, Any]:
    """Return a line of truth."""
    oracle = {
        "outcome": outcome,
        "vehicle_code": "12",
        "limit_kg": 18_000,
        "adjudged_kg": 18_000 + over_kg,
        "over_kg": over_kg,
    }
    return {"plate": "云A12345", "truly_overloaded": overloaded, "oracle": oracle}


def test_the_score_counts_what_it_says() -> None:
    truth = {
        "right": entry("overloaded", overloaded=True, over_kg=5),
        "missed": entry("within", overloaded=True),
        "wrong": entry("within", overloaded=False),
        "lost": entry("within", overloaded=False),
    }
    rows = [
        row("right", "overloaded", "云A12345", over_kg=5),
        row("missed", "within", None),
        row("wrong", "overloaded", "云A99999", over_kg=1),
        row("somebody-else", "overloaded", "京A00000"),
    ]
    result = score(truth, rows)
    assert not result.good
    assert (result.sent, result.stored, result.flagged, result.equal_to_oracle) == (4, 3, 2, 2)
    assert (result.wrongly_flagged_events, result.missed, result.not_stored) == (["wrong"], 1, ["lost"])
    assert (result.plates_read, result.plates_right, result.plates_wrong) == (2, 1, ["wrong"])
    assert (result.packages, result.cases) == (2, 2)
    assert score({"right": truth["right"]}, rows).good
    assert len(table(result).splitlines()) == 10


@pytest.mark.parametrize("field", ["outcome", "vehicle_code", "limit_kg", "adjudged_kg", "over_kg"])
def test_any_difference_from_the_oracle_counts(field: str) -> None:
    oracle = entry("overloaded", overloaded=True, over_kg=5)["oracle"]
    screening = row("e", "overloaded", None, over_kg=5)["screening"]
    assert equals_oracle(screening, oracle)
    assert not equals_oracle(screening, oracle | {field: "other"})


def test_an_empty_score_is_not_wrong_about_anything() -> None:
    assert score({}, []) == Score()


def test_epochs_follow_from_seed_and_start() -> None:
    assert new_epoch(1, "S", AT) == new_epoch(1, "S", AT)
    assert len({new_epoch(1, "S", AT), new_epoch(2, "S", AT), new_epoch(1, "T", AT)}) == 3
    assert new_epoch(1, "S", None) != new_epoch(1, "S", None)


def test_passages_are_shared_out() -> None:
    assert shares(200, 3) == [67, 67, 66]
    assert shares(None, 2) == [None, None]
