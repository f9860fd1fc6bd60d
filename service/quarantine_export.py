"""What `zhichao quarantine export` does: a refused message written to a file, with an access noted."""

import getpass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from domain.acts import Act, ActKind
from domain.errors import ConfigurationError
from evidence.acts import sign_act
from service.administration import open_database
from service.keys import ensure_keys
from service.settings import Settings
from store.acts import add_act
from store.blobs import BlobStore
from store.quarantine import Quarantined, quarantined, quarantined_payload


async def export_quarantined(settings: Settings, quarantine_id: int, path: Path) -> str:
    """Write a refused message's payload, exactly as received, to a new file; return one line on it.

    It may hold an image of somebody: before the first byte is written, an access is noted, as in the web.

    Raises
    ------
    ConfigurationError
        The file exists already, or cannot be written; or the service's keys cannot be used.
    NotFound
        Nothing in quarantine has this id.
    """
    service = ensure_keys(settings).service
    async with open_database(settings) as conn:
        message = await quarantined(conn, quarantine_id)
        payload = await quarantined_payload(conn, BlobStore(settings.blob_root), quarantine_id)
        act = _writing_out(message)
        await add_act(conn, act, sign_act(act, None, service))
        try:
            with path.open("xb") as file:
                await conn.commit()
                file.write(payload)
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}; name a new file") from error
    return f"{len(payload)} bytes, SHA-256 {message.payload_sha256}, {message.code}: {message.detail}"


def _writing_out(message: Quarantined) -> Act:
    """Return the access that is noted of whoever is at the command line, as the machine knows them."""
    subject = f"quarantine:{message.quarantine_id}"
    return Act(
        act_id=f"access-{uuid4().hex}",
        kind=ActKind.ACCESS,
        officer=None,
        licence=None,
        event=None,
        subject=subject,
        reason="refused message written to a file",
        digests=((subject, message.payload_sha256),),
        made_at=datetime.now(UTC),
        detail={"system_account": getpass.getuser(), "shown": "message"},
    )
