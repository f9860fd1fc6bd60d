"""Bytes for signed-in people: images of hits by digest, packages as tar, the web's own files.

No path is ever made of what a client sends: digests must be 64 hexadecimal characters and known as a
capture of a hit; folders come from the database.
"""

import tarfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles

from api.access import SignedInPerson, wiring_of
from api.access_log import note_access
from domain.errors import NotFound
from domain.ids import EventId, Sha256
from store.case_queries import package_folder, shown_image

router = APIRouter()
STATIC = Path(__file__).parent / "static"
_CHUNK = 256 * 1024
MAX_SUPPLEMENT = 2**31 - 1
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}

static_files = StaticFiles(directory=STATIC)


@router.get("/static/htmx.min.js", include_in_schema=False)
async def htmx() -> Response:
    """Serve htmx out of the installed django-js-lib-htmx wheel; no copy of it is in this repository."""
    source = files("js_lib_htmx").joinpath("static/htmx/htmx.min.js")
    return Response(
        source.read_bytes(), media_type="text/javascript", headers={"Cache-Control": "public, max-age=86400"}
    )


@router.get("/images/{sha256}", tags=["evidence"])
async def image(
    request: Request,
    person: SignedInPerson,
    sha256: Annotated[Sha256, PathParameter(pattern="^[0-9a-f]{64}$")],
) -> Response:
    """Return an image of a flagged passage, byte for byte as captured."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn:
        shown = await shown_image(conn, sha256)
        path = wiring.blobs.path(sha256)
        if not shown or not path.is_file():
            raise NotFound("no flagged passage has this image")
        for one in shown:
            await note_access(wiring, conn, person, one.event_id, f"EV-{one.event_id}")
    return FileResponse(path, media_type=shown[0].content_type, headers=_FOREVER)


@router.get("/api/v1/packages/{event_id}.tar", tags=["evidence"])
async def package(
    request: Request,
    person: SignedInPerson,
    event_id: Annotated[EventId, PathParameter(pattern="^[0-9a-f]{32}$")],
    supplement: Annotated[int, Query(ge=0, le=MAX_SUPPLEMENT)] = 0,
) -> Response:
    """Return a sealed package as a tar file whose bytes depend on the package alone."""
    wiring = wiring_of(request)
    async with wiring.transaction() as conn:
        folder = await package_folder(conn, event_id, supplement)
        path = wiring.evidence_root / folder if folder else None
        if folder is None or path is None or not path.is_dir():
            raise NotFound("this passage has no sealed package")
        await note_access(wiring, conn, person, event_id, folder)
    return package_as_tar(path)


def package_as_tar(path: Path) -> Response:
    """Return a package's folder as a download."""
    return StreamingResponse(
        tar_of(path),
        media_type="application/x-tar",
        headers={"Content-Disposition": f'attachment; filename="{path.name}.tar"'},
    )


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
