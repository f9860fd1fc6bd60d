"""Giving a sealed package to somebody outside: an officer's act, signed before the first byte goes out.

There is no other way to a package in the web: who only looks, looks at the page.
"""

import secrets
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi import Path as PathParameter
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from api.access import ChangingPerson, wiring_of
from api.acting import signing
from api.turns import Turns
from api.web_item import seals_of
from cases.claims import licensed_reviewer
from cases.review import PACKAGE_DIGEST
from cases.seals import refuse_unverified
from domain.acts import Act, ActKind
from domain.errors import NotFound, RuleViolation
from domain.ids import EventId, sha256_of
from store.acts import add_act
from store.cases import PostgresCaseBook
from store.life import sealed_packages

router = APIRouter()
MAX_SUPPLEMENT = 2**31 - 1
_CHUNK = 256 * 1024


class Disclosure(BaseModel):
    """To whom a package goes, and why."""

    recipient: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=500)
    supplement: int = Field(0, ge=0, le=MAX_SUPPLEMENT)


@router.post("/api/v1/packages/{event_id}/disclosure", tags=["evidence"])
async def disclose(
    request: Request,
    person: ChangingPerson,
    event_id: Annotated[EventId, PathParameter(pattern="^[0-9a-f]{32}$")],
    form: Annotated[Disclosure, Form()],
) -> Response:
    """Return a sealed package as a tar file, its disclosure signed and on its way into the log.

    Raises
    ------
    NotPermitted
        The person is no officer with a licence valid today, or their session cannot sign.
    RuleViolation
        Recipient or reason hold nothing readable, or the package does not verify.
    """
    recipient, reason = form.recipient.strip(), form.reason.strip()
    if not (recipient and reason and recipient.isprintable() and reason.isprintable()):
        raise RuleViolation("say in a line each to whom the package goes, and why")
    wiring = wiring_of(request)
    sign = await signing(wiring, person)
    now = wiring.now()
    async with wiring.transaction() as conn, conn.transaction():
        who = await licensed_reviewer(PostgresCaseBook(conn), person.username, now)
        found = {one.supplement: one for one in await sealed_packages(conn, event_id)}.get(form.supplement)
        path = None if found is None else wiring.evidence_root / found.folder
        if found is None or path is None or not path.is_dir():
            raise NotFound("this passage has no sealed package")
        seal = await seals_of(request).for_decision(found.folder)
        refuse_unverified(seal, found.folder, "nobody signs for handing it out")
        if sha256_of(await wiring.packing.run((path / PACKAGE_DIGEST).read_bytes)) != found.tagmanifest:
            raise RuleViolation("the package is not the one that was sealed here; nobody signs for it")
        act = Act(
            act_id=f"disclosure-{secrets.token_hex(16)}",
            kind=ActKind.DISCLOSURE,
            officer=who.officer_id,
            licence=who.licence,
            event=event_id,
            subject=found.folder,
            reason=reason,
            digests=((f"{found.folder}/{PACKAGE_DIGEST}", found.tagmanifest),),
            made_at=now,
            detail={"recipient": recipient},
        )
        await add_act(conn, act, await sign(act))
    return StreamingResponse(
        by_turns(wiring.packing, tar_of(path)),
        media_type="application/x-tar",
        headers={"Content-Disposition": f'attachment; filename="{path.name}.tar"'},
    )


async def by_turns(turns: Turns, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces, each read in a turn of its own: who takes them slowly keeps none."""
    while (piece := await turns.run(lambda: next(pieces, None))) is not None:
        yield piece


def tar_of(folder: Path) -> Iterator[bytes]:
    """Yield a folder as an uncompressed tar: names sorted, times and owners zeroed, links left out."""
    for file in sorted(entry for entry in folder.rglob("*") if entry.is_file() and not entry.is_symlink()):
        facts = tarfile.TarInfo(f"{folder.name}/{file.relative_to(folder).as_posix()}")
        facts.size = file.stat().st_size
        facts.mode = 0o644
        yield facts.tobuf(tarfile.PAX_FORMAT)
        with file.open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk
        yield bytes(-facts.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
