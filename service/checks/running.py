"""Checks of what must answer: the database with its schema and registry, and the broker."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from domain.completeness import known_profiles
from domain.errors import ZhichaoError
from service.checks.finding import Finding, fine, warning, wrong
from service.settings import BrokerKind, Settings
from store.accounts import demo_accounts
from store.connection import Connection
from store.drift import alarms
from store.hits import incomplete_hits
from store.inspect import database_facts, objections
from store.jobs import count_jobs
from store.migrate import pending_migrations

_BROKER_WITHIN_S = 3.0
_CLOCK_TOLERANCE = timedelta(seconds=2)
_LOOK_BACK = timedelta(days=7)
_MOST_NAMED = 1000
_DECIDE_TOGETHER = 2
"""Officers who must decide a case (行政处罚法 Art. 42)."""


async def check_broker(settings: Settings) -> list[Finding]:
    """Find a broker that does not answer at its address."""
    address = f"{settings.broker_host}:{settings.broker_port}"
    try:
        async with asyncio.timeout(_BROKER_WITHIN_S):
            _, writer = await asyncio.open_connection(settings.broker_host, settings.broker_port)
            writer.close()
    except (OSError, TimeoutError) as error:
        if settings.broker_kind is BrokerKind.EMBEDDED:
            return [
                warning("broker", f"the embedded broker at {address} is not running", "start `zhichao serve`")
            ]
        return [
            wrong(
                "broker",
                f"nothing answers at {address} ({error or 'no answer in time'})",
                "start the broker, or correct ZHICHAO_BROKER_HOST and ZHICHAO_BROKER_PORT",
            )
        ]
    return [fine("broker", f"answers at {address}")]


async def check_database(conn: Connection) -> list[Finding]:
    """Find what is wrong with the database itself; a schema that is not there ends the list."""
    found = await _facts(conn) + await _clock(conn)
    try:
        pending = await pending_migrations(conn)
    except ZhichaoError as error:
        return [*found, wrong("schema", str(error), "run the version that made this schema")]
    if pending:
        return [
            *found,
            wrong("schema", f"migrations not applied: {', '.join(pending)}", "run `zhichao migrate`"),
        ]
    found.append(fine("schema", "up to date"))
    for check in (_partitions, _jobs, _evidence, _accounts, _registry, _drift):
        found += await check(conn)
    return found


async def _facts(conn: Connection) -> list[Finding]:
    facts = await database_facts(conn)
    found = objections(facts)
    if found:
        return [wrong("database", *objection.split("; ", 1)) for objection in found]
    return [fine("database", f"PostgreSQL {facts.version}, {facts.encoding}, ctype {facts.ctype}")]


async def _clock(conn: Connection) -> list[Finding]:
    before = datetime.now(UTC)
    cursor = await conn.execute("SELECT clock_timestamp()")
    row = await cursor.fetchone()
    now = datetime.now(UTC)
    if row is not None and before - _CLOCK_TOLERANCE <= row[0] <= now + _CLOCK_TOLERANCE:
        return [fine("clock", "this machine and the database agree")]
    there = row[0].isoformat() if row else "unknown"
    return [
        wrong(
            "clock",
            f"this machine says {now.isoformat()}, the database {there}",
            "synchronise both by NTP; deadlines and time stamps depend on it",
        )
    ]


async def _partitions(conn: Connection) -> list[Finding]:
    next_month = (datetime.now(UTC).replace(day=1) + timedelta(days=32)).date()
    cursor = await conn.execute(
        "SELECT relkind <> 'p' OR to_regclass(%s) IS NOT NULL FROM pg_class WHERE oid = 'passage'::regclass",
        [f"passage_{next_month:%Y_%m}"],
    )
    row = await cursor.fetchone()
    if row is not None and row[0]:
        return [fine("partitions", "made ahead")]
    return [
        wrong("partitions", f"none for {next_month:%Y-%m}", "run `zhichao migrate`; workers do so hourly too")
    ]


async def _drift(conn: Connection) -> list[Finding]:
    """Find lanes whose drift alarm is on; what weighed under an older calibration is history."""
    return [
        warning(
            "drift",
            f"{one.watched.station}/{one.watched.device}, lane {one.watched.lane}: alarm on since "
            f"{one.since:%Y-%m-%d} under {one.watched.basis}; its passages are statistics only",
            "weigh passes again, then install the new calibration, or enter the new certificate",
        )
        for one in await alarms(conn)
    ] or [fine("drift", "no lane's alarm is on")]


async def _jobs(conn: Connection) -> list[Finding]:
    failed = (await count_jobs(conn))["failed"]
    if not failed:
        return [fine("jobs", "none has failed for good")]
    return [
        warning(
            "jobs",
            f"{failed} were given up",
            "see `zhichao jobs list` for why, mend it, then `zhichao jobs retry`",
        )
    ]


async def _evidence(conn: Connection) -> list[Finding]:
    lacking = await incomplete_hits(conn, since=datetime.now(UTC) - _LOOK_BACK, limit=_MOST_NAMED)
    if not lacking:
        return []
    codes = Counter(code for hit in lacking for code in hit.missing)
    named = ", ".join(f"{code} {times} x" for code, times in sorted(codes.items()))
    stations = ", ".join(sorted({hit.station for hit in lacking}))
    count = f"{len(lacking)} or more" if len(lacking) == _MOST_NAMED else str(len(lacking))
    return [
        warning(
            "evidence",
            f"{count} flagged passages of the last {_LOOK_BACK.days} days make no case, captures missing: "
            f"{named} (stations: {stations})",
            "see to the cameras of these stations, and whether captures stay unpaired",
        )
    ]


async def _accounts(conn: Connection) -> list[Finding]:
    names = await demo_accounts(conn)
    if names:
        return [
            wrong(
                "accounts",
                f"demo accounts exist: {', '.join(names)}; `zhichao serve` refuses to start",
                "use another database for real work; this one belongs to `make run`",
            )
        ]
    return []


async def _registry(conn: Connection) -> list[Finding]:
    found = []
    cursor = await conn.execute(
        "SELECT DISTINCT site_id, completeness_profile FROM site_facts "
        "WHERE coalesce(valid_to, 'infinity') >= (now() AT TIME ZONE 'Asia/Shanghai')::date ORDER BY 1, 2"
    )
    sites = await cursor.fetchall()
    cursor = await conn.execute("SELECT EXISTS (SELECT FROM site)")
    if await cursor.fetchone() == (False,):
        return [warning("registry", "empty: every message is refused", "run `zhichao registry load FILE`")]
    for site, name in sites:
        profile = known_profiles().get(name)
        if profile is None or profile.for_tests_only:
            found.append(
                wrong(
                    f"site {site}",
                    f"completeness profile {name!r} is not for evidence",
                    "set completeness_profile to a profile for evidence, and load the registry again",
                )
            )
    found += [
        warning(
            f"site {site}",
            f"no {what} today: {consequence}",
            "add it to the registry file and load it",
        )
        for site, what, consequence in await _not_in_force(conn)
    ]
    found += await _exact_instruments(conn) + await _reviewers(conn)
    return found or [fine("registry", f"{len(sites)} sites may make cases today")]


async def _exact_instruments(conn: Connection) -> list[Finding]:
    cursor = await conn.execute(
        """
        SELECT station_id, device_id, number FROM certificate
        WHERE mpe_in_service_ppm = 0 AND valid_to >= (now() AT TIME ZONE 'Asia/Shanghai')::date
        ORDER BY 1, 2, 3
        """
    )
    return [
        wrong(
            f"certificate {number}",
            f"{station}/{device} has a maximum permissible error of 0: nothing is taken off what it weighs",
            "enter the error in service of the certificate's class and load the registry again",
        )
        for station, device, number in await cursor.fetchall()
    ]


async def _reviewers(conn: Connection) -> list[Finding]:
    cursor = await conn.execute(
        """
        SELECT count(DISTINCT officer_id) FROM account JOIN officer_licence AS licence USING (officer_id)
        WHERE NOT disabled AND role IN ('reviewer', 'supervisor')
            AND (now() AT TIME ZONE 'Asia/Shanghai')::date BETWEEN licence.valid_from AND licence.valid_to
        """
    )
    ((licensed,),) = await cursor.fetchall()
    if licensed >= _DECIDE_TOGETHER:
        return []
    return [
        warning(
            "reviewers",
            f"{licensed} officers with a licence valid today can sign in: deciding a case takes two",
            "add officers with licences to the registry, and accounts by `zhichao account create --officer`",
        )
    ]


async def _not_in_force(conn: Connection) -> list[tuple[str, str, str]]:
    cursor = await conn.execute(_NOT_IN_FORCE)
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


_NOT_IN_FORCE = """
WITH today AS (SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date AS day)
SELECT site_id, 'entry of its own holds', 'its messages are refused' FROM site, today WHERE NOT EXISTS (
    SELECT FROM site_facts AS s WHERE s.site_id = site.site_id
        AND day BETWEEN s.valid_from AND coalesce(s.valid_to, 'infinity'))
UNION ALL
SELECT site_id, 'announcement is in force', 'its passages are statistics only'
FROM site, today WHERE NOT EXISTS (
    SELECT FROM announcement AS a WHERE a.site_id = site.site_id
        AND day BETWEEN a.in_force_from AND coalesce(a.in_force_to, 'infinity'))
UNION ALL
SELECT site_id, 'legal basis is in force', 'its passages are statistics only'
FROM site, today WHERE NOT EXISTS (
    SELECT FROM legal_basis AS b WHERE b.site_id = site.site_id
        AND day BETWEEN b.valid_from AND coalesce(b.valid_to, 'infinity'))
UNION ALL
SELECT site_id, 'verification certificate of ' || device_id || ' is in force',
    'its passages are statistics only'
FROM site JOIN station USING (site_id) JOIN device USING (station_id), today
WHERE kind IN ('wim', 'gateway') AND NOT EXISTS (
    SELECT FROM certificate AS c WHERE c.station_id = device.station_id AND c.device_id = device.device_id
        AND day BETWEEN c.valid_from AND c.valid_to)
ORDER BY 1, 2
"""
