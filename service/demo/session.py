"""One run of the demo: start everything, show how it goes, end with a table where that was asked for."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from domain.errors import ServiceUnavailable
from service.demo import result
from service.demo.accounts import DemoAccount, make_accounts
from service.demo.stations import Plan, Stations, scenario_registry
from service.demo.watch import Counts, count
from service.embedded.unprivileged import obstacle, server_user
from service.settings import BrokerKind, Settings, environment_of
from service.supervisor import Supervisor
from service.system import start_system
from store.connection import Pool, connect, open_pool
from store.registry import RegistryFile, load_registry, parse_registry
from store.transactions import transaction

LOOK_EVERY_S = 0.5
PLAIN_LINE_EVERY_S = 5.0
GIVE_UP_AFTER_S = 180.0
"""How long nothing may change before what is unsettled counts as stuck."""


log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """What was asked for on the command line."""

    passages: int | None
    exits: bool
    seed: int
    rate: float
    data: Path


def default_data_folder() -> Path:
    """Return data/demo, or a folder open to all where root's embedded database could not enter that.

    Root's PostgreSQL runs as `nobody`, who cannot enter a clone below /root.
    """
    here = Path("data/demo")
    nearest = next(step for step in (here.resolve(), *here.resolve().parents) if step.exists())
    return here if obstacle(nearest, server_user()) is None else Path("/var/lib/zhichao-demo")


async def run_demo(settings: Settings, options: DemoOptions) -> bool:
    """Run until cancelled, or, with `exits`, until all is settled; return whether the result is good."""
    console = Console()
    settings = own_settings(settings, options.data)
    registry = parse_registry(await scenario_registry(), source="the simulators' registry")
    supervisor = Supervisor(options.data / "logs")
    try:
        with console.status(
            "starting database, broker, ingest, work and web; the first start compiles for half a minute"
        ):
            running = await start_system(supervisor, settings, demo=True)
        settings = running.settings
        accounts = await _prepare(settings, registry)
        _introduce(console, running.web_address, accounts)
        pool = await open_pool(settings.require_database_url(), max_size=2, application_name="zhichao demo")
        try:
            return await _until_done(
                console, supervisor, settings, pool, options, registry=registry, scorer=accounts[-1]
            )
        finally:
            await pool.close()
    finally:
        await supervisor.stop()


async def _until_done(
    console: Console,
    supervisor: Supervisor,
    settings: Settings,
    pool: Pool,
    options: DemoOptions,
    *,
    registry: RegistryFile,
    scorer: DemoAccount,
) -> bool:
    folder = options.data / "stations"
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / f"truth-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.jsonl"
    stations = Stations(
        [str(station.station_id) for station in registry.stations],
        Plan(
            folder=folder,
            truth=truth,
            ports=(settings.broker_port, settings.broker_port_311),
            seed=options.seed,
            rate=options.rate,
            passages=options.passages,
            environment=environment_of(settings, with_database=False),
        ),
    )
    watching = asyncio.create_task(_watch(console, pool, stations))
    broken = asyncio.create_task(supervisor.wait())
    stations.start()
    settling = asyncio.create_task(_settled(pool, stations))
    try:
        done, _ = await asyncio.wait({settling, broken, watching}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if not options.exits:
            await broken
    finally:
        for task in (settling, watching, broken):
            task.cancel()
        await asyncio.gather(settling, watching, broken, return_exceptions=True)
        await stations.stop()
    outcome = await result.result_of(settings, pool, truth, scorer, receipted=stations.total("spooled") == 0)
    result.show(outcome, console)
    return outcome.good


async def _settled(pool: Pool, stations: Stations) -> None:
    """Wait until the stations are done and every hit is a case or known to be incomplete."""
    await stations.finished()
    loop = asyncio.get_running_loop()
    before, changed_at = None, loop.time()
    while True:
        now = await _counted(pool)
        if now is not None and now.under_way == 0:
            return
        if now is None or now != before:
            before, changed_at = now, loop.time()
        elif loop.time() - changed_at > GIVE_UP_AFTER_S:
            raise ServiceUnavailable(
                f"{now.under_way} flagged passages do not settle ({now.failed_jobs} jobs failed); "
                "see the logs in the data folder"
            )
        await asyncio.sleep(LOOK_EVERY_S)


async def _watch(console: Console, pool: Pool, stations: Stations) -> None:
    """Show how it goes: a live table on a terminal, a plain line now and then elsewhere."""
    if not console.is_terminal:
        await _look(
            pool, lambda counts: console.print(_line(counts, stations), soft_wrap=True), PLAIN_LINE_EVERY_S
        )
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        await _look(pool, lambda counts: live.update(_table(counts, stations)), LOOK_EVERY_S)


async def _look(pool: Pool, show: Callable[[Counts], None], every_s: float) -> None:
    while True:
        counts = await _counted(pool)
        if counts is not None:
            show(counts)
        await asyncio.sleep(every_s)


async def _counted(pool: Pool) -> Counts | None:
    try:
        async with transaction(pool) as conn:
            return await count(conn)
    except ServiceUnavailable:
        log.warning("the database is away; the supervisor is starting it again")
        return None


def own_settings(settings: Settings, data: Path) -> Settings:
    """Return settings that touch nothing but the demo's folder, whatever this machine has configured."""
    return settings.model_copy(
        update={
            "data": data,
            "database_url": None,
            "evidence_folder": None,
            "blob_folder": None,
            "log_folder": None,
            "keys_folder": None,
            "trust_file": None,
            "pkcs11_module": None,
            "pkcs11_pin_file": None,
            "sm2_key_file": None,
            "completeness_file": None,
            "policy_file": None,
            "tsa_url": None,
            "tsa_certificate_file": None,
            "witness_url": None,
            "witness_key": None,
            "broker_kind": BrokerKind.EMBEDDED,
            "broker_host": "127.0.0.1",
            "broker_ca_file": None,
            "broker_cert_file": None,
            "broker_key_file": None,
            "broker_credentials_file": None,
            "broker_share_group": None,
            "web_host": "127.0.0.1",
        }
    )


async def _prepare(settings: Settings, registry: RegistryFile) -> list[DemoAccount]:
    async with await connect(settings.require_database_url()) as conn:
        await load_registry(conn, registry)
        return await make_accounts(conn, registry)


def _introduce(console: Console, address: str, accounts: list[DemoAccount]) -> None:
    table = Table(title=f"zhichao is at {address}")
    for column in ("account", "role", "password"):
        table.add_column(column)
    for one in accounts:
        table.add_row(one.username, one.role, one.password)
    console.print(table)
    console.print("Ctrl-C ends everything; started again, it goes on with the same data.")


def _line(counts: Counts, stations: Stations) -> str:
    return (
        f"sent {stations.total('passages')} passages, {stations.total('spooled')} messages in the spools, "
        f"stored {counts.passages}, flagged {counts.flagged}, sealed {counts.sealed}, cases {counts.cases}, "
        f"quarantined {counts.quarantined}, failed jobs {counts.failed_jobs}"
    )


def _table(counts: Counts, stations: Stations) -> Table:
    table = Table(show_header=False)
    for label, value in (
        ("passages sent in this run", stations.total("passages")),
        ("messages waiting in the stations' spools", stations.total("spooled")),
        ("passages stored", counts.passages),
        ("images stored", counts.captures),
        ("messages in quarantine", counts.quarantined),
        ("flagged", counts.flagged),
        ("packages sealed", counts.sealed),
        ("on their way", counts.under_way),
        ("cases opened", counts.cases),
        ("log entries", counts.log_entries),
        ("failed jobs", counts.failed_jobs),
    ):
        table.add_row(label, str(value))
    return table
