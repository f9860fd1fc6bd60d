"""Checks of devices that sign: what came with a signature that did not hold, and whom verifiers rely on."""

from datetime import UTC, datetime, timedelta

from domain.refusals import RefusalCode
from service.checks.finding import Finding, fine, warning, wrong
from service.device_trust import devices_entries, devices_listed
from service.settings import Settings
from store.connection import Connection
from store.quarantine import count_quarantine

_LOOK_BACK = timedelta(days=7)
_CODES = (
    RefusalCode.SIGNATURE_INVALID,
    RefusalCode.SIGNATURE_UNKNOWN_KEY,
    RefusalCode.SIGNATURE_MISSING,
)


async def check_devices(settings: Settings, conn: Connection) -> list[Finding]:
    """Find messages refused for their signature, and a trust file that lists other keys than the registry."""
    return [*await _refused(conn), *await _listed(settings, conn)]


async def _refused(conn: Connection) -> list[Finding]:
    counted = await count_quarantine(conn, since=datetime.now(UTC) - _LOOK_BACK)
    found = [f"{code.value} {counted[code.value]} x" for code in _CODES if code.value in counted]
    if not found:
        return [fine("device signatures", "none was refused these seven days")]
    return [
        warning(
            "device signatures",
            f"messages refused these seven days: {', '.join(found)}",
            "see the quarantine page for whose: a key registered wrongly or late, or somebody tampers; "
            "`zhichao quarantine replay` takes them again once the registration is right",
        )
    ]


async def _listed(settings: Settings, conn: Connection) -> list[Finding]:
    listed = devices_listed(settings.trust_path)
    if not listed or listed == await devices_entries(conn):
        return []
    return [
        wrong(
            "trust file",
            "it lists other device keys than the registry; what a key signs that it lacks does not verify",
            "run `zhichao keys devices --write` and publish the file",
        )
    ]
