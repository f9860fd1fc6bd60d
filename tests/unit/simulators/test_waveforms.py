"""The waveform station: its messages keep the contract, and its truth is that of the vehicle it simulated."""

import hashlib
import json
import struct
from datetime import UTC, datetime

import numpy as np
import pytest

from domain.events import WaveformMessage, Wire
from ingest.decoders.native import make_decoder
from ingest.limits import Limits
from simulators.oracle import SiteFacts
from simulators.passages import Passage
from simulators.scenario import load_scenario
from simulators.score import equals_oracle
from simulators.waveforms import BAD_DRIVES, WaveformRoad, calibration_document, expected
from simulators.wire import number, with_sent_at
from weigh.calibration.state import CalibrationState

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SCENARIO = load_scenario("waveforms")
ROAD = WaveformRoad(SCENARIO, SCENARIO.stations[0], 1)


@pytest.fixture(scope="module")
def passage() -> Passage:
    """Return one passage with its truth."""
    return ROAD.passage(0, START, "e0")


def test_the_body_is_read_by_a_parser_written_from_the_contract(passage: Passage) -> None:
    draft = passage.drafts[0]
    body = draft.body
    assert (draft.kind, draft.content_type) == ("waveform", "application/vnd.zhichao.waveform")
    assert body[:4] == b"ZCWF"
    version, length = struct.unpack(">II", body[4:12])
    assert version == 1
    description = json.loads(body[12 : 12 + length])
    samples = np.frombuffer(body[12 + length :], dtype="<f4")
    assert len(samples) == len(description["strips"]) * description["samples"]
    assert 230_000 < len(body) < 250_000
    # The heaviest axle presses on each strip with all its weight, give or take its bouncing.
    heaviest = max(passage.truth["true_axle_loads_kg"]) * 9.80665 * 53 / 280
    strips = samples.reshape(len(description["strips"]), -1)
    assert (strips.max(axis=1) - np.median(strips, axis=1) > heaviest * 0.7).all()


def test_the_decoder_takes_every_message(passage: Passage) -> None:
    decoder = make_decoder(Limits())
    for sequence, draft in enumerate(passage.drafts):
        message = number(draft, station="SIM-WAVE", epoch="e0", sequence=sequence)
        wire = Wire(
            topic=message.topic,
            payload=message.body,
            content_type=message.content_type,
            properties=tuple(with_sent_at(message, START).items()),
            received_at=START,
        )
        (decoded,) = decoder.decode(wire, now=START)
        assert isinstance(decoded, WaveformMessage) == (sequence == 0)


def test_the_same_seed_gives_the_same_bytes(passage: Passage) -> None:
    again = WaveformRoad(SCENARIO, SCENARIO.stations[0], 1).passage(0, START, "e1")
    assert [hashlib.sha256(one.body).digest() for one in again.drafts] == [
        hashlib.sha256(one.body).digest() for one in passage.drafts
    ]
    assert again.truth == passage.truth


def test_the_loads_are_those_of_the_strata() -> None:
    ratios = []
    for place in range(20):
        truth = ROAD._truth(ROAD.vehicle(place), ROAD._truck(place), "normal", _description(place))
        ratios.append(truth["true_gross_kg"] / truth["true_limit_kg"])
    assert sum(0.93 < ratio < 1.07 for ratio in ratios) >= 6
    assert sum(ratio > 1.05 for ratio in ratios) >= 6


def _description(place: int) -> dict[str, object]:
    vehicle = ROAD.vehicle(place)
    return {
        "tyres": ["single" if letter == "s" else "dual" for letter in vehicle.configuration.tyres],
        "vehicle": {
            "kind": vehicle.configuration.kind.value,
            "drive_axles": list(vehicle.configuration.drive_axles),
            "air_suspension": vehicle.configuration.air_suspension,
        },
    }


def test_bad_drives_come_as_often_as_the_scenario_says() -> None:
    drives = [ROAD._drive(place) for place in range(400)]
    assert 30 <= sum(drive != "normal" for drive in drives) <= 90
    assert {drive for drive in drives if drive != "normal"} == set(BAD_DRIVES)


@pytest.mark.parametrize(
    ("gross_kg", "outcomes"),
    [(10_000, ["within"]), (18_500, ["within", "overloaded"]), (24_000, ["overloaded"])],
)
def test_the_oracle_names_the_outcomes_a_mass_allows(gross_kg: int, outcomes: list[str]) -> None:
    seen = {"axles": [{"tyres": "single"}, {"tyres": "dual"}], "spacings_mm": [4_800], "vehicle": {}}
    facts = SiteFacts(mpe_ppm=50_000, min_speed_m_h=5_000, max_speed_m_h=120_000)
    oracle = expected(seen, gross_kg, facts, usable=True)
    assert (oracle["outcomes"], oracle["limit_kg"]) == (outcomes, 18_000)
    screening = {
        "outcome": outcomes[0],
        "vehicle_code": oracle["vehicle_code"],
        "adjudication": {"limit_kg": 18_000, "measured_gross_kg": gross_kg},
    }
    assert equals_oracle(screening, oracle)
    assert not equals_oracle(screening | {"outcome": "unusable"}, oracle)
    far = {"limit_kg": 18_000, "measured_gross_kg": gross_kg * 107 // 100}
    assert not equals_oracle(screening | {"adjudication": far}, oracle)


def test_the_printed_calibration_can_be_installed() -> None:
    state = CalibrationState.from_document(calibration_document("SIM-WAVE", START))
    assert (state.station, state.lane, state.version) == ("SIM-WAVE", 1, 1)
