"""Simulated stations sign as the contract says: by code of their own, held against the platform's check."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.device_signatures import DeviceKey
from domain.errors import ConfigurationError
from evidence.device import check_message, read_message
from evidence.parsing import base64_text
from simulators.passages import Road
from simulators.registry import registry_toml
from simulators.scenario import SCENARIOS, Scenario, load_scenario
from simulators.signing import signed, signed_status, unsigned
from simulators.spool import Spool
from simulators.wire import Message, framed, status_body, with_sent_at
from store.registry_file import parse_registry

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DEMO = load_scenario("three-stations")


def registered(scenario: Scenario) -> list[DeviceKey]:
    """The keys in the scenario's registry."""
    return [
        DeviceKey(
            station=key.station_id,
            device=key.device_id,
            key_id=key.key_id,
            ed25519=base64_text(key.public_key),
            valid_from=key.valid_from,
        )
        for key in parse_registry(registry_toml(scenario, 2026)).device_keys
    ]


def spooled(folder: Path, place: int) -> list[Message]:
    """The first passage's messages of one of the demo's stations, as its spool gives them back."""
    station = DEMO.stations[place]
    drafts = Road(DEMO, station, 1).passage(0, START, "e").drafts
    with Spool(folder, station.station, "epoch", sign=signed if station.signs else unsigned) as spool:
        spool.append(drafts)
        return [spool.read(key) for key in spool.pending]


@pytest.mark.parametrize("place", [0, 2])
@pytest.mark.parametrize("old", [False, True], ids=["mqtt5", "mqtt311"])
def test_what_a_station_signs_holds_at_every_sending(tmp_path: Path, place: int, *, old: bool) -> None:
    keys = registered(DEMO)
    made = spooled(tmp_path, place)
    assert {message.kind for message in made} == {"weigh", "capture"}
    for message in made:
        for seconds in (3, 30):
            header = with_sent_at(message, START + timedelta(seconds=seconds))
            payload = framed(header, message.content_type, message.body) if old else message.body
            received = read_message(message.topic, () if old else header.items(), payload)
            assert check_message(received, keys).state == "valid"


def test_a_stations_status_is_signed_and_read() -> None:
    body = status_body("online", spool_messages=3, sent_at=START)
    made = signed_status("SIM-K2310", "wim-1", body)
    received = read_message(made.topic, made.header.items(), made.body)
    assert check_message(received, registered(DEMO), captured_at=START).state == "valid"


def test_the_demo_shows_signed_and_unsigned_stations(tmp_path: Path) -> None:
    assert [station.signs for station in DEMO.stations] == [True, False, True]
    assert all("signature" not in message.header for message in spooled(tmp_path, 1))
    assert {key.station for key in registered(DEMO)} == {"SIM-K2310", "SIM-K0019"}
    assert len({key.ed25519 for key in registered(DEMO)}) == len(registered(DEMO))


def test_a_station_that_signs_sends_no_unsigned_faults(tmp_path: Path) -> None:
    text = (SCENARIOS / "faults.toml").read_text().replace("[station.site]", "signs = true\n[station.site]")
    (tmp_path / "both.toml").write_text(text)
    with pytest.raises(ConfigurationError, match="not both"):
        load_scenario(str(tmp_path / "both.toml"))
