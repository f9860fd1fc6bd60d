"""The commands `zhichao retention`, `zhichao evidence hold`, `release` and `holds`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import click

from domain.retention import OF_HITS
from service.command import explained, read_password, read_settings, run_to_end
from service.holding import hold, release
from service.keys import ensure_keys
from service.officer_at_hand import ActingOfficer, acting_officer
from service.reach import database_of
from service.retention import Due, Keeper, Round, retain, what_is_due
from service.settings import Settings
from store.blobs import BlobStore
from store.connection import Pool, open_pool
from store.holds import Hold, HoldKind, holds
from store.migrate import migrate
from store.transactions import transaction

_REASON = click.option("--reason", required=True, help="Why, as it stands in the log for ever.")
_OFFICER = click.option("--officer", required=True, help="Account of the officer who signs for it.")


@click.command("retention")
@click.option("--dry-run", is_flag=True, help="Only say what would go, by rule.")
@click.option("--officer", help="Account of the officer who deletes evidence, and signs for it.")
@explained
def retention_command(dry_run: bool, officer: str | None) -> None:
    """Delete what has reached the end of its retention.

    The rules are settings (ZHICHAO_RETENTION_...). What never was evidence, the workers erase every hour by
    themselves. Evidence (packages, their images, plates) goes only here, by an officer who signs for it
    with their own key; the password is asked for, or read as one line from standard input. Nothing under a
    legal hold goes. Weights, decisions and the log stay.
    """
    settings = read_settings()
    signing = None if officer is None or dry_run else (officer, read_password(f"Password of {officer}"))
    due, done = run_to_end(_retain(settings, signing, dry_run=dry_run))
    for one in due:
        click.echo(_due_line(one))
    if done is not None:
        click.echo(f"deleted: {done.text}")


@click.command("hold")
@click.argument("name", metavar="ID")
@click.option("--vehicle", is_flag=True, help="ID is a plate: every passage at which it was read or typed.")
@click.option("--quarantine", is_flag=True, help="ID is a number in quarantine.")
@_REASON
@_OFFICER
@explained
def hold_command(name: str, vehicle: bool, quarantine: bool, reason: str, officer: str) -> None:
    """Place a legal hold on the case, event or package ID: no rule deletes what it covers.

    It is an act of the officer, signed with their own key and put into the log; the password is asked for.
    """
    kind = HoldKind.VEHICLE if vehicle else HoldKind.QUARANTINE if quarantine else None
    placed = run_to_end(
        _hold(
            read_settings(),
            name,
            kind,
            reason=reason,
            officer=officer,
            password=read_password(f"Password of {officer}"),
        )
    )
    click.echo(_hold_line(placed))


@click.command("release")
@click.argument("hold_id", metavar="HOLD", type=int)
@_REASON
@_OFFICER
@explained
def release_command(hold_id: int, reason: str, officer: str) -> None:
    """Release the legal hold of the number HOLD (`zhichao evidence holds`); signed as `hold` is."""
    released = run_to_end(
        _release(read_settings(), hold_id, reason, officer, read_password(f"Password of {officer}"))
    )
    click.echo(_hold_line(released))


@click.command("holds")
@click.option("--all", "released", is_flag=True, help="Those released too.")
@explained
def holds_command(released: bool) -> None:
    """List the legal holds in force."""
    found = run_to_end(_holds(read_settings(), released=released))
    click.echo("\n".join(map(_hold_line, found)) or "there is no legal hold")


async def _retain(
    settings: Settings, signing: tuple[str, str] | None, *, dry_run: bool
) -> tuple[list[Due], Round | None]:
    now = datetime.now(UTC)
    async with _database(settings) as pool:
        due = await what_is_due(pool, settings.retention, now)
        if dry_run:
            return due, None
        service = ensure_keys(settings).service
        acting = None if signing is None else await _acting(pool, settings, *signing)
        blobs = BlobStore(settings.blob_root)
        keeper = Keeper(pool, blobs, settings.evidence_root, settings.retention, service, acting)
        return due, await retain(keeper, now)


async def _hold(
    settings: Settings, name: str, kind: HoldKind | None, *, reason: str, officer: str, password: str
) -> Hold:
    async with _database(settings) as pool:
        acting = await _acting(pool, settings, officer, password)
        service, now = ensure_keys(settings).service, datetime.now(UTC)
        async with transaction(pool) as conn:
            return await hold(conn, name, kind, reason=reason, officer=acting, service=service, now=now)


async def _release(settings: Settings, hold_id: int, reason: str, officer: str, password: str) -> Hold:
    async with _database(settings) as pool:
        acting = await _acting(pool, settings, officer, password)
        service, now = ensure_keys(settings).service, datetime.now(UTC)
        async with transaction(pool) as conn:
            return await release(conn, hold_id, reason=reason, officer=acting, service=service, now=now)


async def _holds(settings: Settings, *, released: bool) -> list[Hold]:
    async with _database(settings) as pool, transaction(pool) as conn:
        return await holds(conn, released=released)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Pool]:
    async with database_of(settings) as url:
        await migrate(url)
        pool = await open_pool(url, max_size=2)
        try:
            yield pool
        finally:
            await pool.close()


async def _acting(pool: Pool, settings: Settings, officer: str, password: str) -> ActingOfficer:
    service = ensure_keys(settings).service
    async with transaction(pool) as conn:
        return await acting_officer(conn, officer, password, service=service, now=datetime.now(UTC))


def _due_line(one: Due) -> str:
    what = ", ".join(f"{number} {name}" for name, number in one.numbers.items())
    by = "by an officer" if one.term.rule in OF_HITS else "by the workers"
    return f"{one.term.rule.value:<16} {one.term.days:>6} days  {by:<14}  due: {what}"


def _hold_line(one: Hold) -> str:
    line = f"hold {one.hold_id}: {one.kind} {one.subject} since {one.placed_at:%Y-%m-%d} by {one.placed_by}"
    if one.released_at is not None:
        return f"{line} ({one.reason}), released {one.released_at:%Y-%m-%d} ({one.release_reason})"
    return f"{line} ({one.reason})"
