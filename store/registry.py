"""The registry in the database: loaded from a file, looked up as of the passage, never as of now.

A fact's days are local days in Asia/Shanghai, as on the certificate and the announcement; a moment
belongs to the day it has there. Loading adds and updates; it deletes nothing, because passages of
the past still depend on it. A fact ends by its `valid_to`.
"""

import base64
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from domain.device_signatures import DeviceKey, SignaturePolicy
from domain.errors import ConfigurationError
from domain.ids import DeviceId, StationId
from domain.registry import StationContext
from store.connection import Connection
from store.registry_file import RegistryFile, parse_registry, read_registry

__all__ = [
    "LOCAL_TIME",
    "KnownDevice",
    "RegistryFile",
    "contexts_at",
    "device_keys",
    "known_devices",
    "load_registry",
    "local_day",
    "parse_registry",
    "read_registry",
]

LOCAL_TIME = ZoneInfo("Asia/Shanghai")


class KnownDevice(NamedTuple):
    """What ingest needs to know of a registered device; days inclusive."""

    kind: str
    decoder: str
    valid_from: date
    valid_to: date | None
    signature: SignaturePolicy = SignaturePolicy.IF_KEYED
    unsigned_until: datetime | None = None
    """Until when what it captured before its first key may arrive unsigned."""


def local_day(moment: datetime) -> date:
    """Return the day `moment` belongs to in China: the day that validity is judged by."""
    return moment.astimezone(LOCAL_TIME).date()


async def load_registry(conn: Connection, registry: RegistryFile) -> None:
    """Write every entry of the file, in the caller's transaction; loading twice changes nothing.

    Raises
    ------
    ConfigurationError
        An entry refers to a site, station or device that neither the file nor the database has; two
        entries of one site hold on one day; a station is moved to another site; a key's id is given to
        another key; one key is given to two devices or under two ids; or a revocation is taken back.
    """
    officers = [{"officer_id": officer.officer_id, "name": officer.name} for officer in registry.officers]
    licences = [
        {"officer_id": officer.officer_id} | licence.model_dump()
        for officer in registry.officers
        for licence in officer.licences
    ]
    tables = (
        ("site", ["site_id"], [{"site_id": entry.site_id} for entry in registry.sites]),
        ("site_facts", ["site_id", "valid_from"], [entry.model_dump() for entry in registry.sites]),
        ("station", ["station_id"], [entry.model_dump() for entry in registry.stations]),
        ("device", ["station_id", "device_id"], [entry.model_dump() for entry in registry.devices]),
        (
            "device_key",
            ["station_id", "device_id", "key_id"],
            [entry.model_dump() | {"public_key": entry.public_key} for entry in registry.device_keys],
        ),
        (
            "certificate",
            ["station_id", "device_id", "number"],
            [entry.model_dump() for entry in registry.certificates],
        ),
        ("announcement", ["site_id", "number"], [entry.model_dump() for entry in registry.announcements]),
        ("legal_basis", ["site_id", "valid_from"], [entry.model_dump() for entry in registry.legal_basis]),
        ("officer", ["officer_id"], officers),
        ("officer_licence", ["officer_id", "number"], licences),
    )
    await conn.execute("LOCK TABLE site_facts, station IN SHARE ROW EXCLUSIVE MODE")
    await _refuse_moves(conn, registry)
    await _refuse_other_keys(conn, registry)
    await _refuse_pardons(conn, registry)
    try:
        for table, key, rows in tables:
            await _upsert(conn, table, key, rows)
    except psycopg.IntegrityError as error:
        raise ConfigurationError(
            f"the registry does not fit together: {error.diag.message_primary} "
            f"({error.diag.message_detail}); correct the entry or add what it refers to"
        ) from error
    await _refuse_overlaps(conn)


async def _refuse_moves(conn: Connection, registry: RegistryFile) -> None:
    """Refuse to move a station: passages of its days at the old site may still wait in its spool."""
    cursor = await conn.execute("SELECT station_id, site_id FROM station")
    stands: dict[str, str] = dict(await cursor.fetchall())
    for station in registry.stations:
        there = stands.get(station.station_id, station.site_id)
        if there != station.site_id:
            raise ConfigurationError(
                f"station {station.station_id} stands at {there} and cannot move to {station.site_id}: "
                "its earlier passages would be judged by the new site; give it a new station_id"
            )


async def _refuse_other_keys(conn: Connection, registry: RegistryFile) -> None:
    """Refuse another key under a known id, and a known key under another: which would be revoked?"""
    cursor = await conn.execute("SELECT station_id, device_id, key_id, public_key FROM device_key")
    there = {tuple(row[:3]): bytes(row[3]) for row in await cursor.fetchall()}
    known = frozenset(there)
    owners = {public_key: name for name, public_key in there.items()}
    for key in registry.device_keys:
        name, who = (key.station_id, key.device_id, key.key_id), f"device {key.station_id}/{key.device_id}"
        if there.setdefault(name, key.public_key) != key.public_key:
            raise ConfigurationError(
                f"{who}: another key is registered as {key.key_id}; "
                "give the new key a new key_id, and the old one a valid_to"
            )
        owner = owners.setdefault(key.public_key, name)
        if owner != name and name not in known:
            raise ConfigurationError(
                f"{who}: the key {key.key_id} is registered already as {' '.join(owner)}: revoked there, it "
                "would go on signing here; let each device make its own, and a new one at each change"
            )


async def _refuse_pardons(conn: Connection, registry: RegistryFile) -> None:
    """Refuse to take a revocation back, or to put it off: an older file would let a thief in again."""
    cursor = await conn.execute(
        "SELECT station_id, device_id, key_id, revoked_at FROM device_key WHERE revoked_at IS NOT NULL"
    )
    revoked = {tuple(row[:3]): row[3] for row in await cursor.fetchall()}
    for key in registry.device_keys:
        since = revoked.get((key.station_id, key.device_id, key.key_id))
        if since is not None and (key.revoked_at is None or key.revoked_at > since):
            raise ConfigurationError(
                f"device {key.station_id}/{key.device_id}: the key {key.key_id} is revoked since "
                f"{since.isoformat()}, and that stands; keep its revoked_at, and give the device a new key"
            )


async def _refuse_overlaps(conn: Connection) -> None:
    """Refuse two accounts of one site on one day: nobody could say later which limit held."""
    cursor = await conn.execute(
        """
        SELECT a.site_id, a.valid_from, b.valid_from FROM site_facts AS a JOIN site_facts AS b USING (site_id)
        WHERE a.valid_from < b.valid_from AND b.valid_from <= coalesce(a.valid_to, 'infinity')
        ORDER BY 1, 2, 3 LIMIT 1
        """
    )
    found = await cursor.fetchone()
    if found is not None:
        site, earlier, later = found
        raise ConfigurationError(
            f"site {site}: the entry from {earlier} still holds when the one from {later} begins; "
            f"give the earlier one a valid_to before {later}"
        )


async def known_devices(conn: Connection) -> dict[tuple[StationId, DeviceId], KnownDevice]:
    """Return every registered device."""
    cursor = await conn.execute(
        """
        SELECT station_id, device_id, kind, decoder, valid_from, valid_to, signature, unsigned_until
        FROM device
        """
    )
    return {
        (row[0], row[1]): KnownDevice(row[2], row[3], row[4], row[5], SignaturePolicy(row[6]), row[7])
        for row in await cursor.fetchall()
    }


async def device_keys(
    conn: Connection, devices: Iterable[tuple[StationId, DeviceId]]
) -> dict[tuple[StationId, DeviceId], tuple[DeviceKey, ...]]:
    """Return all keys ever registered for these devices; a device without one is left out."""
    wanted = sorted(set(devices))
    if not wanted:
        return {}
    cursor = await conn.execute(
        """
        SELECT station_id, device_id, key_id, public_key, valid_from, valid_to, revoked_at FROM device_key
        WHERE (station_id, device_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
        ORDER BY valid_from, key_id
        """,
        [list(column) for column in zip(*wanted, strict=True)],
    )
    found: dict[tuple[StationId, DeviceId], tuple[DeviceKey, ...]] = {}
    for station, device, key_id, public_key, valid_from, valid_to, revoked_at in await cursor.fetchall():
        key = DeviceKey(
            station=station,
            device=device,
            key_id=key_id,
            ed25519=base64.b64encode(public_key).decode(),
            valid_from=valid_from,
            valid_to=valid_to,
            revoked_at=revoked_at,
        )
        found[station, device] = (*found.get((station, device), ()), key)
    return found


async def contexts_at(
    conn: Connection, wanted: Sequence[tuple[StationId, DeviceId, datetime]]
) -> list[StationContext | None]:
    """Return what was in force at each moment for each device, in the order asked.

    None where the device was not registered on that day, or nothing is known of its site then. Where
    several certificates, announcements or legal bases hold on one day, the one that began last does.
    """
    keys = [(station, device, local_day(moment)) for station, device, moment in wanted]
    distinct = list(dict.fromkeys(keys))
    cursor = await conn.execute(
        _CONTEXTS, [[key[column] for key in distinct] for column in range(3)] if distinct else [[], [], []]
    )
    found: dict[tuple[StationId, DeviceId, date], StationContext] = {}
    for station, device, day, site, certificate, announcement, legal_basis in await cursor.fetchall():
        found[station, device, day] = StationContext.model_validate(
            {
                "station": station,
                "device": device,
                "site": site,
                "certificate": certificate,
                "announcement": announcement,
                "legal_basis": legal_basis,
            }
        )
    return [found.get(key) for key in keys]


_CONTEXTS = """
SELECT wanted.station_id, wanted.device_id, wanted.day,
       to_jsonb(site), certificate.fact, announcement.fact, legal_basis.fact
FROM unnest(%s::text[], %s::text[], %s::date[]) AS wanted (station_id, device_id, day)
JOIN device ON device.station_id = wanted.station_id AND device.device_id = wanted.device_id
    AND wanted.day BETWEEN device.valid_from AND coalesce(device.valid_to, 'infinity')
JOIN station ON station.station_id = wanted.station_id
JOIN site_facts AS site ON site.site_id = station.site_id
    AND wanted.day BETWEEN site.valid_from AND coalesce(site.valid_to, 'infinity')
LEFT JOIN LATERAL (
    SELECT to_jsonb(c) - '{station_id,device_id}'::text[] || jsonb_build_object('device', c.device_id) AS fact
    FROM certificate AS c
    WHERE c.station_id = wanted.station_id AND c.device_id = wanted.device_id
        AND wanted.day BETWEEN c.valid_from AND c.valid_to
    ORDER BY c.valid_from DESC, c.number LIMIT 1
) AS certificate ON true
LEFT JOIN LATERAL (
    SELECT to_jsonb(a) - 'site_id' AS fact FROM announcement AS a
    WHERE a.site_id = site.site_id
        AND wanted.day BETWEEN a.in_force_from AND coalesce(a.in_force_to, 'infinity')
    ORDER BY a.in_force_from DESC, a.number LIMIT 1
) AS announcement ON true
LEFT JOIN LATERAL (
    SELECT to_jsonb(b) - 'site_id' AS fact FROM legal_basis AS b
    WHERE b.site_id = site.site_id
        AND wanted.day BETWEEN b.valid_from AND coalesce(b.valid_to, 'infinity')
    ORDER BY b.valid_from DESC LIMIT 1
) AS legal_basis ON true
"""


async def _upsert(conn: Connection, table: str, key: list[str], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    columns = list(rows[0])
    changed = [column for column in columns if column not in key]
    statement = sql.SQL("INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT ({key}) DO {action}")
    async with conn.cursor() as cursor:
        await cursor.executemany(
            statement.format(
                table=sql.Identifier(table),
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                values=sql.SQL(", ").join(map(sql.Placeholder, columns)),
                key=sql.SQL(", ").join(map(sql.Identifier, key)),
                action=sql.SQL("UPDATE SET {}").format(
                    sql.SQL(", ").join(
                        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in changed
                    )
                )
                if changed
                else sql.SQL("NOTHING"),
            ),
            rows,
        )
