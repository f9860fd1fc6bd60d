"""Calibration states are history; drift samples count once, whoever counts them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import ConfigurationError, EvidenceBroken
from domain.ids import DeviceId, StationId, sha256_of
from store import calibrations
from store.calibrations import InstalledState, LaneAt, kept_state, states_at
from store.connection import Connection, connect
from store.drift import Watched, alarmed, alarms, drift_states, keep_drift, take_samples
from store.intake import store_batch
from store.registry import load_registry, parse_registry
from tests.integration.store.messages import REGISTRY, SCALE, STATION, T0, batch, passage, with_registry

pytestmark = pytest.mark.anyio

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LANE_1 = Watched(STATION, SCALE, 1, "calibration:1")


def state(version: int, *, begins: datetime = BEGIN, lane: int = 1, text: str = "a") -> InstalledState:
    document = {"version": version, "text": text}
    digest = sha256_of(f'{{"text":"{text}","version":{version}}}'.encode())
    return InstalledState(STATION, SCALE, lane, version, begins, digest, document)


async def install_state(conn: Connection, installed: InstalledState) -> bool:
    """Install a state on the day it begins."""
    return await calibrations.install_state(conn, installed, not_before=installed.valid_from)


async def test_a_passage_is_weighed_with_the_state_of_its_time(connection: Connection) -> None:
    conn = await with_registry(connection)
    first, second = state(1), state(2, begins=BEGIN + timedelta(days=30), text="b")
    other_lane = state(1, lane=2, begins=BEGIN + timedelta(days=10), text="c")
    for one in (first, other_lane, second):
        assert await install_state(conn, one)
    asked = [
        LaneAt(STATION, SCALE, lane, BEGIN + timedelta(days=days))
        for lane, days in ((1, 40), (1, 29), (1, 30), (1, -1), (2, 9), (2, 40), (3, 40), (1, 29))
    ]
    assert await states_at(conn, asked) == [
        second, first, second, None, None, other_lane, None, first,
    ]  # fmt: skip
    assert await states_at(conn, []) == []
    kept = await kept_state(conn, STATION, SCALE, 1, 1)
    assert kept.document == first.document
    assert abs(kept.installed_at - datetime.now(UTC)) < timedelta(hours=1)


async def test_a_state_does_not_begin_before_it_was_installed(connection: Connection) -> None:
    conn = await with_registry(connection)
    today = BEGIN + timedelta(days=30)
    with pytest.raises(ConfigurationError, match=r"in the past; .* --valid-from 2026-03-31T00:00:00Z"):
        await calibrations.install_state(conn, state(1), not_before=today)
    assert await states_at(conn, [LaneAt(STATION, SCALE, 1, today)]) == [None]
    assert await calibrations.install_state(conn, state(1, begins=today), not_before=today)
    # Once installed it stays what it is, whatever day it is installed again.
    later = today + timedelta(days=1)
    assert not await calibrations.install_state(conn, state(1, begins=today), not_before=later)


async def test_installing_twice_changes_nothing(connection: Connection) -> None:
    conn = await with_registry(connection)
    assert await install_state(conn, state(1))
    assert not await install_state(conn, state(1))
    assert await install_state(conn, state(2, begins=BEGIN + timedelta(days=1)))
    assert not await install_state(conn, state(1))


async def test_a_state_that_was_altered_or_lost_weighs_in_no_package(connection: Connection) -> None:
    conn = await with_registry(connection)
    await install_state(conn, state(1))
    with pytest.raises(EvidenceBroken, match="calibration 2 of S1/wim-1, lane 1 is gone"):
        await kept_state(conn, STATION, SCALE, 1, 2)
    await conn.execute('UPDATE calibration_state SET document = document || \'{"text": "b"}\'')
    with pytest.raises(EvidenceBroken, match="has other figures than were installed"):
        await kept_state(conn, STATION, SCALE, 1, 1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            state(3, text="other", begins=BEGIN + timedelta(days=9)),
            "version 3 was installed with other figures",
        ),
        (state(2, begins=BEGIN + timedelta(days=9)), "version 3 is installed already"),
        (state(4), "valid from 2026-03-01 00:00:00 UTC; a new state begins later"),
    ],
)
async def test_history_is_not_rewritten(connection: Connection, wrong: InstalledState, words: str) -> None:
    conn = await with_registry(connection)
    await install_state(conn, state(3))
    with pytest.raises(ConfigurationError, match=words):
        await install_state(conn, wrong)


async def test_a_state_needs_a_registered_device(connection: Connection) -> None:
    conn = await with_registry(connection)
    stranger = state(1)._replace(station=StationId("S9"), device=DeviceId("wim-9"))
    with pytest.raises(ConfigurationError, match="S9/wim-9 is not registered"):
        await install_state(conn, stranger)


async def test_a_front_axle_counts_once_though_it_is_sent_twice(connection: Connection) -> None:
    row = replace(passage(1), drift_basis="calibration:1")
    later = replace(passage(2, at=T0 + timedelta(seconds=5)), drift_basis="calibration:1")
    await store_batch(connection, batch(later, row, passage(3)))
    await store_batch(connection, batch(row))
    taken = await take_samples(connection)
    assert [(one.captured_at, one.steer_kg) for one in taken[LANE_1]] == [
        (T0, 7_000),
        (T0 + timedelta(seconds=5), 7_000),
    ]
    assert await take_samples(connection) == {}


async def test_two_counters_do_not_share_axles(database_url: str, connection: Connection) -> None:
    await store_batch(connection, batch(replace(passage(1), drift_basis="calibration:1")))
    await connection.commit()
    async with await connect(database_url) as other:
        assert len(await take_samples(connection)) == 1
        assert await take_samples(other) == {}
        await connection.rollback()  # a killed counter: its axles wait again
        assert len(await take_samples(other)) == 1


async def test_an_alarm_stands_for_its_own_calibration(connection: Connection) -> None:
    conn = await with_registry(connection)
    next_one = LANE_1._replace(basis="calibration:2")
    await keep_drift(conn, LANE_1, {"n": 1}, alarm_since=None)
    assert await alarmed(conn, [LANE_1]) == set()
    await keep_drift(conn, LANE_1, {"n": 2}, alarm_since=T0)
    await keep_drift(conn, LANE_1, {"n": 3}, alarm_since=T0 + timedelta(days=1))
    await keep_drift(conn, next_one, {"n": 1}, alarm_since=None)
    assert await alarmed(conn, [LANE_1, next_one]) == {LANE_1}
    assert [(one.watched, one.since) for one in await alarms(conn)] == [(LANE_1, T0)]
    await install_state(conn, state(1))
    await install_state(conn, state(2, begins=BEGIN + timedelta(days=1), text="b"))
    assert await alarms(conn) == []  # it is history
    assert await alarmed(conn, [LANE_1]) == {LANE_1}  # of which passages may still come from a spool
    old = LANE_1._replace(basis="certificate:C-2026-1")
    await keep_drift(conn, old, {}, alarm_since=T0)
    assert [one.watched for one in await alarms(conn)] == [old]
    later = REGISTRY.replace('number = "C-2026-1"', 'number = "C-2026-2"').replace("2026-03-01", "2026-04-01")
    await load_registry(conn, parse_registry(later))
    assert await alarms(conn) == []
    assert await drift_states(conn, [LANE_1, next_one]) == {LANE_1: {"n": 3}, next_one: {"n": 1}}
