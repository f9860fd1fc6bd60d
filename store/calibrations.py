"""Calibration states in the database: installed once, looked up as of the passage, never changed or deleted.

What a state says is for `weigh`; here it is a document with a digest.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from domain.errors import ConfigurationError, EvidenceBroken
from domain.ids import DeviceId, Sha256, StationId, sha256_of
from store.connection import Connection


class LaneAt(NamedTuple):
    """A lane of a weighing device at a moment."""

    station: StationId
    device: DeviceId
    lane: int
    moment: datetime


class InstalledState(NamedTuple):
    """One version of a lane's calibration."""

    station: StationId
    device: DeviceId
    lane: int
    version: int
    valid_from: datetime
    digest: Sha256
    document: dict[str, Any]


async def install_state(conn: Connection, state: InstalledState, *, not_before: datetime) -> bool:
    """Install a state, in the caller's transaction; return False where it was installed before.

    Raises
    ------
    ConfigurationError
        The device is not registered, the version was used for another state or is not the next higher
        one, or it would begin before the one in force or before `not_before`: what passed then was weighed
        without it, and what comes late would be weighed by figures that were found afterwards.
    """
    await conn.execute("LOCK TABLE calibration_state IN SHARE ROW EXCLUSIVE MODE")
    cursor = await conn.execute(
        """
        SELECT version, digest, valid_from FROM calibration_state
        WHERE station_id = %s AND device_id = %s AND lane = %s ORDER BY version
        """,
        [state.station, state.device, state.lane],
    )
    known = {version: (digest, valid_from) for version, digest, valid_from in await cursor.fetchall()}
    if known.get(state.version, (None,))[0] == state.digest:
        return False
    _refuse_misfit(state, known)
    if state.valid_from < not_before:
        raise ConfigurationError(
            f"{state.station}/{state.device}, lane {state.lane}: version {state.version} would be valid from "
            f"{state.valid_from:%Y-%m-%d %H:%M:%S} UTC, in the past; a calibration weighs what comes after: "
            f"fit it with --valid-from {not_before:%Y-%m-%dT%H:%M:%SZ} or later"
        )
    try:
        await conn.execute(
            """
            INSERT INTO calibration_state (station_id, device_id, lane, version, valid_from, digest, document)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            """,
            [*state[:6], Jsonb(state.document)],
        )
    except psycopg.errors.ForeignKeyViolation:
        raise ConfigurationError(
            f"{state.station}/{state.device} is not registered; load it into the registry first"
        ) from None
    return True


def _refuse_misfit(state: InstalledState, known: dict[int, tuple[str, datetime]]) -> None:
    name = f"{state.station}/{state.device}, lane {state.lane}"
    if state.version in known:
        raise ConfigurationError(
            f"{name}: version {state.version} was installed with other figures, and passages name it; "
            "give what is new a higher version"
        )
    if not known:
        return
    last = max(known)
    if state.version < last:
        raise ConfigurationError(f"{name}: version {last} is installed already; a new state has a higher one")
    begins = known[last][1]
    if state.valid_from <= begins:
        raise ConfigurationError(
            f"{name}: version {last} is valid from {begins:%Y-%m-%d %H:%M:%S} UTC; a new state begins later"
        )


async def states_at(conn: Connection, wanted: Sequence[LaneAt]) -> list[InstalledState | None]:
    """Return the state in force for each lane at its moment, in the order asked; None where there is none."""
    if not wanted:
        return []
    distinct = list(dict.fromkeys(wanted))
    cursor = await conn.execute(
        """
        SELECT wanted.place, state.station_id, state.device_id, state.lane, state.version, state.valid_from,
            state.digest, state.document
        FROM unnest(%s::text[], %s::text[], %s::int[], %s::timestamptz[])
            WITH ORDINALITY AS wanted (station_id, device_id, lane, moment, place)
        JOIN LATERAL (
            SELECT * FROM calibration_state AS c
            WHERE c.station_id = wanted.station_id AND c.device_id = wanted.device_id
                AND c.lane = wanted.lane AND c.valid_from <= wanted.moment
            ORDER BY c.version DESC LIMIT 1
        ) AS state ON true
        """,
        [[one[column] for one in distinct] for column in range(4)],
    )
    found = {distinct[row[0] - 1]: InstalledState(*row[1:]) for row in await cursor.fetchall()}
    return [found.get(one) for one in wanted]


class KeptState(NamedTuple):
    """A calibration as it goes into evidence."""

    document: dict[str, Any]
    installed_at: datetime


async def kept_state(
    conn: Connection, station: StationId, device: DeviceId, lane: int, version: int
) -> KeptState:
    """Return a version that a passage was weighed with.

    Raises
    ------
    EvidenceBroken
        It is gone, or is not the one that was installed.
    """
    cursor = await conn.execute(
        """
        SELECT document, digest, installed_at FROM calibration_state
        WHERE station_id = %s AND device_id = %s AND lane = %s AND version = %s
        """,
        [station, device, lane, version],
    )
    row = await cursor.fetchone()
    name = f"calibration {version} of {station}/{device}, lane {lane}"
    if row is None:
        raise EvidenceBroken(f"the {name} is gone; restore it from a backup")
    document: dict[str, Any] = row[0]
    if _digest_of(document) != row[1]:
        raise EvidenceBroken(f"the {name} has other figures than were installed; restore it from a backup")
    return KeptState(document, row[2])


def _digest_of(document: dict[str, Any]) -> Sha256:
    """Return the SHA-256 of the one spelling of a document of integers and strings (RFC 8785)."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256_of(text.encode())
